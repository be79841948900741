/**
 * From a request to its reply, over any `Backend`. The order is that in which a request may be refused at the
 * least cost:
 *
 *   route → room for one more → who asks, and may they go there → body → handler
 *
 * Handlers reach data through a backend that asks the caller's grant (access/scoped-backend.ts) and bounds
 * what is answered (bounded-backend.ts). Errors become answers in failure.ts. `handle` never rejects.
 */
import type { Backend } from '../api/index.ts';
import { assert, type Clock, DatabaseError, type Random } from '../base/index.ts';
import type { Authenticator } from './access/authenticator.ts';
import type { Grant } from './access/grant.ts';
import { checkOperator, checkReach, ScopedBackend } from './access/scoped-backend.ts';
import type { Admission, Pass, ServerLimits } from './admission.ts';
import type { Answer } from './answer.ts';
import { readJsonBody } from './body.ts';
import { boundBackend } from './bounded-backend.ts';
import type { CrossOrigin } from './cors.ts';
import type { Incoming, Reply } from './exchange.ts';
import { answerFailure } from './failure.ts';
import type { LogEntry } from './log-entry.ts';
import type { Route } from './route.ts';
import { RouteTable } from './router.ts';
import { parseTraceparent, type TraceContext } from './tracing/trace-context.ts';

/** What became of a request, for those who keep count. */
export interface Answered {
  readonly method: string;
  readonly route: Route;
  readonly path: string;
  readonly status: number;
  /** The trace that it belongs to; `null` where nobody traces. */
  readonly trace: TraceContext | null;
  /** On the clock's monotonic time: when it came, when its body was read, and when the answer was there. */
  readonly beganMs: number;
  readonly readMs: number;
  readonly endedMs: number;
  readonly caller: string | null;
  /** A parameter of the path. */
  readonly param: (name: string) => string;
}

/** Parts that a server is made of. */
export interface ServerParts {
  readonly backend: Backend;
  readonly routes: readonly Route[];
  readonly limits: ServerLimits;
  readonly access: Authenticator | null;
  readonly crossOrigin: CrossOrigin;
  readonly log: (entry: LogEntry) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly admission: Admission;
  /** Begins a trace for a request that brings none. */
  readonly beginTrace: () => TraceContext | null;
  readonly onAnswered: (answered: Answered) => void;
}

/** Chroma's trace header when nobody traces. */
const NO_TRACE = '0'.repeat(32);
/** What a client may call its request: what fits into a log and a header. */
const REQUEST_ID = /^[\w.:/+=-]{1,128}$/;

/** One request on its way. */
interface Exchange {
  readonly incoming: Incoming;
  readonly id: string;
  readonly path: string;
  readonly query: (name: string) => string | undefined;
  readonly trace: TraceContext | null;
  readonly beganMs: number;
  readMs: number;
  grant: Grant | null;
  isRefused: boolean;
  /** The id of an unexpected error. */
  incident: string | null;
}

