/**
 * Routes about the state of a collection, which Chroma's protocol does not have: settle, stats, verify,
 * repair and salvage.
 *
 * What they answer, and the plans of a query, are plain values under names in camelCase on our side of the
 * port; the wire has the same in snake_case.
 */
import { NOTHING, ok } from '../answer.ts';
import { bodyRoute, plainRoute, type Route } from '../route.ts';
import { forkBody, readNewName } from './schemas.ts';
import { COLLECTION_PATH, readCollectionScope } from './scope.ts';

/** A report as JSON text, with the names of all its members in snake_case. */
export function formatReport(report: unknown): string {
  return JSON.stringify(snakeCase(report));
}

function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, member]) => [
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    snakeCase(member),
  ]);
  return Object.fromEntries(entries);
}

/** All of them. None but salvage takes a body; one that is sent is left unread. */
export const REPORT_ROUTES: readonly Route[] = [
  plainRoute(
    {
      method: 'POST',
      path: `${COLLECTION_PATH}/settle`,
      operation: 'collection_settle',
      tag: 'Maintenance',
      summary: 'Answers when every index has taken in all that was acknowledged before',
    },
    {
      statuses: [200, 400, 404],
      isLong: true,
      respond: async (call) => {
        await call.backend.settle(readCollectionScope(call), call.options);
        return NOTHING;
      },
    },
  ),
  plainRoute(
    {
      method: 'GET',
      path: `${COLLECTION_PATH}/stats`,
      operation: 'collection_stats',
      tag: 'Maintenance',
      summary: 'How far the indexes of a collection have come, and what they take',
    },
    {
      statuses: [200, 400, 404],
      respond: async (call) =>
        ok(formatReport(await call.backend.statistics(readCollectionScope(call), call.options))),
    },
  ),
  plainRoute(
    {
      method: 'POST',
      path: `${COLLECTION_PATH}/verify`,
      operation: 'collection_verify',
      tag: 'Maintenance',
      summary: 'Compares every record with its checksums and with the indexes',
    },
    {
      statuses: [200, 400, 404],
      isLong: true,
      respond: async (call) =>
        ok(formatReport(await call.backend.verify(readCollectionScope(call), call.options))),
    },
  ),
  plainRoute(
    {
      method: 'POST',
      path: `${COLLECTION_PATH}/repair`,
      operation: 'collection_repair',
      tag: 'Maintenance',
      summary: 'Makes the indexes that differ from the records anew',
    },
    {
      statuses: [200, 400, 404],
      isLong: true,
      respond: async (call) =>
        ok(formatReport(await call.backend.repair(readCollectionScope(call), call.options))),
    },
  ),
  bodyRoute(
    {
      method: 'POST',
      path: `${COLLECTION_PATH}/salvage`,
      operation: 'collection_salvage',
      tag: 'Maintenance',
      summary: 'Copies what can be read of a damaged collection under another name',
    },
    {
      statuses: [200, 400, 404, 409],
      isLong: true,
      body: forkBody,
      respond: async (call) => {
        const scope = readCollectionScope(call);
        const name = readNewName(call.body);
        return ok(formatReport(await call.backend.salvage(scope, name, call.options)));
      },
    },
  ),
];
