/** What requests of the API v1 name: databases in the query string, collections by UUID alone. */
import {
  type CollectionScope,
  type DatabaseScope,
  DEFAULT_DATABASE,
  DEFAULT_TENANT,
  isUuid,
} from '../../api/index.ts';
import { DatabaseError } from '../../base/index.ts';
import type { Heading, Method, QueryParameter, RouteCall } from '../route.ts';

/** The path of a collection: by name where it is got or deleted, else by UUID. */
export const COLLECTION_PATH = '/collections/:collection';

/** The heading of a route whose path begins below the root of the API. */
export function heading(method: Method, path: string, operation: string, summary: string): Heading {
  return { method, path: `/api/v1${path}`, operation: `v1_${operation}`, tag: 'v1', summary };
}

/** The parameters that name a database; clients from before tenants existed send neither. */
export const DATABASE_PARAMETERS: readonly QueryParameter[] = [
  { name: 'tenant', schema: { type: 'string', default: DEFAULT_TENANT } },
  { name: 'database', schema: { type: 'string', default: DEFAULT_DATABASE } },
];

/** Reads the tenant that the query string names. */
export function readTenant(call: RouteCall<unknown>): string {
  return call.query('tenant') ?? DEFAULT_TENANT;
}

/** Reads the database that the query string names. */
export function readDatabaseScope(call: RouteCall<unknown>): DatabaseScope {
  return { tenant: readTenant(call), database: call.query('database') ?? DEFAULT_DATABASE };
}

/**
 * Finds the collection whose UUID the path names. Errors: `TESSERA_INVALID_ARGUMENT` with `details.reason:
 * 'uuid'`, `TESSERA_COLLECTION_NOT_FOUND`.
 */
export async function findScope({ backend, param, options }: RouteCall<unknown>): Promise<CollectionScope> {
  const text = param('collection');
  const collectionId = text.toLowerCase();
  if (!isUuid(collectionId)) {
    const message = `Could not parse ${text} as a UUID`;
    throw new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { reason: 'uuid', text } });
  }
  const { tenant, database } = await backend.findCollection(collectionId, options);
  return { tenant, database, collectionId };
}
