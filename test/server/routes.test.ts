/**
 * Every route with every status that it is documented with. The table below is compared with `openapi.json`,
 * which is made from the routes themselves: a route or a status without a case fails the test.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DATABASE, Harness, NO_COLLECTION } from './harness.ts';

type Case = readonly [method: string, path: string, body: unknown, status: number, expected: unknown];

const TENANTS = '/api/v2/tenants';
const COLLECTIONS = `${DATABASE}/collections`;
/** Stands for the path of the collection that the cases run on. */
const C = '{collection}';
const MISSING = `${COLLECTIONS}/${NO_COLLECTION}`;

/** An error body whose message begins with Chroma's sentence. */
function failure(error: string, sentence: string): unknown {
  const pattern = `^${sentence.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`;
  return {
    error,
    message: expect.stringMatching(new RegExp(pattern)),
    code: expect.stringMatching(/^TESSERA_/),
  };
}
const notFound = (sentence: string): unknown => failure('NotFoundError', sentence);
const invalid = (sentence: string): unknown => failure('InvalidArgumentError', sentence);
const refused = (sentence: string): unknown => failure('ChromaError', sentence);

const NO_UUID = 'Collection ID is not a valid UUIDv4';
const GONE = `Collection [${NO_COLLECTION}] does not exist.`;
const SHORT = 'database name must be at least 3 characters';
const record = (id: string): unknown => ({ ids: [id], embeddings: [[1, 2, 3]] });

