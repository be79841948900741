/**
 * Routes about collections. `GET` and `DELETE` name them by name, `PUT` and everything about records by UUID.
 */
import {
  type CollectionChanges,
  type CollectionInfo,
  type CollectionInput,
  checkName,
  encodeCollectionMetadata,
  formatConfiguration,
  isJsonObject,
  parseConfiguration,
  parseConfigurationUpdate,
  parseSchema,
  wrongType,
} from '../../api/index.ts';
import { DatabaseError, formatJson, type JsonValue } from '../../base/index.ts';
import { NOTHING, ok } from '../answer.ts';
import { bodyRoute, plainRoute, type Route } from '../route.ts';
import {
  type CreateCollectionBody,
  createCollectionBody,
  forkBody,
  readNewName,
  type UpdateCollectionBody,
  updateCollectionBody,
} from './schemas.ts';
import {
  COLLECTION_PATH,
  DATABASE_PATH,
  PAGE_PARAMETERS,
  readCollectionId,
  readCollectionScope,
  readDatabaseScope,
  readPage,
} from './scope.ts';

const COLLECTIONS_PATH = `${DATABASE_PATH}/collections`;

/** Chroma's sentence where an id is what is asked for; elsewhere it has another. */
const INVALID_ID = 'Validation error: collection_id: Invalid collection ID format, expected UUID';

/**
 * A collection as clients read it. The log position and the version are a cluster's and stay 0, as in Chroma.
 */
export function formatCollection(info: CollectionInfo): string {
  const configuration = formatJson(formatConfiguration(info.configuration));
  const schema = formatJson(info.schema as unknown as JsonValue);
  return (
    `{"id":${JSON.stringify(info.id)},"name":${JSON.stringify(info.name)},` +
    `"configuration_json":${configuration},"schema":${schema},"metadata":${info.metadata ?? 'null'},"dimension":${info.dimension},` +
    `"tenant":${JSON.stringify(info.tenant)},"database":${JSON.stringify(info.database)},` +
    '"log_position":0,"version":0}'
  );
}

function readInput(body: CreateCollectionBody): CollectionInput {
  checkName(body.name);
  if (isJsonObject(body.metadata)) {
    const nullKey = Object.entries(body.metadata).find(([, value]) => value === null)?.[0];
    if (nullKey !== undefined) {
      throw wrongType(
        `metadata.${nullKey}`,
        'a string, a number or a boolean',
        null,
        'TESSERA_INVALID_METADATA',
      );
    }
  }
  const metadata = encodeCollectionMetadata(body.metadata);
  const { schema, configuration } = parseSchema(
    body.schema,
    parseConfiguration(body.configuration, metadata),
  );
  return { name: body.name, metadata, configuration, schema, getOrCreate: body.get_or_create };
}

function readChanges(body: UpdateCollectionBody): CollectionChanges {
  const { new_name: name, new_metadata: metadata, new_configuration: configuration } = body;
  if (name !== null) checkName(name, 'Validation error: new_name: ');
  return {
    name: name ?? undefined,
    metadata: metadata === null ? undefined : encodeCollectionMetadata(metadata, 'new_metadata'),
    configuration: configuration === null ? undefined : parseConfigurationUpdate(configuration),
  };
}

