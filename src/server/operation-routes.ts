/**
 * Routes for those who run the server, in no version of the API: is it alive, is it ready, how does it fare.
 */
import { DEFAULT_TENANT } from '../api/index.ts';
import { plainRoute, type Route } from './route.ts';
import type { ServerMetrics } from './server-metrics.ts';

const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8';

const text = (status: number, body: string) => ({ status, body, contentType: 'text/plain; charset=utf-8' });

/** `/livez`, `/readyz` and `/metrics`. */
export function operationRoutes(metrics: ServerMetrics): readonly Route[] {
  return [
    plainRoute(
      {
        method: 'GET',
        path: '/livez',
        operation: 'livez',
        tag: 'Operation',
        summary: 'Whether the process answers at all; if not, start it anew',
      },
      { statuses: [200], audience: 'anyone', respond: async () => text(200, 'ok\n') },
    ),
    plainRoute(
      {
        method: 'GET',
        path: '/readyz',
        operation: 'readyz',
        tag: 'Operation',
        summary: 'Whether the database can be read; if not, send requests elsewhere',
      },
      {
        statuses: [200, 503],
        audience: 'anyone',
        respond: async ({ backend, options }) => {
          const isReady = await backend.listDatabases(DEFAULT_TENANT, { limit: 1, offset: 0 }, options).then(
            () => true,
            () => false,
          );
          return isReady ? text(200, 'ready\n') : text(503, 'not ready\n');
        },
      },
    ),
    plainRoute(
      {
        method: 'GET',
        path: '/metrics',
        operation: 'metrics',
        tag: 'Operation',
        summary: 'Figures for Prometheus',
      },
      {
        statuses: [200, 401, 403],
        audience: 'operators',
        respond: async ({ backend }) => ({
          status: 200,
          body: await metrics.write(backend),
          contentType: PROMETHEUS_TEXT,
        }),
      },
    ),
  ];
}