/** In the order in which they are sent. */
const CASES: readonly Case[] = [
  ['GET', '/api/v2', undefined, 200, { 'nanosecond heartbeat': expect.any(Number) }],
  ['GET', '/api/v2/heartbeat', undefined, 200, { 'nanosecond heartbeat': expect.any(Number) }],
  ['GET', '/api/v2/healthcheck', undefined, 200, { is_executor_ready: true, is_log_client_ready: true }],
  ['GET', '/api/v2/version', undefined, 200, '1.0.0'],
  [
    'GET',
    '/api/v2/pre-flight-checks',
    undefined,
    200,
    { max_batch_size: 5461, supports_base64_encoding: true },
  ],
  [
    'GET',
    '/api/v2/auth/identity',
    undefined,
    200,
    { user_id: '', tenant: 'default_tenant', databases: ['default_database'] },
  ],

  ['POST', TENANTS, { name: 'acme' }, 200, {}],
  ['POST', TENANTS, { name: 'acme' }, 409, refused('Tenant [acme] already exists')],
  ['POST', TENANTS, { name: 'ab' }, 400, invalid('Validation error: name: ')],
  ['GET', `${TENANTS}/acme`, undefined, 200, { name: 'acme', resource_name: null }],
  ['GET', `${TENANTS}/nope`, undefined, 404, notFound('Tenant [nope] not found')],
  ['PATCH', `${TENANTS}/nope`, { resource_name: 'x' }, 200, {}],

  ['POST', `${TENANTS}/acme/databases`, { name: 'db1' }, 200, {}],
  ['POST', `${TENANTS}/acme/databases`, { name: 'db1' }, 409, refused('Database [db1] already exists')],
  [
    'POST',
    `${TENANTS}/acme/databases`,
    { name: 'a..b' },
    400,
    invalid('Expected a name that does not contains'),
  ],
  ['POST', `${TENANTS}/no_such_tenant/databases`, { name: 'db1' }, 200, {}],
  [
    'GET',
    `${TENANTS}/acme/databases`,
    undefined,
    200,
    [expect.objectContaining({ name: 'db1', tenant: 'acme' })],
  ],
  ['GET', `${TENANTS}/acme/databases?limit=0`, undefined, 200, []],
  ['GET', `${TENANTS}/nope/databases`, undefined, 200, []],
  [
    'GET',
    `${TENANTS}/acme/databases?limit=-1`,
    undefined,
    400,
    invalid('Failed to deserialize query string: limit'),
  ],
  [
    'GET',
    `${TENANTS}/acme/databases?offset=x`,
    undefined,
    400,
    invalid('Failed to deserialize query string: offset'),
  ],
  [
    'GET',
    `${TENANTS}/acme/databases?limit=4294967296`,
    undefined,
    400,
    invalid('Failed to deserialize query'),
  ],
  ['GET', DATABASE, undefined, 200, expect.objectContaining({ id: '00000000-0000-0000-0000-000000000000' })],
  ['GET', `${TENANTS}/acme/databases/ab`, undefined, 400, invalid(SHORT)],
  [
    'GET',
    `${TENANTS}/acme/databases/nope`,
    undefined,
    404,
    notFound('Database [nope] not found. Are you sure it exists?'),
  ],
  ['DELETE', `${TENANTS}/acme/databases/ab`, undefined, 400, invalid(SHORT)],
  ['DELETE', `${TENANTS}/acme/databases/db1`, undefined, 200, {}],
  ['DELETE', `${TENANTS}/acme/databases/db1`, undefined, 404, notFound('Database [db1] not found')],

  ['GET', `${DATABASE}/collections_count`, undefined, 200, 1],
  ['GET', `${TENANTS}/acme/databases/ab/collections_count`, undefined, 400, invalid(SHORT)],
  ['GET', COLLECTIONS, undefined, 200, [expect.objectContaining({ name: 'cases' })]],
  ['GET', `${COLLECTIONS}?limit=1&offset=1`, undefined, 200, []],
  ['GET', `${TENANTS}/nope/databases/nope/collections`, undefined, 200, []],
  ['GET', `${COLLECTIONS}?limit=abc`, undefined, 400, invalid('Failed to deserialize query string: limit')],
  ['POST', COLLECTIONS, { name: 'cases' }, 409, refused('Collection [cases] already exists')],
  [
    'POST',
    COLLECTIONS,
    { name: 'cases', get_or_create: true, metadata: { a: 1 } },
    200,
    expect.objectContaining({ metadata: null }),
  ],
  [
    'POST',
    COLLECTIONS,
    { name: 'x' },
    400,
    invalid('Validation error: name: Expected a name containing 3-512'),
  ],
  [
    'POST',
    COLLECTIONS,
    { name: 'abc', metadata: {} },
    400,
    invalid('Validation error: metadata: Metadata cannot be empty'),
  ],
  ['POST', COLLECTIONS, { name: 'abc', metadata: { a: [1] } }, 400, invalid('Validation error: metadata: ')],
  [
    'POST',
    `${TENANTS}/acme/databases/nodb/collections`,
    { name: 'abc' },
    400,
    invalid('Database [nodb] does not exist'),
  ],
  [
    'GET',
    `${COLLECTIONS}/cases`,
    undefined,
    200,
    expect.objectContaining({ name: 'cases', log_position: 0, version: 0 }),
  ],
  ['GET', `${COLLECTIONS}/nope`, undefined, 404, notFound('Collection [nope] does not exist')],
  ['GET', `${TENANTS}/acme/databases/ab/collections/cases`, undefined, 400, invalid(SHORT)],
  ['GET', `${COLLECTIONS}/by-id/{id}`, undefined, 200, expect.objectContaining({ name: 'cases' })],
  [
    'GET',
    `${COLLECTIONS}/by-id/xx`,
    undefined,
    400,
    invalid('Validation error: collection_id: Invalid collection ID'),
  ],
  [
    'GET',
    `${COLLECTIONS}/by-id/${NO_COLLECTION}`,
    undefined,
    404,
    notFound(`Collection [${NO_COLLECTION}] does not exist`),
  ],
  [
    'GET',
    '/api/v2/collections/abc',
    undefined,
    400,
    invalid('Validation error: crn: CRN must be in the format'),
  ],
  ['GET', '/api/v2/collections/a:b:c', undefined, 404, notFound('Collection [c] does not exist')],
  [
    'GET',
    '/api/v2/collections/default_tenant:default_database:cases',
    undefined,
    200,
    expect.objectContaining({ name: 'cases', tenant: 'default_tenant', database: 'default_database' }),
  ],
  ['GET', '/api/v2/collections/by-id/{id}', undefined, 200, expect.objectContaining({ name: 'cases' })],
  [
    'GET',
    '/api/v2/collections/by-id/xx',
    undefined,
    400,
    invalid('Validation error: collection_id: Invalid collection ID'),
  ],
  ['GET', `/api/v2/collections/by-id/${NO_COLLECTION}`, undefined, 404, notFound(GONE)],

  ['PUT', C, {}, 200, {}],
  ['PUT', C, { new_name: null, new_metadata: null, new_configuration: null }, 200, {}],
  ['PUT', C, { new_metadata: { a: 1, b: null } }, 200, {}],
  ['GET', `${COLLECTIONS}/cases`, undefined, 200, expect.objectContaining({ metadata: { a: 1 } })],
  ['PUT', C, { new_metadata: { a: null } }, 200, {}],
  ['GET', `${COLLECTIONS}/cases`, undefined, 200, expect.objectContaining({ metadata: null })],
  ['PUT', C, { new_metadata: {} }, 400, invalid('Validation error: new_metadata: Metadata cannot be empty')],
  ['PUT', C, { new_name: 'a' }, 400, invalid('Validation error: new_name: Expected a name')],
  ['PUT', `${COLLECTIONS}/cases`, {}, 400, invalid(NO_UUID)],
  ['PUT', MISSING, {}, 404, notFound(GONE)],
  ['POST', COLLECTIONS, { name: 'other' }, 200, expect.objectContaining({ name: 'other' })],
  ['PUT', C, { new_name: 'other' }, 409, refused('Collection [other] already exists')],
  ['DELETE', `${COLLECTIONS}/other`, undefined, 200, {}],
  ['DELETE', `${COLLECTIONS}/other`, undefined, 404, notFound('Collection [other] does not exist')],
  ['DELETE', `${TENANTS}/acme/databases/ab/collections/cases`, undefined, 400, invalid(SHORT)],

  [
    'POST',
    `${C}/add`,
    { ...(record('a') as object), documents: ['x'], metadatas: [{ n: 1 }], uris: [null] },
    201,
    {},
  ],
  ['POST', `${C}/add`, { ids: [], embeddings: [] }, 201, {}],
  [
    'POST',
    `${C}/add`,
    { ids: [''], embeddings: [[1, 2, 3]] },
    400,
    invalid('Empty ID, ID must have at least one character'),
  ],
  [
    'POST',
    `${C}/add`,
    { ids: ['b'], embeddings: [[1, 2]] },
    400,
    invalid('Collection expecting embedding with dimension of 3, got 2'),
  ],
  ['POST', `${C}/add`, { ids: ['b'], embeddings: [] }, 400, invalid('Inconsistent number of IDs')],
  ['POST', `${MISSING}/add`, record('a'), 404, notFound(GONE)],
  [
    'POST',
    `${C}/add`,
    { ...(record('s') as object), metadatas: [{ v: { indices: [1], values: [1] } }] },
    501,
    refused('Unimplemented: Sparse vector is not supported for local chroma: v'),
  ],
  ['POST', `${C}/upsert`, { ids: ['b', 'c'], embeddings: ['AACAPwAAAEAAAEBA', 'AACAPwAAAEAAAEBA'] }, 200, {}],
  ['POST', `${C}/upsert`, { ids: ['b'], embeddings: ['AAAA'] }, 400, invalid('Invalid byte length: 3 bytes')],
  ['POST', `${MISSING}/upsert`, record('a'), 404, notFound(GONE)],
  [
    'POST',
    `${C}/upsert`,
    { ...(record('s') as object), metadatas: [{ v: { indices: [1], values: [1] } }] },
    501,
    refused(''),
  ],
  ['POST', `${C}/update`, { ids: ['a', 'unknown'], metadatas: [{ n: null, m: 2 }, null] }, 200, {}],
  ['POST', `${C}/update`, { ids: ['a'], embeddings: [null], documents: [null] }, 200, {}],
  ['POST', `${C}/update`, { ids: ['a'], embeddings: [[1]] }, 400, invalid('Collection expecting embedding')],
  ['POST', `${MISSING}/update`, { ids: ['a'] }, 404, notFound(GONE)],
  [
    'POST',
    `${C}/update`,
    { ids: ['a'], metadatas: [{ v: { '#type': 'sparse_vector', indices: [], values: [] } }] },
    501,
    refused(''),
  ],

  [
    'POST',
    `${C}/get`,
    { ids: ['a'], include: ['documents', 'embeddings', 'metadatas', 'uris', 'distances'] },
    200,
    {
      ids: ['a'],
      embeddings: [[1, 2, 3]],
      documents: ['x'],
      uris: [null],
      metadatas: [{ m: 2 }],
      include: ['documents', 'embeddings', 'metadatas', 'uris', 'distances'],
    },
  ],
  [
    'POST',
    `${C}/get`,
    { where: {}, where_document: {}, limit: 1, offset: 1, include: [] },
    200,
    expect.objectContaining({ ids: ['b'], documents: null }),
  ],
  ['POST', `${C}/get`, { where: { a: 1, b: 2 } }, 400, invalid('Invalid where clause')],
  ['POST', `${C}/get`, { where_document: { $foo: 'x' } }, 400, invalid('Invalid where document clause')],
  ['POST', `${MISSING}/get`, {}, 404, notFound(GONE)],
  [
    'POST',
    `${C}/query`,
    {
      query_embeddings: [
        [1, 2, 3],
        [3, 2, 1],
      ],
      n_results: 1,
      include: ['distances', 'embeddings'],
      ids: ['a'],
    },
    200,
    {
      ids: [['a'], ['a']],
      embeddings: [[[1, 2, 3]], [[1, 2, 3]]],
      documents: null,
      uris: null,
      metadatas: null,
      distances: [[0], [8]],
      include: ['distances', 'embeddings'],
    },
  ],
  [
    'POST',
    `${C}/query`,
    { query_embeddings: [], include: ['documents'] },
    200,
    expect.objectContaining({ ids: [], documents: [], distances: null }),
  ],
  [
    'POST',
    `${C}/query`,
    { query_embeddings: [[1, 2, 3]], n_results: 0 },
    200,
    expect.objectContaining({ ids: [[]], distances: [[]] }),
  ],
  [
    'POST',
    `${C}/query`,
    { query_embeddings: [[1]] },
    400,
    invalid('Collection expecting embedding with dimension of 3, got 1'),
  ],
  ['POST', `${MISSING}/query`, { query_embeddings: [[1]] }, 404, notFound(GONE)],
  ['GET', `${C}/count`, undefined, 200, 3],
  ['GET', `${C}/count?read_level=index_and_wal`, undefined, 200, 3],
  [
    'GET',
    `${C}/count?read_level=x`,
    undefined,
    400,
    invalid('Failed to deserialize query string: read_level'),
  ],
  ['GET', `${MISSING}/count`, undefined, 404, notFound(GONE)],
  [
    'GET',
    `${C}/indexing_status`,
    undefined,
    200,
    { op_indexing_progress: 1, num_unindexed_ops: 0, num_indexed_ops: 5, total_ops: 5 },
  ],
  ['POST', `${C}/settle`, undefined, 200, {}],
  ['POST', `${COLLECTIONS}/x/settle`, undefined, 400, invalid(NO_UUID)],
  ['POST', `${MISSING}/settle`, undefined, 404, notFound(GONE)],
  [
    'GET',
    `${C}/stats`,
    undefined,
    200,
    expect.objectContaining({
      record_count: 3,
      dimension: 3,
      vectors: expect.objectContaining({ kind: 'exact', lag: 0, measured_recall: null, cached_count: 3 }),
      text: { is_built: false, position: 0, lag: 0 },
      memory: { budget: expect.any(Number), used: expect.any(Number) },
    }),
  ],
  ['GET', `${COLLECTIONS}/x/stats`, undefined, 400, invalid(NO_UUID)],
  ['GET', `${MISSING}/stats`, undefined, 404, notFound(GONE)],
  ['POST', `${C}/verify`, undefined, 200, { record_count: 3, fault_count: 0, faults: [] }],
  ['POST', `${COLLECTIONS}/x/verify`, undefined, 400, invalid(NO_UUID)],
  ['POST', `${MISSING}/verify`, undefined, 404, notFound(GONE)],
  [
    'POST',
    `${C}/repair`,
    undefined,
    200,
    {
      before: { record_count: 3, fault_count: 0, faults: [] },
      repaired_count: 0,
      after: { record_count: 3, fault_count: 0, faults: [] },
    },
  ],
  ['POST', `${COLLECTIONS}/x/repair`, undefined, 400, invalid(NO_UUID)],
  ['POST', `${MISSING}/repair`, undefined, 404, notFound(GONE)],
  ['GET', `${COLLECTIONS}/x/indexing_status`, undefined, 400, invalid(NO_UUID)],
  ['GET', `${MISSING}/indexing_status`, undefined, 404, notFound(GONE)],
  ['POST', `${C}/delete`, {}, 200, { deleted: 0 }],
  ['POST', `${C}/delete`, { ids: ['zz', 'zz'] }, 200, { deleted: 2 }],
  ['POST', `${C}/delete`, { where: { m: 2 }, limit: 1 }, 200, { deleted: 1 }],
  ['POST', `${C}/delete`, { ids: ['b'], where: {} }, 200, { deleted: 1 }],
  [
    'POST',
    `${C}/delete`,
    { ids: [] },
    400,
    invalid('Validation error: ids, where: Either ids or where must be specified'),
  ],
  [
    'POST',
    `${C}/delete`,
    { where: {} },
    400,
    invalid('Validation error: ids, where: Either ids or where must be specified'),
  ],
  [
    'POST',
    `${C}/delete`,
    { ids: ['a'], limit: 1 },
    400,
    invalid('Validation error: limit, where: limit can only be specified'),
  ],
  ['POST', `${MISSING}/delete`, {}, 404, notFound(GONE)],
  ['GET', `${C}/count`, undefined, 200, 1],

  ['POST', `${C}/fork`, { new_name: 'f' }, 400, invalid('Validation error: new_name: ')],
  ['POST', `${C}/fork`, { new_name: 'forked' }, 200, expect.objectContaining({ name: 'forked' })],
  ['POST', `${C}/fork`, { new_name: 'forked' }, 409, refused('Collection [forked] already exists')],
  ['POST', `${MISSING}/fork`, { new_name: 'forked' }, 404, notFound(GONE)],
  ['POST', `${COLLECTIONS}/x/fork`, { new_name: 'f' }, 400, invalid(NO_UUID)],
  ['GET', `${C}/fork_count`, undefined, 200, { count: 1 }],
  ['GET', `${MISSING}/fork_count`, undefined, 404, notFound(GONE)],
  ['GET', `${COLLECTIONS}/x/fork_count`, undefined, 400, invalid(NO_UUID)],
  [
    'POST',
    `${C}/functions/attach`,
    { name: 'a', function_id: 'b', output_collection: 'c' },
    501,
    refused(''),
  ],
  [
    'POST',
    `${COLLECTIONS}/x/functions/attach`,
    { name: 'a', function_id: 'b', output_collection: 'c' },
    400,
    invalid(NO_UUID),
  ],
  ['GET', `${C}/functions/f`, undefined, 404, notFound('Attached function not found')],
  ['GET', `${COLLECTIONS}/x/functions/f`, undefined, 400, invalid(NO_UUID)],
  ['POST', `${C}/attached_functions/f/detach`, { delete_output: true }, 501, refused('')],
  ['POST', `${COLLECTIONS}/x/attached_functions/f/detach`, {}, 400, invalid(NO_UUID)],
  [
    'POST',
    `${C}/search`,
    { searches: [{ limit: { offset: 0 }, select: { keys: [] } }] },
    501,
    refused('Error executing plan: Not implemented: Search operation is not implemented for local executor'),
  ],
  ['POST', `${COLLECTIONS}/x/search`, { searches: [] }, 400, invalid(NO_UUID)],

  ['POST', '/api/v2/reset', undefined, 200, true],
  ['GET', `${DATABASE}/collections_count`, undefined, 200, 0],
];

