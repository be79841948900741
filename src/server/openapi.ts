/** The OpenAPI 3.1 document, made from the route table that registers the routes. */
import { RELEASE_VERSION } from '../api/index.ts';
import type { Route } from './route.ts';
import type { JsonSchema } from './shape.ts';

/** Statuses that every route may answer. */
const COMMON_STATUSES = [500, 503];
/** Statuses that every route with a body may answer. */
const BODY_STATUSES = [400, 413, 415, 422];

const DESCRIPTIONS: { readonly [status: number]: string } = {
  200: 'Done',
  201: 'Stored',
  400: 'The request is malformed, or a value is not acceptable',
  403: 'Not allowed by the settings of the server',
  404: 'Something that the path names does not exist',
  409: 'The name is taken',
  413: 'The body is too large',
  415: 'The body is not declared as JSON',
  422: 'The body is JSON, but has another shape than expected',
  500: 'An unexpected error, or damaged data',
  501: 'Part of the protocol, but not of this server',
  503: 'The database is busy, full or closed',
};

const ERROR_SCHEMA: JsonSchema = {
  type: 'object',
  properties: { error: { type: 'string' }, message: { type: 'string' }, code: { type: 'string' } },
  required: ['error', 'message'],
};

/** Describes a route table. */
export function describeRoutes(routes: readonly Route[]): JsonSchema {
  const paths: { [path: string]: { [method: string]: JsonSchema } } = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = describeRoute(route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tessera',
      version: RELEASE_VERSION,
      description: "An embedding database that speaks the HTTP API v2 of Chroma's clients.",
    },
    paths,
    components: { schemas: { Error: ERROR_SCHEMA } },
  };
}

function describeRoute(route: Route): JsonSchema {
  const inPath = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const inQuery = route.parameters.map(({ name, schema }) => ({ name, in: 'query', schema }));
  const statuses = new Set([
    ...route.statuses,
    ...(route.body === null ? [] : BODY_STATUSES),
    ...COMMON_STATUSES,
  ]);
  return {
    operationId: route.operation,
    tags: [route.tag],
    summary: route.summary,
    parameters: [...inPath, ...inQuery],
    ...(route.body === null
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: route.body.schema } } } }),
    responses: Object.fromEntries(
      [...statuses].sort((a, b) => a - b).map((status) => [status, describeAnswer(status)]),
    ),
  };
}

function describeAnswer(status: number): JsonSchema {
  const schema = status < 400 ? {} : { $ref: '#/components/schemas/Error' };
  return { description: DESCRIPTIONS[status], content: { 'application/json': { schema } } };
}
