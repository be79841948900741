/**
 * Routes of the API v1 about records. Bodies are those of the API v2, except that `include` may have `data`,
 * which stands for what clients fetch themselves; answers say `included`.
 */
import { type Include, parseBatch, type WriteVerb } from '../../api/index.ts';
import { DatabaseError } from '../../base/index.ts';
import { type Answer, ok } from '../answer.ts';
import { bodyRoute, plainRoute, type Route, type RouteCall } from '../route.ts';
import type { Shape } from '../shape.ts';
import { formatNeighbours, formatRecords } from '../v2/columns.ts';
import { readQuery, readSelection } from '../v2/records.ts';
import {
  addBody,
  type DeleteBody,
  deleteBody,
  INCLUDES,
  updateBody,
  upsertBody,
  type WriteBody,
} from '../v2/schemas.ts';
import { getBody, queryBody } from './schemas.ts';
import { COLLECTION_PATH, findScope, heading } from './scope.ts';

function writeRoute(verb: WriteVerb, summary: string, status: number, body: Shape<WriteBody>): Route {
  return bodyRoute(heading('POST', `${COLLECTION_PATH}/${verb}`, verb, summary), {
    statuses: [status, 400, 404, 501],
    body,
    respond: async (call) => {
      const scope = await findScope(call);
      const batch = parseBatch(call.body, verb);
      await call.backend[verb](scope, batch, { ...call.options, isBatchGivenAway: true });
      return { status, body: 'true' };
    },
  });
}

/** The columns that this API and ours both have. */
function columnsOf(include: readonly string[]): Include[] {
  return INCLUDES.filter((name) => include.includes(name));
}

/** Adds what answers of this API have besides. */
function completed(columns: string, include: readonly string[]): Answer {
  return ok(`${columns.slice(0, -1)},"included":${JSON.stringify(include)},"data":null}`);
}

/**
 * Deletes, and answers with the ids that were there to be deleted, as the first clients expect it.
 *
 * They are read before: a record that another client adds in between is deleted without being told of.
 */
async function remove(call: RouteCall<DeleteBody>): Promise<Answer> {
  const scope = await findScope(call);
  const selection = readSelection(call.body);
  if ((selection.ids ?? []).length === 0 && selection.where === null && selection.whereDocument === null) {
    const remedy = 'This would delete all of them; to do so, delete the collection.';
    const message = `You must provide either ids, where, or where_document to delete. ${remedy}`;
    throw new DatabaseError('TESSERA_INVALID_ARGUMENT', message);
  }
  const request = { ...selection, limit: null };
  const { ids } = await call.backend.get(scope, { ...request, offset: 0, include: [] }, call.options);
  await call.backend.delete(scope, request, call.options);
  return ok(JSON.stringify(ids));
}

/** Add, upsert, update, get, query, delete and count. */
export const RECORD_ROUTES: readonly Route[] = [
  writeRoute('add', 'Adds records; those whose id exists are left as they are', 201, addBody),
  writeRoute('upsert', 'Adds records, or updates those whose id exists', 200, upsertBody),
  writeRoute('update', 'Updates records; ids that do not exist are ignored', 200, updateBody),
  bodyRoute(
    heading('POST', `${COLLECTION_PATH}/get`, 'get', 'Records by ids and filters, in the order of insertion'),
    {
      statuses: [200, 400, 404],
      body: getBody,
      respond: async (call) => {
        const scope = await findScope(call);
        const { limit, offset } = call.body;
        const include = columnsOf(call.body.include);
        const request = { limit, offset: offset ?? 0, include, ...readSelection(call.body) };
        const columns = await call.backend.get(scope, request, call.options);
        return completed(formatRecords(columns, include), call.body.include);
      },
    },
  ),
  bodyRoute(
    heading(
      'POST',
      `${COLLECTION_PATH}/query`,
      'query',
      'The nearest records for each embedding, nearest first',
    ),
    {
      statuses: [200, 400, 404],
      body: queryBody,
      respond: async (call) => {
        const scope = await findScope(call);
        const request = readQuery({ ...call.body, include: columnsOf(call.body.include) });
        const neighbours = await call.backend.query(scope, request, call.options);
        return completed(formatNeighbours(neighbours, request.include, false), call.body.include);
      },
    },
  ),
  bodyRoute(heading('POST', `${COLLECTION_PATH}/delete`, 'delete', 'Deletes records by ids and filters'), {
    statuses: [200, 400, 404],
    body: deleteBody,
    respond: remove,
  }),
  plainRoute(heading('GET', `${COLLECTION_PATH}/count`, 'count', 'How many records a collection has'), {
    statuses: [200, 400, 404],
    respond: async (call) => ok(String(await call.backend.count(await findScope(call), call.options))),
  }),
];
