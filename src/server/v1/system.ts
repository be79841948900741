/** Routes of the API v1 about the server itself, tenants and databases. */
import { checkName, checkTenantName } from '../../api/index.ts';
import { ok } from '../answer.ts';
import { bodyRoute, plainRoute, type Route } from '../route.ts';
import { nameBody } from '../v2/schemas.ts';
import { heartbeatRoute, resetRoute } from '../v2/system.ts';
import { DATABASE_PARAMETERS, heading, readTenant } from './scope.ts';

/** The last release of Chroma whose server spoke this API. */
const PROTOCOL_VERSION = '0.6.3';
const TENANT_PARAMETERS = DATABASE_PARAMETERS.filter(({ name }) => name === 'tenant');

/** Heartbeat, version, limits, reset, tenants and databases. */
export const SYSTEM_ROUTES: readonly Route[] = [
  heartbeatRoute({ path: '/api/v1', operation: 'v1_root', tag: 'v1' }),
  heartbeatRoute({ path: '/api/v1/heartbeat', operation: 'v1_heartbeat', tag: 'v1' }),
  plainRoute(heading('GET', '/version', 'version', 'The version of the protocol'), {
    statuses: [200],
    audience: 'anyone',
    respond: async () => ok(JSON.stringify(PROTOCOL_VERSION)),
  }),
  plainRoute(
    heading('GET', '/pre-flight-checks', 'pre_flight_checks', 'What clients ask before the first write'),
    {
      statuses: [200],
      respond: async ({ backend, options }) => {
        const { batchSizeMax } = await backend.limits(options);
        return ok(JSON.stringify({ max_batch_size: batchSizeMax }));
      },
    },
  ),
  resetRoute({ path: '/api/v1/reset', operation: 'v1_reset', tag: 'v1' }),
  bodyRoute(heading('POST', '/tenants', 'create_tenant', 'Creates a tenant'), {
    statuses: [200, 400, 409],
    body: nameBody,
    respond: async ({ backend, body, options }) => {
      checkTenantName(body.name);
      await backend.createTenant(body.name, options);
      return ok('null');
    },
  }),
  plainRoute(heading('GET', '/tenants/:tenant', 'get_tenant', 'A tenant'), {
    statuses: [200, 404],
    respond: async ({ backend, param, options }) => {
      const { name } = await backend.getTenant(param('tenant'), options);
      return ok(JSON.stringify({ name }));
    },
  }),
  bodyRoute(heading('POST', '/databases', 'create_database', 'Creates a database'), {
    statuses: [200, 400, 409],
    parameters: TENANT_PARAMETERS,
    body: nameBody,
    respond: async (call) => {
      checkName(call.body.name, '');
      const scope = { tenant: readTenant(call), database: call.body.name };
      await call.backend.createDatabase(scope, call.options);
      return ok('null');
    },
  }),
  plainRoute(heading('GET', '/databases/:database', 'get_database', 'A database'), {
    statuses: [200, 404],
    parameters: TENANT_PARAMETERS,
    respond: async (call) => {
      const scope = { tenant: readTenant(call), database: call.param('database') };
      const { id, name, tenant } = await call.backend.getDatabase(scope, call.options);
      return ok(JSON.stringify({ id, name, tenant }));
    },
  }),
];
