/**
 * Routes as data: one table registers the handlers, describes them in `openapi.json` and is walked by the
 * tests.
 */
import type { Backend, CallOptions } from '../api/index.ts';
import type { Answer } from './answer.ts';
import type { JsonSchema, Shape } from './shape.ts';

/** Methods of the protocol. `HEAD` is answered wherever `GET` is. */
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A parameter of the query string; all are optional. */
export interface QueryParameter {
  readonly name: string;
  readonly schema: JsonSchema;
}

/** What a handler is given. `body` is what the route's shape read. */
export interface RouteCall<Body> {
  readonly backend: Backend;
  /** A part of the path, percent-decoded; the route's path must name it. */
  param(name: string): string;
  /** A parameter of the query string; `undefined` when it is absent. */
  query(name: string): string | undefined;
  /** A header of the request; `undefined` when it is absent. */
  header(name: string): string | undefined;
  readonly body: Body;
  readonly options: CallOptions;
}

/** One route. */
export interface Route {
  readonly method: Method;
  /** With parameters as `:name`. */
  readonly path: string;
  readonly operation: string;
  readonly tag: string;
  readonly summary: string;
  /** Statuses that this route answers besides those every route may (413, 415, 500, 503). */
  readonly statuses: readonly number[];
  readonly parameters: readonly QueryParameter[];
  readonly body: Shape<unknown> | null;
  /** What the API that the route belongs to calls an error; `null` for its usual name. */
  readonly nameFailure?: (error: unknown) => string | null;
  /** Who may ask where keys are wanted: anyone, or who may know about the whole server; else any key. */
  readonly audience?: 'anyone' | 'operators';
  /** Whether its call may take as long as it takes. */
  readonly isLong?: boolean;
  respond(call: RouteCall<unknown>): Promise<Answer>;
}

/** A route without a body. */
export interface PlainRoute extends Partial<Pick<Route, 'parameters' | 'audience' | 'isLong'>> {
  readonly statuses: readonly number[];
  readonly respond: (call: RouteCall<null>) => Promise<Answer>;
}

/** A route with a body; the shape's type is what `respond` finds in `call.body`. */
export interface BodyRoute<Body> extends Partial<Pick<Route, 'parameters' | 'isLong'>> {
  readonly statuses: readonly number[];
  readonly body: Shape<Body>;
  readonly respond: (call: RouteCall<Body>) => Promise<Answer>;
}

/** What names and places a route. */
export type Heading = Pick<Route, 'method' | 'path' | 'operation' | 'tag' | 'summary'>;

/** Makes a route that takes no body. */
export function plainRoute(heading: Heading, route: PlainRoute): Route {
  return {
    ...heading,
    parameters: [],
    body: null,
    ...route,
    respond: (call) => route.respond(call as RouteCall<null>),
  };
}

/** Makes a route that takes a JSON body. */
export function bodyRoute<Body>(heading: Heading, route: BodyRoute<Body>): Route {
  return { ...heading, parameters: [], ...route, respond: (call) => route.respond(call as RouteCall<Body>) };
}
