/**
 * Routes of Chroma's cloud that a single node does not have, there or here: attached functions, the search
 * API. A body is checked first, so that a client's own mistakes are told as such; then the answer is 501.
 */
import { DatabaseError } from '../../base/index.ts';
import { bodyRoute, plainRoute, type Route, type RouteCall } from '../route.ts';
import { attachFunctionBody, detachFunctionBody, searchBody } from './schemas.ts';
import { COLLECTION_PATH, readCollectionScope } from './scope.ts';

function refuse(message: string): (call: RouteCall<unknown>) => Promise<never> {
  return async (call) => {
    readCollectionScope(call);
    throw new DatabaseError('TESSERA_UNSUPPORTED', message);
  };
}

/** Functions and search. */
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
      path: `${COLLECTION_PATH}/search`,
      operation: 'collection_search',
      tag: 'Record',
      summary: 'Not supported',
    },
    {
      statuses: [400, 501],
      body: searchBody,
      respond: refuse(
        'Error executing plan: Not implemented: Search operation is not implemented for local executor',
      ),
    },
  ),
];
