/**
 * Routes of Chroma's cloud that a single node does not have, there or here: attached functions,
 * conditional transactions, the search API. A body is checked first, so that a client's own mistakes are told
 * as such; then the answer is 501.
 */
import { parseWhere } from '../../api/index.ts';
import { DatabaseError } from '../../base/index.ts';
import { bodyRoute, plainRoute, type Route, type RouteCall } from '../route.ts';
import type { Shape } from '../shape.ts';
import { readSelection } from './records.ts';
import {
  attachFunctionBody,
  commitBody,
  detachFunctionBody,
  functionInputBody,
  getBody,
  searchBody,
} from './schemas.ts';
import { COLLECTION_PATH, readCollectionScope } from './scope.ts';

function refuse<Body>(
  message: string,
  check: (body: Body, call: RouteCall<Body>) => unknown = () => {},
): (call: RouteCall<Body>) => Promise<never> {
  return async (call) => {
    readCollectionScope(call);
    await check(call.body, call);
    throw new DatabaseError('TESSERA_UNSUPPORTED', message);
  };
}

/** A step of a conditional transaction. Clients know the refusal by its name. */
function transactionRoute<Body>(
  step: 'get' | 'commit',
  body: Shape<Body>,
  check?: (body: Body) => unknown,
): Route {
  const route = bodyRoute(
    {
      method: 'POST',
      path: `${COLLECTION_PATH}/conditional/${step}`,
      operation: `conditional_${step}`,
      tag: 'Record',
      summary: 'Not supported',
    },
    {
      statuses: [400, 501],
      body,
      respond: refuse('Conditional transactions are not supported on a single node', check),
    },
  );
  const nameFailure = (error: unknown): string | null =>
    error instanceof DatabaseError && error.code === 'TESSERA_UNSUPPORTED'
      ? 'TransactionsNotSupported'
      : null;
  return { ...route, nameFailure };
}

/** Functions, conditional transactions and search. */
export const UNSUPPORTED_ROUTES: readonly Route[] = [
  bodyRoute(
    {
      method: 'POST',
      path: `${COLLECTION_PATH}/functions/attach`,
      operation: 'attach_function',
      tag: 'Function',
      summary: 'Not supported',
    },
    {
      statuses: [400, 501],
      body: attachFunctionBody,
      respond: refuse('Attached functions are unsupported on a single node'),
    },
  ),
  plainRoute(
    {
      method: 'GET',
      path: `${COLLECTION_PATH}/functions/:name`,
      operation: 'get_attached_function',
      tag: 'Function',
      summary: 'No function is ever attached',
    },
    {
      statuses: [400, 404],
      respond: async (call) => {
        readCollectionScope(call);
        throw new DatabaseError('TESSERA_NOT_FOUND', 'Attached function not found');
      },
    },
  ),
  bodyRoute(
    {
      method: 'POST',
      path: `${COLLECTION_PATH}/attached_functions/:name/detach`,
      operation: 'detach_function',
      tag: 'Function',
      summary: 'Not supported',
    },
    {
      statuses: [400, 501],
      body: detachFunctionBody,
      respond: refuse('Attached functions are unsupported on a single node'),
    },
  ),
  bodyRoute(
    {
      method: 'POST',
      path: `${COLLECTION_PATH}/attached_functions/:name/add_input`,
      operation: 'add_function_input',
      tag: 'Function',
      summary: 'Not supported',
    },
    {
      statuses: [400, 501],
      body: functionInputBody,
      respond: refuse('Attached functions are unsupported on a single node'),
    },
  ),
  transactionRoute('get', getBody, readSelection),
  transactionRoute('commit', commitBody),
  bodyRoute(
    {
      method: 'POST',
      path: `${COLLECTION_PATH}/search`,
      operation: 'collection_search',
      tag: 'Record',
      summary: 'Not supported',
    },
    {
      statuses: [400, 404, 501],
      body: searchBody,
      respond: refuse(
        'Error executing plan: Not implemented: Search operation is not implemented for local executor',
        async ({ searches }, call) => {
          for (const { filter } of searches) parseWhere(filter);
          await call.backend.getCollectionById(readCollectionScope(call), call.options);
        },
      ),
    },
  ),
];
