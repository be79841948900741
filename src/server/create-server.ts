/** The server as a function from a request to its answer, over any `Backend`. */
import type { Backend } from '../api/index.ts';
import { type Clock, DatabaseError, type Random, show, systemClock, systemRandom } from '../base/index.ts';
import type { Authenticator } from './access/authenticator.ts';
import { Admission, DEFAULT_SERVER_LIMITS, type ServerLimits } from './admission.ts';
import { completeCounts } from './complete-options.ts';
import { CrossOrigin } from './cors.ts';
import { documentRoutes } from './document-routes.ts';
import type { Incoming, Reply } from './exchange.ts';
import { incomingOf, responseOf } from './fetch-exchange.ts';
import type { LogEntry } from './log-entry.ts';
import { operationRoutes } from './operation-routes.ts';
import { RouteServer } from './route-server.ts';
import { ServerMetrics } from './server-metrics.ts';
import { spansOf } from './tracing/spans.ts';
import { beginTrace } from './tracing/trace-context.ts';
import type { TraceExporter } from './tracing/trace-exporter.ts';
import { V1_ROUTES } from './v1/routes.ts';
import { V2_ROUTES } from './v2/routes.ts';

/** What a server can be told; every member has a default. */
export interface ServerOptions {
  /**
   * Receives one entry a request (`debug`), one a request that failed (`info`), one for credentials that are
   * missing, wrong or do not suffice (`warn`), and one an unexpected error (`error`).
   */
  readonly log?: (entry: LogEntry) => void;
  /** Bounds; what is left out has its default. */
  readonly limits?: Partial<ServerLimits>;
  /** Who may come in; without it, everybody may. It stays the caller's, to change and to close. */
  readonly access?: Authenticator;
  /** Origins whose web pages may speak to the server; `*` for all. Default none. */
  readonly corsAllowOrigins?: readonly string[];
  /** Where spans go; without it, nobody traces. It stays the caller's, to close. */
  readonly traces?: TraceExporter;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A server that needs no socket. Neither method rejects. */
export interface Server {
  fetch(request: Request): Promise<Response>;
  /** The same for whatever carries requests; `listen` calls it. */
  handle(incoming: Incoming): Promise<Reply>;
}

/**
 * Serves the HTTP APIs v2 and v1, `/openapi.json`, `/docs`, `/metrics`, `/livez` and `/readyz` over a
 * backend. The backend stays the caller's: to open and to close. Errors: `TESSERA_INVALID_ARGUMENT` for what
 * is no backend, such as a client.
 */
export function createServer(backend: Backend, options: ServerOptions = {}): Server {
  // Clients share most of their methods' names with backends, but not this one.
  if (typeof (backend as Partial<Backend> | null | undefined)?.limits !== 'function') {
    const message =
      'Expected a backend to serve, as await openDatabase({ path }) and await client.backend() give it, got ' +
      `${show(backend)}.`;
    throw new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { argument: 'backend' } });
  }
  const limits = completeCounts(DEFAULT_SERVER_LIMITS, options.limits ?? {});
  const admission = new Admission(limits);
  const metrics = new ServerMetrics(admission);
  const clock = options.clock ?? systemClock;
  const { traces } = options;
  const server = new RouteServer({
    backend,
    routes: [...documentRoutes(V2_ROUTES), ...operationRoutes(metrics), ...V2_ROUTES, ...V1_ROUTES],
    limits,
    access: options.access ?? null,
    crossOrigin: new CrossOrigin(options.corsAllowOrigins ?? [], options.access !== undefined),
    log: options.log ?? (() => {}),
    clock,
    random: options.random ?? systemRandom,
    admission,
    beginTrace: traces === undefined ? () => null : beginTrace,
    onAnswered: (answered) => {
      metrics.observe(answered);
      traces?.take(spansOf(answered, clock.nowNs()));
    },
  });
  return {
    handle: (incoming) => server.handle(incoming),
    fetch: async (request) => responseOf(await server.handle(incomingOf(request)), request.method),
  };
}
