/** Routes about the server itself. */
import { checkTenantName } from '../../api/index.ts';
import { NOTHING, ok } from '../answer.ts';
import { bodyRoute, type Heading, plainRoute, type Route } from '../route.ts';
import { nameBody, tenantUpdateBody } from './schemas.ts';

/**
 * What Chroma's servers say since their API v2; clients compare it to choose an API, so it is not our
 * release.
 */
const PROTOCOL_VERSION = '1.0.0';

/** Answers with the time. */
export function heartbeatRoute(heading: Omit<Heading, 'method' | 'summary'>): Route {
  return plainRoute(
    { ...heading, method: 'GET', summary: 'The time, in nanoseconds since 1970' },
    {
      statuses: [200],
      audience: 'anyone',
      respond: async ({ backend, options }) =>
        ok(`{"nanosecond heartbeat":${await backend.heartbeat(options)}}`),
    },
  );
}

/** Deletes everything. */
export function resetRoute(heading: Omit<Heading, 'method' | 'summary'>): Route {
  return plainRoute(
    {
      ...heading,
      method: 'POST',
      summary: 'Deletes everything, if the server was started so that it may',
    },
    {
      statuses: [200, 403],
      respond: async ({ backend, options }) => {
        await backend.reset(options);
        return ok('true');
      },
    },
  );
}

/** Heartbeat, health, version, limits, identity, reset, and tenants. */
export const SYSTEM_ROUTES: readonly Route[] = [
  heartbeatRoute({ path: '/api/v2', operation: 'root', tag: 'System' }),
  heartbeatRoute({ path: '/api/v2/heartbeat', operation: 'heartbeat', tag: 'System' }),
  plainRoute(
    {
      method: 'GET',
      path: '/api/v2/healthcheck',
      operation: 'healthcheck',
      tag: 'System',
      summary: 'Whether the database answers',
    },
    {
      statuses: [200],
      audience: 'anyone',
      respond: async ({ backend, options }) => {
        const isReady = await backend.heartbeat(options).then(
          () => true,
          () => false,
        );
        const body = JSON.stringify({ is_executor_ready: isReady, is_log_client_ready: isReady });
        return { status: isReady ? 200 : 503, body };
      },
    },
  ),
  plainRoute(
    {
      method: 'GET',
      path: '/api/v2/version',
      operation: 'version',
      tag: 'System',
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
      path: '/api/v2/pre-flight-checks',
      operation: 'pre_flight_checks',
      tag: 'System',
      summary: 'What clients ask before the first write',
    },
    {
      statuses: [200],
      respond: async ({ backend, options }) => {
        const { batchSizeMax } = await backend.limits(options);
        return ok(JSON.stringify({ max_batch_size: batchSizeMax, supports_base64_encoding: true }));
      },
    },
  ),
  plainRoute(
    {
      method: 'GET',
      path: '/api/v2/auth/identity',
      operation: 'get_user_identity',
      tag: 'Authentication',
      summary: 'Who the caller is',
    },
    {
      statuses: [200],
      respond: async ({ backend, options }) => {
        const { userId, tenant, databases } = await backend.identity(options);
        return ok(JSON.stringify({ user_id: userId, tenant, databases }));
      },
    },
  ),
  resetRoute({ path: '/api/v2/reset', operation: 'reset', tag: 'System' }),
  bodyRoute(
    {
      method: 'POST',
      path: '/api/v2/tenants',
      operation: 'create_tenant',
      tag: 'Tenant',
      summary: 'Creates a tenant',
    },
    {
      statuses: [200, 400, 409],
      body: nameBody,
      respond: async ({ backend, body, options }) => {
        checkTenantName(body.name);
        await backend.createTenant(body.name, options);
        return NOTHING;
      },
    },
  ),
  plainRoute(
    {
      method: 'GET',
      path: '/api/v2/tenants/:tenant',
      operation: 'get_tenant',
      tag: 'Tenant',
      summary: 'A tenant',
    },
    {
      statuses: [200, 404],
      respond: async ({ backend, param, options }) => {
        const { name, resourceName } = await backend.getTenant(param('tenant'), options);
        return ok(JSON.stringify({ name, resource_name: resourceName }));
      },
    },
  ),
  bodyRoute(
    {
      method: 'PATCH',
      path: '/api/v2/tenants/:tenant',
      operation: 'update_tenant',
      tag: 'Tenant',
      summary: 'Accepted, and does nothing',
    },
    { statuses: [200], body: tenantUpdateBody, respond: async () => NOTHING },
  ),
];
