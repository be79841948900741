/** Routes about the records of a collection. */
import {
  type DeleteRequest,
  packEmbeddings,
  parseBatch,
  parseWhere,
  parseWhereDocument,
  type QueryRequest,
  type RecordSelection,
  type WriteVerb,
  wrongType,
} from '../../api/index.ts';
import { DatabaseError } from '../../base/index.ts';
import { NOTHING, ok } from '../answer.ts';
import { bodyRoute, plainRoute, type Route } from '../route.ts';
import type { Shape } from '../shape.ts';
import { formatNeighbours, formatRecords } from './columns.ts';
import { describeIndexing } from './indexing-status.ts';
import {
  addBody,
  type DeleteBody,
  deleteBody,
  getBody,
  type QueryBody,
  queryBody,
  READ_LEVELS,
  type SelectionBody,
  updateBody,
  upsertBody,
  type WriteBody,
} from './schemas.ts';
import { COLLECTION_PATH, invalidQuery, readCollectionScope } from './scope.ts';

const N_RESULTS_DEFAULT = 10;

/** Reads ids and filters. Errors: those of `parseWhere`. */
export function readSelection(body: SelectionBody): RecordSelection {
  return {
    ids: body.ids,
    where: parseWhere(body.where),
    whereDocument: parseWhereDocument(body.where_document),
  };
}

/** Reads a query. Errors: those of `readSelection` and `packEmbeddings`. */
export function readQuery(body: QueryBody): QueryRequest {
  const rows = body.query_embeddings;
  if (Array.isArray(rows)) {
    const textIndex = rows.findIndex((row) => typeof row === 'string');
    if (textIndex >= 0) {
      const path = `query_embeddings[${textIndex}]`;
      throw wrongType(path, 'an array of numbers', rows[textIndex], 'TESSERA_INVALID_EMBEDDING');
    }
  }
  const selection = readSelection(body);
  return {
    embeddings: packEmbeddings(rows, { field: 'query_embeddings', allowNull: false }),
    nResults: body.n_results ?? N_RESULTS_DEFAULT,
    include: body.include,
    recall: body.exact === true ? 1 : body.recall,
    explain: body.explain === true,
    ...selection,
  };
}

/**
 * `null` when the body names no records at all, which deletes none. An empty filter restricts nothing, and a
 * delete that restricts nothing is more likely a mistake than a wish: it counts as no filter.
 */
function readDelete(body: DeleteBody): DeleteRequest | null {
  const selection = readSelection(body);
  const isFiltered = selection.where !== null || selection.whereDocument !== null;
  if (body.limit !== null && !isFiltered) {
    const reason = 'limit can only be specified when a where clause is provided';
    throw new DatabaseError('TESSERA_INVALID_ARGUMENT', `Validation error: limit, where: ${reason}`);
  }
  const isNothingNamed = body.ids === null && body.where === null && body.where_document === null;
  if (isNothingNamed) return null;
  if (!isFiltered && (body.ids === null || body.ids.length === 0)) {
    const reason = 'Either ids or where must be specified';
    throw new DatabaseError('TESSERA_INVALID_ARGUMENT', `Validation error: ids, where: ${reason}`);
  }
  return { ...selection, limit: body.limit };
}

function writeRoute(verb: WriteVerb, summary: string, status: number, body: Shape<WriteBody>): Route {
  return bodyRoute(
    {
      method: 'POST',
      path: `${COLLECTION_PATH}/${verb}`,
      operation: `collection_${verb}`,
      tag: 'Record',
      summary,
    },
    {
      statuses: [status, 400, 404, 501],
      body,
      respond: async (call) => {
        const scope = readCollectionScope(call);
        await call.backend[verb](scope, parseBatch(call.body, verb), {
          ...call.options,
          isBatchGivenAway: true,
        });
        return { ...NOTHING, status };
      },
    },
  );
}

/** Add, upsert, update, get, query, delete and count. */
export const RECORD_ROUTES: readonly Route[] = [
  writeRoute('add', 'Adds records; those whose id exists are left as they are', 201, addBody),
  writeRoute('upsert', 'Adds records, or updates those whose id exists', 200, upsertBody),
  writeRoute('update', 'Updates records; ids that do not exist are ignored', 200, updateBody),
  bodyRoute(
    {
      method: 'POST',
      path: `${COLLECTION_PATH}/get`,
      operation: 'collection_get',
      tag: 'Record',
      summary: 'Records by ids and filters, in the order of insertion',
    },
    {
      statuses: [200, 400, 404],
      body: getBody,
      respond: async (call) => {
        const scope = readCollectionScope(call);
        const { limit, offset, include } = call.body;
        const request = { limit, offset: offset ?? 0, include, ...readSelection(call.body) };
        return ok(formatRecords(await call.backend.get(scope, request, call.options), include));
      },
    },
  ),
  bodyRoute(
    {
      method: 'POST',
      path: `${COLLECTION_PATH}/query`,
      operation: 'collection_query',
      tag: 'Record',
      summary: 'The nearest records for each embedding, nearest first',
    },
    {
      statuses: [200, 400, 404],
      body: queryBody,
      respond: async (call) => {
        const scope = readCollectionScope(call);
        const request = readQuery(call.body);
        const neighbours = await call.backend.query(scope, request, call.options);
        return ok(formatNeighbours(neighbours, request.include, request.explain));
      },
    },
  ),
  bodyRoute(
    {
      method: 'POST',
      path: `${COLLECTION_PATH}/delete`,
      operation: 'collection_delete',
      tag: 'Record',
      summary: 'Deletes records by ids and filters',
    },
    {
      statuses: [200, 400, 404],
      body: deleteBody,
      respond: async (call) => {
        const scope = readCollectionScope(call);
        const request = readDelete(call.body);
        if (request === null) {
          await call.backend.getCollectionById(scope, call.options);
          return ok('{"deleted":0}');
        }
        const { deleted } = await call.backend.delete(scope, request, call.options);
        return ok(JSON.stringify({ deleted }));
      },
    },
  ),
  plainRoute(
    {
      method: 'GET',
      path: `${COLLECTION_PATH}/count`,
      operation: 'collection_count',
      tag: 'Record',
      summary: 'How many records a collection has',
    },
    {
      statuses: [200, 400, 404],
      parameters: [{ name: 'read_level', schema: { type: 'string', enum: READ_LEVELS } }],
      respond: async (call) => {
        const level = call.query('read_level');
        if (level !== undefined && !READ_LEVELS.includes(level)) {
          throw invalidQuery(
            `read_level: expected one of ${READ_LEVELS.join(', ')}, got ${JSON.stringify(level)}`,
          );
        }
        return ok(String(await call.backend.count(readCollectionScope(call), call.options)));
      },
    },
  ),
  plainRoute(
    {
      method: 'GET',
      path: `${COLLECTION_PATH}/indexing_status`,
      operation: 'indexing_status',
      tag: 'Record',
      summary: 'How many of the changes of a collection its indexes have taken in',
    },
    {
      statuses: [200, 400, 404],
      respond: async (call) =>
        ok(await describeIndexing(call.backend, readCollectionScope(call), call.options)),
    },
  ),
];
