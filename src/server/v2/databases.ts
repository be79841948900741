/** Routes about databases. */
import { checkName, type DatabaseInfo } from '../../api/index.ts';
import { NOTHING, ok } from '../answer.ts';
import { bodyRoute, plainRoute, type Route } from '../route.ts';
import { nameBody } from './schemas.ts';
import { DATABASE_PATH, PAGE_PARAMETERS, readDatabaseScope, readPage } from './scope.ts';

const DATABASES_PATH = '/api/v2/tenants/:tenant/databases';

function formatDatabase({ id, name, tenant }: DatabaseInfo): string {
  return JSON.stringify({ id, name, tenant });
}

/** Create, list, get and delete. */
export const DATABASE_ROUTES: readonly Route[] = [
  plainRoute(
    {
      method: 'GET',
      path: DATABASES_PATH,
      operation: 'list_databases',
      tag: 'Database',
      summary: 'The databases of a tenant by name',
    },
    {
      statuses: [200, 400],
      parameters: PAGE_PARAMETERS,
      respond: async (call) => {
        const databases = await call.backend.listDatabases(
          call.param('tenant'),
          readPage(call),
          call.options,
        );
        return ok(`[${databases.map(formatDatabase).join(',')}]`);
      },
    },
  ),
  bodyRoute(
    {
      method: 'POST',
      path: DATABASES_PATH,
      operation: 'create_database',
      tag: 'Database',
      summary: 'Creates a database',
    },
    {
      statuses: [200, 400, 409],
      body: nameBody,
      respond: async ({ backend, param, body, options }) => {
        checkName(body.name, '');
        await backend.createDatabase({ tenant: param('tenant'), database: body.name }, options);
        return NOTHING;
      },
    },
  ),
  plainRoute(
    {
      method: 'GET',
      path: DATABASE_PATH,
      operation: 'get_database',
      tag: 'Database',
      summary: 'A database',
    },
    {
      statuses: [200, 400, 404],
      respond: async (call) =>
        ok(formatDatabase(await call.backend.getDatabase(readDatabaseScope(call), call.options))),
    },
  ),
  plainRoute(
    {
      method: 'DELETE',
      path: DATABASE_PATH,
      operation: 'delete_database',
      tag: 'Database',
      summary: 'Deletes a database with its collections',
    },
    {
      statuses: [200, 400, 404],
      respond: async (call) => {
        await call.backend.deleteDatabase(readDatabaseScope(call), call.options);
        return NOTHING;
      },
    },
  ),
];