/** Create, list, count, get, update and delete. */
export const COLLECTION_ROUTES: readonly Route[] = [
  plainRoute(
    {
      method: 'GET',
      path: `${DATABASE_PATH}/collections_count`,
      operation: 'count_collections',
      tag: 'Collection',
      summary: 'How many collections a database has',
    },
    {
      statuses: [200, 400],
      respond: async (call) =>
        ok(String(await call.backend.countCollections(readDatabaseScope(call), call.options))),
    },
  ),
  plainRoute(
    {
      method: 'GET',
      path: COLLECTIONS_PATH,
      operation: 'list_collections',
      tag: 'Collection',
      summary: 'The collections of a database by UUID',
    },
    {
      statuses: [200, 400],
      parameters: PAGE_PARAMETERS,
      respond: async (call) => {
        const scope = readDatabaseScope(call);
        const collections = await call.backend.listCollections(scope, readPage(call), call.options);
        return ok(`[${collections.map(formatCollection).join(',')}]`);
      },
    },
  ),
  bodyRoute(
    {
      method: 'POST',
      path: COLLECTIONS_PATH,
      operation: 'create_collection',
      tag: 'Collection',
      summary: 'Creates a collection, or gets the one of that name',
    },
    {
      statuses: [200, 400, 409],
      body: createCollectionBody,
      respond: async (call) => {
        const scope = readDatabaseScope(call);
        return ok(
          formatCollection(await call.backend.createCollection(scope, readInput(call.body), call.options)),
        );
      },
    },
  ),
  plainRoute(
    {
      method: 'GET',
      path: `${COLLECTIONS_PATH}/by-id/:collection_id`,
      operation: 'get_collection_by_id',
      tag: 'Collection',
      summary: 'A collection by its UUID',
    },
    {
      statuses: [200, 400, 404],
      respond: async (call) => {
        const scope = readCollectionScope(call, INVALID_ID);
        return ok(formatCollection(await call.backend.getCollectionById(scope, call.options)));
      },
    },
  ),
  plainRoute(
    {
      method: 'GET',
      path: COLLECTION_PATH,
      operation: 'get_collection',
      tag: 'Collection',
      summary: 'A collection by its name',
    },
    {
      statuses: [200, 400, 404],
      respond: async (call) => {
        const name = call.param('collection_id');
        return ok(
          formatCollection(await call.backend.getCollection(readDatabaseScope(call), name, call.options)),
        );
      },
    },
  ),
  bodyRoute(
    {
      method: 'PUT',
      path: COLLECTION_PATH,
      operation: 'update_collection',
      tag: 'Collection',
      summary: 'Renames a collection, replaces its metadata or changes its configuration',
    },
    {
      statuses: [200, 400, 404, 409],
      body: updateCollectionBody,
      respond: async (call) => {
        const scope = readCollectionScope(call);
        await call.backend.updateCollection(scope, readChanges(call.body), call.options);
        return NOTHING;
      },
    },
  ),
  bodyRoute(
    {
      method: 'POST',
      path: `${COLLECTION_PATH}/fork`,
      operation: 'fork_collection',
      tag: 'Collection',
      summary: 'Copies a collection as it is now under another name',
    },
    {
      statuses: [200, 400, 404, 409],
      isLong: true,
      body: forkBody,
      respond: async (call) => {
        const scope = readCollectionScope(call);
        const name = readNewName(call.body);
        return ok(formatCollection(await call.backend.fork(scope, name, call.options)));
      },
    },
  ),
  plainRoute(
    {
      method: 'GET',
      path: `${COLLECTION_PATH}/fork_count`,
      operation: 'fork_count',
      tag: 'Collection',
      summary: 'How many forks the family of a collection has',
    },
    {
      statuses: [200, 400, 404],
      respond: async (call) =>
        ok(`{"count":${await call.backend.countForks(readCollectionScope(call), call.options)}}`),
    },
  ),
  plainRoute(
    {
      method: 'DELETE',
      path: COLLECTION_PATH,
      operation: 'delete_collection',
      tag: 'Collection',
      summary: 'Deletes a collection by its name',
    },
    {
      statuses: [200, 400, 404],
      respond: async (call) => {
        const name = call.param('collection_id');
        await call.backend.deleteCollection(readDatabaseScope(call), name, call.options);
        return NOTHING;
      },
    },
  ),
  plainRoute(
    {
      method: 'GET',
      path: '/api/v2/collections/by-id/:collection_id',
      operation: 'find_collection',
      tag: 'Collection',
      summary: 'A collection by its UUID alone, with its tenant and database',
    },
    {
      statuses: [200, 400, 404],
      respond: async (call) => {
        const id = readCollectionId(call, INVALID_ID);
        return ok(formatCollection(await call.backend.findCollection(id, call.options)));
      },
    },
  ),
  plainRoute(
    {
      method: 'GET',
      path: '/api/v2/collections/:crn',
      operation: 'get_collection_by_crn',
      tag: 'Collection',
      summary: 'A collection by its resource name: tenant, database and name',
    },
    {
      statuses: [200, 400, 404],
      respond: async (call) => {
        const { tenant, database, name } = readResourceName(call.param('crn'));
        return ok(
          formatCollection(await call.backend.getCollection({ tenant, database }, name, call.options)),
        );
      },
    },
  ),
];

/**
 * The parts of a resource name. Tenants have no resource names of their own here: a tenant's name is its own.
 */
function readResourceName(crn: string): { tenant: string; database: string; name: string } {
  const [tenant, database, name, ...rest] = crn.split(':');
  if (tenant && database && name && rest.length === 0) return { tenant, database, name };
  const form = '<tenant_resource_name>:<database_name>:<collection_name> with non-empty parts';
  const message = `Validation error: crn: CRN must be in the format ${form}`;
  throw new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { crn } });
}