/** Statuses that `errors.test.ts` and `bodies.test.ts` provoke on every route. */
const ELSEWHERE = new Set([413, 415, 422, 500, 503]);

interface Operation {
  readonly operationId: string;
  readonly responses: Record<string, unknown>;
}

let harness: Harness;
let operations: { readonly method: string; readonly path: string; readonly operation: Operation }[];

beforeAll(async () => {
  harness = await Harness.open();
  const { json } = await harness.send('GET', '/openapi.json');
  const { paths } = json as { paths: Record<string, Record<string, Operation>> };
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
});

afterAll(() => harness.backend.close());

function operationOf(method: string, path: string): string {
  const segments = path.split('?')[0]!.split('/');
  const matches = operations.filter(({ method: other, path: template }) => {
    const parts = template.split('/');
    return (
      other === method &&
      parts.length === segments.length &&
      parts.every((part, i) => part.startsWith('{') || part === segments[i])
    );
  });
  const literal = (path: string): number => path.split('/').filter((part) => !part.startsWith('{')).length;
  matches.sort((a, b) => literal(b.path) - literal(a.path));
  return matches[0]?.operation.operationId ?? 'none';
}

/** Sends every case in order; returns the operations with the statuses that they answered. */
async function provokeAll(): Promise<Set<string>> {
  const provoked = new Set<string>();
  const collection = await harness.createCollection('cases');
  for (const [method, template, body, status, expected] of CASES) {
    const path = template.replace(C, collection).replace('{id}', collection.split('/').at(-1)!);
    const reply = await harness.send(method, path, body);
    const label = `${method} ${template} ${JSON.stringify(body) ?? ''}`;
    expect({ label, status: reply.status, json: reply.json }).toEqual({ label, status, json: expected });
    expect(reply.headers.get('content-type'), label).toBe('application/json');
    expect(reply.headers.get('chroma-trace-id'), label).toBe('0'.repeat(32));
    provoked.add(`${operationOf(method, path)} ${status}`);
  }
  return provoked;
}

