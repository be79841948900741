/** What paths and query strings name: databases, collections and pages. */
import { type CollectionScope, type DatabaseScope, isUuid, LIMITS, type Page } from '../../api/index.ts';
import { DatabaseError } from '../../base/index.ts';
import type { QueryParameter, RouteCall } from '../route.ts';

/** The path of everything in a database. */
export const DATABASE_PATH = '/api/v2/tenants/:tenant/databases/:database';
/** The path of everything in a collection. */
export const COLLECTION_PATH: string = `${DATABASE_PATH}/collections/:collection_id`;

/** Reads the database that the path names. Errors: `TESSERA_INVALID_NAME`. */
export function readDatabaseScope(call: RouteCall<unknown>): DatabaseScope {
  const database = call.param('database');
  if (database.length < LIMITS.nameLengthMin) {
    const message = `database name must be at least ${LIMITS.nameLengthMin} characters`;
    throw new DatabaseError('TESSERA_INVALID_NAME', message, { details: { name: database } });
  }
  return { tenant: call.param('tenant'), database };
}

/** Reads the UUID that the path names. Errors: `TESSERA_INVALID_ARGUMENT`. */
export function readCollectionId(
  call: RouteCall<unknown>,
  message = 'Collection ID is not a valid UUIDv4',
): string {
  const collectionId = call.param('collection_id').toLowerCase();
  if (isUuid(collectionId)) return collectionId;
  throw new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { collectionId } });
}

/**
 * Reads the collection that the path names by its UUID. Errors: `TESSERA_INVALID_NAME`,
 * `TESSERA_INVALID_ARGUMENT`.
 */
export function readCollectionScope(call: RouteCall<unknown>, message?: string): CollectionScope {
  const scope = readDatabaseScope(call);
  return { collectionId: readCollectionId(call, message), ...scope };
}

/** Parameters of the routes that list something. */
export const PAGE_PARAMETERS: readonly QueryParameter[] = ['limit', 'offset'].map((name) => ({
  name,
  schema: { type: 'integer', minimum: 0, maximum: LIMITS.unsignedMax },
}));

/** Reads `limit` and `offset`. Errors: `TESSERA_INVALID_ARGUMENT`. */
export function readPage(call: RouteCall<unknown>): Page {
  return { limit: readCount(call, 'limit'), offset: readCount(call, 'offset') ?? 0 };
}

function readCount(call: RouteCall<unknown>, name: string): number | null {
  const text = call.query(name);
  if (text === undefined) return null;
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= LIMITS.unsignedMax) return value;
  throw invalidQuery(`${name}: expected an unsigned 32-bit integer, got ${JSON.stringify(text)}`);
}

/** An error in the query string. */
export function invalidQuery(reason: string): DatabaseError {
  const message = `Failed to deserialize query string: ${reason}`;
  return new DatabaseError('TESSERA_INVALID_ARGUMENT', message);
}
