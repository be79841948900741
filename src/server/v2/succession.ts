/**
 * Routes by which a collection is followed and replaced by one that was embedded anew; Chroma's protocol does
 * not have them.
 */
import { checkName, isUuid, LIMITS } from '../../api/index.ts';
import { DatabaseError, show } from '../../base/index.ts';
import { ok } from '../answer.ts';
import { bodyRoute, type Route } from '../route.ts';
import { formatCollection } from './collections.ts';
import { formatRecords } from './columns.ts';
import { changesBody, succeedBody } from './schemas.ts';
import { COLLECTION_PATH, readCollectionScope } from './scope.ts';

/** Changes and succeed. */
export const SUCCESSION_ROUTES: readonly Route[] = [
  bodyRoute(
    {
      method: 'POST',
      path: `${COLLECTION_PATH}/changes`,
      operation: 'collection_changes',
      tag: 'Record',
      summary: 'Records that changed after a position of the change sequence, in the order of insertion',
    },
    {
      statuses: [200, 400, 404],
      body: changesBody,
      respond: async (call) => {
        const { after, after_row: afterRow, through_row: throughRow, limit } = call.body;
        const request = { after, afterRow, throughRow, limit: limit ?? LIMITS.batchSizeMax };
        const changes = await call.backend.changes(readCollectionScope(call), request, call.options);
        const { columns, lastRow, sequence, endRow, recordCount, hasDeletions } = changes;
        const records = formatRecords(columns, ['documents', 'uris', 'metadatas']);
        return ok(
          `{"records":${records},"last_row":${lastRow},"sequence":${sequence},"end_row":${endRow},` +
            `"record_count":${recordCount},"has_deletions":${hasDeletions}}`,
        );
      },
    },
  ),
  bodyRoute(
    {
      method: 'POST',
      path: `${COLLECTION_PATH}/succeed`,
      operation: 'collection_succeed',
      tag: 'Collection',
      summary: 'Lets another collection take the name and the place of one, unless that has changed',
    },
    {
      statuses: [200, 400, 404, 409],
      body: succeedBody,
      respond: async (call) => {
        const { successor_id: successorId, sequence, former_name: formerName } = call.body;
        checkName(formerName, 'Validation error: former_name: ');
        if (!isUuid(successorId)) {
          const message = `Validation error: successor_id: expected a UUID, got ${show(successorId)}`;
          throw new DatabaseError('TESSERA_INVALID_ARGUMENT', message);
        }
        const request = { successorId: successorId.toLowerCase(), sequence, formerName };
        const heir = await call.backend.succeed(readCollectionScope(call), request, call.options);
        return ok(heir === null ? 'null' : formatCollection(heir));
      },
    },
  ),
];
