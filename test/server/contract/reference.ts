/**
 * Which statuses the protocol names for each operation, by its reference and by Chroma's OpenAPI document,
 * and which of them are not ours to answer.
 */
import { CHROMA_OPERATIONS } from './openapi.ts';

/**
 * Statuses of each operation's own. An operation with a body answers 400, 413, 415 and 422 besides, and every
 * one that asks the database 500 and 503.
 */
export const REFERENCE: { readonly [operation: string]: readonly number[] } = {
  root: [200],
  heartbeat: [200],
  healthcheck: [200, 503],
  version: [200],
  pre_flight_checks: [200],
  get_user_identity: [200],
  reset: [200, 403],
  create_tenant: [200, 400, 409],
  get_tenant: [200, 404],
  update_tenant: [200],
  create_database: [200, 400, 409],
  list_databases: [200, 400],
  get_database: [200, 400, 404],
  delete_database: [200, 400, 404],
  create_collection: [200, 400, 409],
  list_collections: [200, 400],
  count_collections: [200, 400],
  get_collection: [200, 400, 404],
  get_collection_by_id: [200, 400, 404],
  get_collection_by_crn: [200, 400, 404],
  update_collection: [200, 400, 404, 409],
  delete_collection: [200, 400, 404],
  fork_collection: [200, 400, 404, 409],
  fork_count: [200, 400, 404],
  indexing_status: [200, 400, 404],
  attach_function: [400, 501],
  get_attached_function: [400, 404],
  detach_function: [400, 501],
  collection_add: [201, 400, 404, 501],
  collection_upsert: [200, 400, 404, 501],
  collection_update: [200, 400, 404, 501],
  collection_get: [200, 400, 404],
  collection_query: [200, 400, 404],
  collection_delete: [200, 400, 404],
  collection_count: [200, 400, 404],
  add_function_input: [400, 501],
  conditional_get: [400, 501],
  conditional_commit: [400, 501],
  collection_search: [400, 404, 501],
};

/** Operations of ours that the protocol does not have. */
export const OWN_OPERATIONS: readonly string[] = [
  'find_collection',
  'collection_settle',
  'collection_stats',
  'collection_verify',
  'collection_repair',
  'collection_salvage',
  'collection_changes',
  'collection_succeed',
];

/** What those answer that do not answer as most of them. */
const OWN_STATUSES: { readonly [operation: string]: readonly number[] } = {
  collection_salvage: [200, 400, 404, 409],
  collection_succeed: [200, 400, 404, 409],
};

/** Operations that answer without asking the database, and so can neither find it broken nor closed. */
export const DETACHED_OPERATIONS: readonly string[] = [
  'version',
  'update_tenant',
  'attach_function',
  'get_attached_function',
  'detach_function',
  'add_function_input',
  'conditional_get',
  'conditional_commit',
];

/** Statuses in the OpenAPI document that are not answered, and why. */
const EXCEPTIONS: readonly (readonly [operation: string, status: number, reason: string])[] = [
  ['*', 401, 'the server tested here wants no keys; access.test.ts asks every operation without one'],
  ['update_tenant', 404, 'accepted, and does nothing, whatever the tenant; so does a single node of Chroma'],
  ['update_tenant', 409, 'as above'],
  ['update_tenant', 500, 'asks nobody'],
  ['attach_function', 200, 'Chroma Cloud alone has functions'],
  ['attach_function', 500, 'asks nobody'],
  ['get_attached_function', 200, 'Chroma Cloud alone has functions'],
  ['get_attached_function', 500, 'asks nobody'],
  ['detach_function', 200, 'Chroma Cloud alone has functions'],
  ['detach_function', 500, 'asks nobody'],
  ['collection_search', 200, 'not there yet'],
];

/** Statuses that an operation must be seen to answer. */
export function expectedStatuses(operation: string, hasBody: boolean): number[] {
  const isExcepted = (status: number): boolean =>
    EXCEPTIONS.some(([name, other]) => (name === '*' || name === operation) && other === status);
  const documented = CHROMA_OPERATIONS.find((entry) => entry.operation === operation)?.responses ?? {};
  const statuses = new Set([
    ...(REFERENCE[operation] ?? OWN_STATUSES[operation] ?? [200, 400, 404]),
    ...Object.keys(documented)
      .map(Number)
      .filter((status) => !isExcepted(status)),
    ...(hasBody ? [400, 413, 415, 422] : []),
    ...(DETACHED_OPERATIONS.includes(operation) ? [] : [500, 503]),
  ]);
  if (operation === 'healthcheck') statuses.delete(500);
  return [...statuses].sort((a, b) => a - b);
}

/** Exceptions that no document asks for any more. */
export function staleExceptions(): string[] {
  return EXCEPTIONS.filter(
    ([name, status]) =>
      !CHROMA_OPERATIONS.some(
        ({ operation, responses }) => (name === '*' || name === operation) && String(status) in responses,
      ),
  ).map(([name, status]) => `${name} ${status}`);
}

/**
 * Operations by statuses, as a table for people: `x` where a status was seen, `-` where it should have been.
 */
export function coverageTable(
  operations: ReadonlyMap<string, readonly number[]>,
  seen: ReadonlySet<string>,
): string {
  const statuses = [...new Set([...operations.values()].flat())].sort((a, b) => a - b);
  const width = Math.max(...[...operations.keys()].map((name) => name.length));
  const line = (name: string, cells: readonly string[]): string =>
    `${name.padEnd(width)} ${cells.map((cell) => cell.padStart(3)).join(' ')}`.trimEnd();
  const rows = [...operations].map(([name, expected]) =>
    line(
      name,
      statuses.map((status) => {
        if (seen.has(`${name} ${status}`)) return 'x';
        return expected.includes(status) ? '-' : '';
      }),
    ),
  );
  return [line('operation', statuses.map(String)), ...rows].join('\n');
}