/** See the top of this file. */
export class RouteServer {
  readonly #parts: ServerParts;
  readonly #table: RouteTable;
  readonly #backend: Backend;
  readonly #scoped = new WeakMap<Grant, Backend>();
  readonly #idPrefix: string;
  #requestCount = 0;

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#table = new RouteTable(parts.routes);
    this.#backend = boundBackend(parts.backend, parts.limits);
    this.#idPrefix = parts.random.uuid().slice(0, 8);
  }

  /** Answers one request. */
  async handle(incoming: Incoming): Promise<Reply> {
    try {
      return await this.#handle(incoming);
    } catch (error) {
      // Beyond the handlers nothing should fail; if it does, a log of somebody's, it must not end the
      // process.
      return this.#collapse(error);
    }
  }

  async #handle(incoming: Incoming): Promise<Reply> {
    const { crossOrigin } = this.#parts;
    const preflight = crossOrigin.preflight(incoming);
    if (preflight !== null) return preflight;
    const exchange = this.#begin(incoming);
    const ownHeaders = { 'x-request-id': exchange.id, ...crossOrigin.headersFor(incoming) };
    const match = this.#table.find(incoming.method, exchange.path);
    if (match.route === null) {
      const { allow } = match;
      const status = allow === null ? 404 : 405;
      const { id, path } = exchange;
      this.#parts.log({
        level: 'info',
        event: 'request',
        request: id,
        method: incoming.method,
        path,
        status,
      });
      return { status, headers: allow === null ? ownHeaders : { ...ownHeaders, allow }, body: null };
    }
    const answer = await this.#answer(exchange, match.route, match.param);
    this.#report(exchange, match.route, match.param, answer.status);
    return {
      status: answer.status,
      headers: {
        'content-type': answer.contentType ?? 'application/json',
        'chroma-trace-id': exchange.trace?.traceId ?? exchange.incident ?? NO_TRACE,
        ...ownHeaders,
        ...answer.headers,
      },
      body: answer.body,
    };
  }

  #collapse(error: unknown): Reply {
    const id = this.#parts.random.uuid();
    const { status, body } = answerFailure(error, () => id);
    try {
      this.#parts.log({
        level: 'error',
        event: 'failure',
        trace: id.replaceAll('-', ''),
        stack: stackOf(error),
      });
    } catch {
      // It was the log.
    }
    return { status, headers: { 'content-type': 'application/json' }, body };
  }

  #begin(incoming: Incoming): Exchange {
    const { target } = incoming;
    const mark = target.indexOf('?');
    const beganMs = this.#parts.clock.monotonicMs();
    return {
      incoming,
      id: this.#requestId(incoming.header('x-request-id')),
      path: mark < 0 ? target : target.slice(0, mark),
      query: mark < 0 ? () => undefined : queryReader(target.slice(mark + 1)),
      trace: parseTraceparent(incoming.header('traceparent')) ?? this.#parts.beginTrace(),
      beganMs,
      readMs: beganMs,
      grant: null,
      isRefused: false,
      incident: null,
    };
  }

  /** The client's own where it gives one, so that it finds its request in our log. */
  #requestId(given: string | null): string {
    if (given !== null && REQUEST_ID.test(given)) return given;
    this.#requestCount++;
    return `${this.#idPrefix}-${this.#requestCount.toString(36)}`;
  }

  async #answer(exchange: Exchange, route: Route, param: (name: string) => string): Promise<Answer> {
    let pass: Pass | null = null;
    try {
      // What says whether the server lives must not depend on how much it has to do.
      if (route.audience !== 'anyone') pass = this.#parts.admission.enter();
      await this.#admit(exchange, route, param);
      return await this.#call(exchange, route, param, pass);
    } catch (error) {
      return this.#fail(exchange, route, error);
    } finally {
      pass?.leave();
    }
  }

  /** Finds out who asks, and whether they may go where the path leads. */
  async #admit(exchange: Exchange, route: Route, param: (name: string) => string): Promise<void> {
    const { access } = this.#parts;
    if (access === null || route.audience === 'anyone') return;
    const { incoming, query } = exchange;
    const found = access.identify({
      authorization: incoming.header('authorization'),
      chromaToken: incoming.header('x-chroma-token'),
    });
    exchange.grant = found instanceof Promise ? await found : found;
    if (route.audience === 'operators') {
      checkOperator(exchange.grant);
      return;
    }
    // In the API v1 the query string names tenant and database; where nothing does, the methods ask.
    const named = (name: string): string | null => param(name) || query(name) || null;
    checkReach(exchange.grant, named('tenant'), named('database'));
  }

  /** The data as a caller sees it. */
  #backendOf(grant: Grant | null): Backend {
    if (grant === null) return this.#backend;
    let scoped = this.#scoped.get(grant);
    if (scoped === undefined) {
      scoped = new ScopedBackend(this.#backend, grant);
      this.#scoped.set(grant, scoped);
    }
    return scoped;
  }

  async #call(
    exchange: Exchange,
    route: Route,
    param: (name: string) => string,
    pass: Pass | null,
  ): Promise<Answer> {
    const { limits, clock } = this.#parts;
    const { incoming, query } = exchange;
    let body: unknown = null;
    if (route.body !== null) {
      assert(pass !== null, 'A route that is open to anyone takes no body.');
      body = route.body.read(await readJsonBody(incoming, pass, limits.bodyBytesMax), '');
    }
    exchange.readMs = clock.monotonicMs();
    const backend = this.#backendOf(exchange.grant);
    const controller = new AbortController();
    incoming.onGone(() => controller.abort());
    const call = route.respond({
      backend,
      param,
      query,
      header: (name) => incoming.header(name) ?? undefined,
      body,
      options: { signal: controller.signal },
    });
    return route.isLong === true || limits.callMs === 0 ? call : within(limits.callMs, call, controller);
  }

  #fail(exchange: Exchange, route: Route, error: unknown): Answer {
    const incidentId = (): string => {
      const id = this.#parts.random.uuid();
      exchange.incident = id.replaceAll('-', '');
      return id;
    };
    const answer = answerFailure(error, incidentId, route.nameFailure);
    this.#reportFailure(exchange, error, answer);
    exchange.isRefused = error instanceof DatabaseError && isRefusal(error);
    const { access } = this.#parts;
    if (answer.status !== 401 || access === null) return answer;
    return { ...answer, headers: { 'www-authenticate': access.challenge } };
  }

  #report(exchange: Exchange, route: Route, param: (name: string) => string, status: number): void {
    const { clock, log, onAnswered } = this.#parts;
    const { incoming, id, path, trace, grant, isRefused, beganMs, readMs } = exchange;
    const { method } = incoming;
    const endedMs = clock.monotonicMs();
    const caller = grant?.name ?? null;
    onAnswered({ method, route, path, status, trace, beganMs, readMs, endedMs, caller, param });
    log({
      level: isRefused ? 'warn' : status >= 400 ? 'info' : 'debug',
      event: isRefused ? 'refused' : 'request',
      request: id,
      method,
      path,
      status,
      ms: Math.round((endedMs - beganMs) * 1000) / 1000,
      ...(caller === null ? {} : { caller }),
      ...(isRefused && incoming.remote !== null ? { remote: incoming.remote } : {}),
    });
  }

  /** Faults of ours, and damage that somebody has to look at, whatever the client does about it. */
  #reportFailure({ id, incident, trace: within }: Exchange, error: unknown, answer: Answer): void {
    if (answer.status !== 500) return;
    const code = error instanceof DatabaseError ? error.code : null;
    const trace = incident ?? NO_TRACE;
    const stack = stackOf(error);
    const caller = within === null ? {} : { within: within.traceId };
    this.#parts.log({ level: 'error', event: 'failure', request: id, trace, ...caller, code, stack });
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Credentials that are missing or wrong, or do not suffice. */
function isRefusal({ code, details }: DatabaseError): boolean {
  return code === 'TESSERA_UNAUTHORIZED' || (code === 'TESSERA_FORBIDDEN' && details['reason'] === 'access');
}

function queryReader(text: string): (name: string) => string | undefined {
  let parsed: URLSearchParams | null = null;
  return (name) => {
    parsed ??= new URLSearchParams(text);
    return parsed.get(name) ?? undefined;
  };
}

/** The answer of a call, or an error after so long; what has not begun by then is dropped. */
async function within(ms: number, call: Promise<Answer>, controller: AbortController): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `The call took longer than ${ms} ms and was given up. A write may still be stored.`;
      reject(new DatabaseError('TESSERA_TIMEOUT', message, { details: { ms } }));
      controller.abort();
    }, ms);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}
