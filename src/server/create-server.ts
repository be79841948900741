/**
 * The server as a function from a request to a response, over any `Backend`.
 *
 * Hono finds the route; everything else is ours: reading the body, calling the handler, turning errors into
 * answers, `404` and `405` with the empty bodies that Chroma gives them.
 */
import { type Context, Hono } from 'hono';
import { type Backend, LIMITS } from '../api/index.ts';
import { type Clock, DatabaseError, type Random, show, systemClock, systemRandom } from '../base/index.ts';
import type { Answer } from './answer.ts';
import { readJsonBody } from './body.ts';
import { answerFailure } from './failure.ts';
import { describeRoutes } from './openapi.ts';
import type { Route } from './route.ts';
import { V1_ROUTES } from './v1/routes.ts';
import { V2_ROUTES } from './v2/routes.ts';

/** What a server tells about a request it has answered, or about a fault of its own. */
export interface LogEntry {
  readonly level: 'error' | 'info' | 'debug';
  readonly event: string;
  readonly [detail: string]: string | number | boolean | null;
}

/** What a server can be told; every member has a default. */
export interface ServerOptions {
  /**
   * Receives one entry a request (`debug`), one a refused request (`info`) and one an unexpected error
   * (`error`).
   */
  readonly log?: (entry: LogEntry) => void;
  /** Largest request body in bytes. Default `LIMITS.bodyBytesMax`. */
  readonly bodyBytesMax?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A server that needs no socket. `fetch` never rejects. */
export interface Server {
  fetch(request: Request): Promise<Response>;
}

/** Chroma's trace header when nobody traces. */
const NO_TRACE = '0'.repeat(32);

/**
 * Serves the HTTP APIs v2 and v1, and `/openapi.json`, over a backend. The backend stays the caller's: to
 * open and to close. Errors: `TESSERA_INVALID_ARGUMENT` for what is no backend, such as a client.
 */
export function createServer(backend: Backend, options: ServerOptions = {}): Server {
  // Clients share most of their methods' names with backends, but not this one.
  if (typeof (backend as Partial<Backend> | null | undefined)?.limits !== 'function') {
    const message =
      'Expected a backend to serve, as await openDatabase({ path }) and await client.backend() give it, got ' +
      `${show(backend)}.`;
    throw new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { argument: 'backend' } });
  }
  const server = new RouteServer(backend, options);
  return { fetch: async (request) => server.application.fetch(request) };
}

class RouteServer {
  readonly application = new Hono();
  readonly #backend: Backend;
  readonly #log: (entry: LogEntry) => void;
  readonly #bodyBytesMax: number;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(backend: Backend, options: ServerOptions) {
    this.#backend = backend;
    this.#log = options.log ?? (() => {});
    this.#bodyBytesMax = options.bodyBytesMax ?? LIMITS.bodyBytesMax;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;

    const document = JSON.stringify(describeRoutes(V2_ROUTES));
    this.application.get('/openapi.json', () => respond({ status: 200, body: document }, NO_TRACE));
    const routes = [...V2_ROUTES, ...V1_ROUTES];
    for (const route of routes) {
      this.application.on(route.method, route.path, (context) => this.#answer(route, context));
    }
    // Registered last, these are reached by the methods that a path does not have.
    for (const [path, methods] of methodsByPath(routes)) {
      const headers = { allow: methods };
      this.application.all(path, () => new Response(null, { status: 405, headers }));
    }
    this.application.notFound(() => new Response(null, { status: 404 }));
  }

  async #answer(route: Route, context: Context): Promise<Response> {
    const began = this.#clock.monotonicMs();
    let trace = NO_TRACE;
    let answer: Answer;
    try {
      const request = context.req.raw;
      const body =
        route.body === null ? null : route.body.read(await readJsonBody(request, this.#bodyBytesMax), '');
      answer = await route.respond({
        backend: this.#backend,
        param: (name) => context.req.param(name) ?? '',
        query: (name) => context.req.query(name),
        header: (name) => context.req.header(name),
        body,
        options: {},
      });
    } catch (error) {
      const incidentId = (): string => {
        const id = this.#random.uuid();
        trace = id.replaceAll('-', '');
        return id;
      };
      answer = answerFailure(error, incidentId, route.nameFailure);
      this.#reportFailure(error, answer, trace);
    }
    const { method, path } = context.req;
    const ms = Math.round((this.#clock.monotonicMs() - began) * 1000) / 1000;
    const level = answer.status >= 400 ? 'info' : 'debug';
    this.#log({ level, event: 'request', method, path, status: answer.status, ms });
    return respond(answer, trace);
  }

  /** Faults of ours, and damage that somebody has to look at, whatever the client does about it. */
  #reportFailure(error: unknown, answer: Answer, trace: string): void {
    if (answer.status !== 500) return;
    const code = error instanceof DatabaseError ? error.code : null;
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log({ level: 'error', event: 'failure', trace, code, stack });
  }
}

function respond({ status, body }: Answer, trace: string): Response {
  return new Response(body, {
    status,
    headers: { 'content-type': 'application/json', 'chroma-trace-id': trace },
  });
}

function methodsByPath(routes: readonly Route[]): Map<string, string> {
  const methods = new Map<string, string[]>();
  for (const { path, method } of routes) {
    const known = methods.get(path) ?? [];
    methods.set(path, known);
    known.push(method, ...(method === 'GET' ? ['HEAD'] : []));
  }
  return new Map([...methods].map(([path, names]) => [path, names.join(',')]));
}
