/** Routes of the API v1 about the server itself, tenants and databases. */
import { checkName, checkTenantName } from '../../api/index.ts';
import { ok } from '../answer.ts';
import { bodyRoute, plainRoute, type Route, type RouteCall } from '../route.ts';
import { nameBody } from '../v2/schemas.ts';
import { DATABASE_PARAMETERS, ROOT_PATH, readTenant } from './scope.ts';

/** The last release of Chroma whose server spoke this API. */
const PROTOCOL_VERSION = '0.6.3';
const TENANT_PARAMETERS = DATABASE_PARAMETERS.filter(({ name }) => name === 'tenant');

async function heartbeat({ backend, options }: RouteCall<unknown>) {
  return ok(`{"nanosecond heartbeat":${await backend.heartbeat(options)}}`);
}

const heartbeatRoute = (path: string, operation: string): Route =>
  plainRoute(
    { method: 'GET', path, operation, tag: 'v1', summary: 'The time, in nanoseconds since 1970' },
    { statuses: [200], audience: 'anyone', respond: heartbeat },
  );

/** Heartbeat, version, limits, reset, tenants and databases. */
export const SYSTEM_ROUTES: readonly Route[] = [
  heartbeatRoute(ROOT_PATH, 'v1_root'),
  heartbeatRoute(`${ROOT_PATH}/heartbeat`, 'v1_heartbeat'),
  plainRoute(
    {
      method: 'GET',
      path: `${ROOT_PATH}/version`,
      operation: 'v1_version',
      tag: 'v1',
      summary: 'The version of the protocol',
    },
    {
      statuses: [200],
      audience: 'anyone',
      respond: async () => ok(JSON.stringify(PROTOCOL_VERSION)),
    },
  ),
  plainRoute(
    {
      method: 'GET',
      path: `${ROOT_PATH}/pre-flight-checks`,
      operation: 'v1_pre_flight_checks',
      tag: 'v1',
      summary: 'What clients ask before the first write',
    },
    {
      statuses: [200],
      respond: async ({ backend, options }) => {
        const { batchSizeMax } = await backend.limits(options);
        return ok(JSON.stringify({ max_batch_size: batchSizeMax }));
      },
    },
  ),
  plainRoute(
    {
      method: 'POST',
      path: `${ROOT_PATH}/reset`,
      operation: 'v1_reset',
      tag: 'v1',
      summary: 'Deletes everything, if the server was started so that it may',
    },
    {
      statuses: [200, 403],
      respond: async ({ backend, options }) => {
        await backend.reset(options);
        return ok('true');
      },
    },
  ),
  bodyRoute(
    {
      method: 'POST',
      path: `${ROOT_PATH}/tenants`,
      operation: 'v1_create_tenant',
      tag: 'v1',
      summary: 'Creates a tenant',
    },
    {
      statuses: [200, 400, 409],
      body: nameBody,
      respond: async ({ backend, body, options }) => {
        checkTenantName(body.name);
        await backend.createTenant(body.name, options);
        return ok('null');
      },
    },
  ),
  plainRoute(
    {
      method: 'GET',
      path: `${ROOT_PATH}/tenants/:tenant`,
      operation: 'v1_get_tenant',
      tag: 'v1',
      summary: 'A tenant',
    },
    {
      statuses: [200, 404],
      respond: async ({ backend, param, options }) => {
        const { name } = await backend.getTenant(param('tenant'), options);
        return ok(JSON.stringify({ name }));
      },
    },
  ),
  bodyRoute(
    {
      method: 'POST',
      path: `${ROOT_PATH}/databases`,
      operation: 'v1_create_database',
      tag: 'v1',
      summary: 'Creates a database',
    },
    {
      statuses: [200, 400, 409],
      parameters: TENANT_PARAMETERS,
      body: nameBody,
      respond: async (call) => {
        checkName(call.body.name, '');
        const scope = { tenant: readTenant(call), database: call.body.name };
        await call.backend.createDatabase(scope, call.options);
        return ok('null');
      },
    },
  ),
  plainRoute(
    {
      method: 'GET',
      path: `${ROOT_PATH}/databases/:database`,
      operation: 'v1_get_database',
      tag: 'v1',
      summary: 'A database',
    },
    {
      statuses: [200, 404],
      parameters: TENANT_PARAMETERS,
      respond: async (call) => {
        const scope = { tenant: readTenant(call), database: call.param('database') };
        const { id, name, tenant } = await call.backend.getDatabase(scope, call.options);
        return ok(JSON.stringify({ id, name, tenant }));
      },
    },
  ),
];