test('every route answers every status it is documented with, as the protocol says', async () => {
  const provoked = await provokeAll();
  const documented = operations.flatMap(({ operation }) =>
    Object.keys(operation.responses)
      .filter((status) => !ELSEWHERE.has(Number(status)))
      .map((status) => `${operation.operationId} ${status}`),
  );
  expect(documented.length).toBeGreaterThan(70);
  // errors.test.ts has the refused reset; a PATCH of a tenant answers 400 only to what is no JSON
  // (bodies.test.ts).
  const elsewhere = ['reset 403', 'update_tenant 400'];
  expect(documented.filter((entry) => !provoked.has(entry))).toEqual(elsewhere);
  expect([...provoked].filter((entry) => !documented.includes(entry))).toEqual([]);
});

describe('paths and methods', () => {
  test("a collection is not to be had by another database's path", async () => {
    const id = (await harness.createCollection('guarded')).split('/').at(-1)!;
    await harness.send('POST', `${TENANTS}/default_tenant/databases`, { name: 'elsewhere' });
    const elsewhere = `${TENANTS}/default_tenant/databases/elsewhere/collections`;
    expect((await harness.send('GET', `${elsewhere}/${id}/count`)).status).toBe(404);
    expect((await harness.send('POST', `${elsewhere}/${id}/get`, {})).status).toBe(404);
    expect((await harness.send('GET', `${elsewhere}/by-id/${id}`)).status).toBe(404);
    expect((await harness.send('GET', `${COLLECTIONS}/${id}/count`)).json).toBe(0);
  });

  test('an unknown path is a 404 without a body', async () => {
    for (const path of [
      '/',
      '/api/v2/x',
      '/api/v1/x',
      '/api/v2/heartbeat/',
      `${DATABASE}/collections/a/b/c/d`,
    ]) {
      const reply = await harness.send('GET', path);
      expect([path, reply.status, reply.text, reply.headers.get('chroma-trace-id')]).toEqual([
        path,
        404,
        '',
        null,
      ]);
    }
  });

  test('a wrong method is a 405 without a body, naming the right ones', async () => {
    const cases = [
      ['POST', '/api/v2/heartbeat', 'GET,HEAD'],
      ['OPTIONS', '/api/v2/heartbeat', 'GET,HEAD'],
      ['POST', `${COLLECTIONS}/by-id/x`, 'GET,HEAD'],
      ['PATCH', `${COLLECTIONS}/x`, 'GET,HEAD,PUT,DELETE'],
      ['GET', `${COLLECTIONS}/x/add`, 'POST'],
      ['PUT', COLLECTIONS, 'GET,HEAD,POST'],
    ] as const;
    for (const [method, path, allow] of cases) {
      const reply = await harness.send(method, path);
      expect([path, reply.status, reply.text, reply.headers.get('allow')]).toEqual([path, 405, '', allow]);
    }
  });

  test('HEAD is answered like GET, without a body', async () => {
    const reply = await harness.send('HEAD', '/api/v2/heartbeat');
    expect([reply.status, reply.text, reply.headers.get('content-type')]).toEqual([
      200,
      '',
      'application/json',
    ]);
  });

  test('parts of the path are percent-decoded, once', async () => {
    expect((await harness.send('GET', `${COLLECTIONS}/a%2Fb%2525`)).json).toMatchObject({
      message: 'Collection [a/b%25] does not exist',
    });
  });
});
