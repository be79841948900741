/**
 * Routes of the API v1 about collections.
 *
 * What a collection looks like depends on who asks. Clients of Chroma 0.4 hand all members of a listed
 * collection to a constructor that knows few of them and fails on any other, while those of 0.5 and 0.6 fail
 * without the rest. The former use Python's `requests` and are told by it; before 0.4.15 there were no
 * tenants, and clients send none.
 */
import {
  type CollectionInfo,
  type CollectionInput,
  checkName,
  encodeCollectionMetadata,
  isJsonObject,
  parseSchema,
} from '../../api/index.ts';
import { ok } from '../answer.ts';
import { bodyRoute, plainRoute, type Route, type RouteCall } from '../route.ts';
import { createCollectionBody, updateCollectionBody } from '../v2/schemas.ts';
import { PAGE_PARAMETERS, readPage } from '../v2/scope.ts';
import { formatInternalConfiguration, readConfiguration } from './configuration.ts';
import { COLLECTION_PATH, DATABASE_PARAMETERS, findScope, heading, readDatabaseScope } from './scope.ts';

function formatCollection(info: CollectionInfo, call: RouteCall<unknown>): string {
  const { id, name, metadata, tenant, database } = info;
  const least = `{"id":${JSON.stringify(id)},"name":${JSON.stringify(name)},"metadata":${metadata ?? 'null'}`;
  const isOld = /^python-requests\//.test(call.header('user-agent') ?? '');
  if (isOld && call.query('tenant') === undefined) return `${least}}`;
  const placed = `${least},"tenant":${JSON.stringify(tenant)},"database":${JSON.stringify(database)}`;
  if (isOld) return `${placed}}`;
  const configuration = formatInternalConfiguration(info.configuration);
  return `${placed},"dimension":${info.dimension},"configuration_json":${configuration},"version":0,"log_position":0}`;
}

/** Metadata of a collection. An empty object, which old clients in several languages send, is none. */
function readMetadata(value: unknown, field?: string): string | null {
  const isEmpty = isJsonObject(value) && Object.keys(value).length === 0;
  return isEmpty ? null : encodeCollectionMetadata(value, field);
}

interface NewCollection {
  readonly name: string;
  readonly metadata: unknown;
  readonly configuration: unknown;
  readonly get_or_create: boolean;
}

function readInput(body: NewCollection): CollectionInput {
  checkName(body.name, '');
  const metadata = readMetadata(body.metadata);
  const { schema, configuration } = parseSchema(null, readConfiguration(body.configuration, metadata));
  return { name: body.name, metadata, configuration, schema, getOrCreate: body.get_or_create };
}

/** Create, list, count, get, update and delete. */
export const COLLECTION_ROUTES: readonly Route[] = [
  plainRoute(
    heading('GET', '/count_collections', 'count_collections', 'How many collections a database has'),
    {
      statuses: [200],
      parameters: DATABASE_PARAMETERS,
      respond: async (call) =>
        ok(String(await call.backend.countCollections(readDatabaseScope(call), call.options))),
    },
  ),
  plainRoute(heading('GET', '/collections', 'list_collections', 'The collections of a database'), {
    statuses: [200, 400],
    parameters: [...DATABASE_PARAMETERS, ...PAGE_PARAMETERS],
    respond: async (call) => {
      const scope = readDatabaseScope(call);
      const collections = await call.backend.listCollections(scope, readPage(call), call.options);
      return ok(`[${collections.map((info) => formatCollection(info, call)).join(',')}]`);
    },
  }),
  bodyRoute(
    heading(
      'POST',
      '/collections',
      'create_collection',
      'Creates a collection, or gets the one of that name',
    ),
    {
      statuses: [200, 400, 409],
      parameters: DATABASE_PARAMETERS,
      body: createCollectionBody,
      respond: async (call) => {
        const scope = readDatabaseScope(call);
        const info = await call.backend.createCollection(scope, readInput(call.body), call.options);
        return ok(formatCollection(info, call));
      },
    },
  ),
  plainRoute(heading('GET', COLLECTION_PATH, 'get_collection', 'A collection by its name'), {
    statuses: [200, 404],
    parameters: DATABASE_PARAMETERS,
    respond: async (call) => {
      const name = call.param('collection');
      const info = await call.backend.getCollection(readDatabaseScope(call), name, call.options);
      return ok(formatCollection(info, call));
    },
  }),
  bodyRoute(
    heading('PUT', COLLECTION_PATH, 'update_collection', 'Renames a collection or replaces its metadata'),
    {
      statuses: [200, 400, 404, 409],
      body: updateCollectionBody,
      respond: async (call) => {
        const scope = await findScope(call);
        const { new_name: name, new_metadata: metadata } = call.body;
        if (name !== null) checkName(name, '');
        const changes = {
          name: name ?? undefined,
          metadata: metadata === null ? undefined : readMetadata(metadata, 'new_metadata'),
        };
        await call.backend.updateCollection(scope, changes, call.options);
        return ok('null');
      },
    },
  ),
  plainRoute(heading('DELETE', COLLECTION_PATH, 'delete_collection', 'Deletes a collection by its name'), {
    statuses: [200, 404],
    parameters: DATABASE_PARAMETERS,
    respond: async (call) => {
      await call.backend.deleteCollection(readDatabaseScope(call), call.param('collection'), call.options);
      return ok('null');
    },
  }),
];
