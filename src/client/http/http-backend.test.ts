import { describe, expect, test } from 'vitest';
import { defaultSchema, packEmbeddings, parseBatch, parseConfiguration } from '../../api/index.ts';
import { DatabaseError } from '../../base/index.ts';
import { HttpBackend } from './http-backend.ts';
import { HttpClient } from './http-client.ts';
import type { Fetch } from './transport.ts';

const SCOPE = { tenant: 'a tenant', database: 'd/b' };
const COLLECTION = { ...SCOPE, collectionId: '11111111-1111-4111-8111-111111111111' };
const COLLECTION_JSON = {
  id: COLLECTION.collectionId,
  name: 'demo',
  tenant: 'a tenant',
  database: 'd/b',
  metadata: { i: 1 },
  dimension: 2,
  configuration_json: { hnsw: { space: 'cosine', ef_search: 50 }, spann: null, embedding_function: null },
  schema: null,
};
const EVERYTHING = { ids: null, where: null, whereDocument: null };

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

/** A server that answers each path ending with a text, and notes what it was sent. */
function fakeServer(answers: Readonly<Record<string, string>>): { backend: HttpBackend; sent: Sent[] } {
  const sent: Sent[] = [];
  const fetch: Fetch = async (request) => {
    const url = new URL(request.url);
    sent.push({ method: request.method, path: url.pathname + url.search, body: await request.text() });
    const ending = Object.keys(answers).find((path) => url.pathname.endsWith(path));
    return new Response(ending === undefined ? '{}' : answers[ending]);
  };
  return { backend: new HttpBackend({ baseUrl: 'http://chroma.test', headers: {}, fetch }), sent };
}

function failingServer(status: number, body: string): HttpBackend {
  const fetch: Fetch = async () => new Response(body, { status });
  return new HttpBackend({ baseUrl: 'http://chroma.test', headers: {}, fetch });
}

async function faultOf(call: Promise<unknown>): Promise<DatabaseError> {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof DatabaseError) return error;
  throw new Error(`expected a DatabaseError, got ${String(error)}`);
}

describe('requests', () => {
  test('paths are escaped, pages are query parameters', async () => {
    const { backend, sent } = fakeServer({ '/collections': '[]' });
    await backend.listCollections(SCOPE, { limit: 2, offset: 1 });
    expect(sent[0]!.path).toBe('/api/v2/tenants/a%20tenant/databases/d%2Fb/collections?limit=2&offset=1');
  });

  test('writes send base64 where the server takes it, and ask once', async () => {
    const preflight = '{"max_batch_size":100,"supports_base64_encoding":true}';
    const { backend, sent } = fakeServer({ '/pre-flight-checks': preflight });
    const batch = parseBatch({ ids: ['a'], embeddings: [[1, 2, 3]], metadatas: [{ i: 1n, f: 1.5 }] }, 'add');
    await backend.add(COLLECTION, batch);
    await backend.upsert(COLLECTION, batch);
    expect(sent.map(({ path }) => path.split('/').at(-1))).toEqual(['pre-flight-checks', 'add', 'upsert']);
    expect(sent[1]!.body).toBe(
      '{"ids":["a"],"embeddings":["AACAPwAAAEAAAEBA"],"metadatas":[{"i":1,"f":1.5}]}',
    );
  });

  test('writes send numbers to other servers, and null for rows without an embedding', async () => {
    const { backend, sent } = fakeServer({ '/pre-flight-checks': '{"max_batch_size":100}' });
    const batch = parseBatch(
      { ids: ['a', 'b'], embeddings: [null, [0.5, 1]], documents: ['x', null] },
      'update',
    );
    await backend.update(COLLECTION, batch);
    expect(sent[1]!.body).toBe('{"ids":["a","b"],"embeddings":[null,[0.5,1]],"documents":["x",null]}');
  });

  test('a batch over the limit of the server is refused before it is sent', async () => {
    const { backend, sent } = fakeServer({ '/pre-flight-checks': '{"max_batch_size":1}' });
    const fault = await faultOf(
      backend.add(COLLECTION, parseBatch({ ids: ['a', 'b'], embeddings: [[1], [2]] }, 'add')),
    );
    expect(fault.code).toBe('TESSERA_LIMIT_EXCEEDED');
    expect(fault.details).toMatchObject({ limit: 1, count: 2 });
    expect(sent).toHaveLength(1);
  });

  test('a new collection sends what differs from the defaults', async () => {
    const { backend, sent } = fakeServer({ '/collections': JSON.stringify(COLLECTION_JSON) });
    const configuration = parseConfiguration({ hnsw: { space: 'cosine', num_threads: 9 } }, null);
    const input = { name: 'demo', metadata: '{"f":1.0}', configuration, getOrCreate: true };
    const info = await backend.createCollection(SCOPE, { ...input, schema: defaultSchema(configuration) });
    expect(sent[0]!.body).toBe(
      '{"name":"demo","metadata":{"f":1.0},"configuration":{"hnsw":{"space":"cosine","num_threads":9}},"get_or_create":true}',
    );
    expect(info).toMatchObject({ name: 'demo', metadata: '{"i":1}', dimension: 2 });
    expect(info.configuration.hnsw).toMatchObject({ space: 'cosine', efSearch: 50 });
    expect(info.schema.keys).toHaveProperty('#embedding');
  });

  test('a collection is created and changed with the recall that was set, or the cells to search', async () => {
    const { backend, sent } = fakeServer({ '/collections': JSON.stringify(COLLECTION_JSON) });
    const create = async (configuration: unknown): Promise<void> => {
      const parsed = parseConfiguration(configuration, null);
      const schema = defaultSchema(parsed);
      const input = { name: 'demo', metadata: null, configuration: parsed, schema, getOrCreate: false };
      await backend.createCollection(SCOPE, input);
    };
    await create({ recall: 0.9, hnsw: { ef_search: 10 } });
    await create({ spann: { space: 'ip', search_nprobe: 8 } });
    await backend.updateCollection(COLLECTION, { configuration: { recall: 0.5, hnsw: undefined } });
    await backend.updateCollection(COLLECTION, { configuration: { searchNprobe: 16 } });
    const configurations = sent.map(({ body }) => {
      const members = JSON.parse(body) as Record<string, unknown>;
      return members['configuration'] ?? members['new_configuration'];
    });
    expect(configurations).toEqual([
      { recall: 0.9, hnsw: { ef_search: 10 } },
      { spann: { space: 'ip', search_nprobe: 8 } },
      { recall: 0.5 },
      { spann: { search_nprobe: 16 } },
    ]);
  });

  test('a query says of recall and plans what it was told, and nothing otherwise', async () => {
    const { backend, sent } = fakeServer({ '/query': '{"ids":[[]],"distances":[[]]}' });
    const embeddings = packEmbeddings([[1, 0.5]], { field: 'embeddings', allowNull: false });
    const request = { ...EVERYTHING, embeddings, nResults: 3, include: ['distances'] as const };
    await backend.query(COLLECTION, { ...request, recall: null, explain: false });
    await backend.query(COLLECTION, { ...request, recall: 0.99, explain: true });
    expect(sent[0]!.body).toBe('{"query_embeddings":[[1,0.5]],"n_results":3,"include":["distances"]}');
    expect(sent[1]!.body).toContain('"recall":0.99,"explain":true');
  });
});

describe('answers', () => {
  test('metadata keeps the spelling of its numbers', async () => {
    const answer = '{"ids":["a","b"],"metadatas":[{"i":1,"f":1.0,"big":9007199254740993},null]}';
    const { backend } = fakeServer({ '/get': answer });
    const found = await backend.get(COLLECTION, {
      ...EVERYTHING,
      limit: null,
      offset: 0,
      include: ['metadatas'],
    });
    expect(found.metadatas).toEqual(['{"i":1,"f":1.0,"big":9007199254740993}', null]);
    expect(found.documents).toBeNull();
  });

  test('distances that JSON cannot hold are infinite', async () => {
    const answer = '{"ids":[["a","b"]],"distances":[[1.0,null]],"metadatas":[[null,null]]}';
    const { backend } = fakeServer({ '/query': answer });
    const embeddings = packEmbeddings([[1]], { field: 'embeddings', allowNull: false });
    const request = { ...EVERYTHING, embeddings, nResults: 2, include: ['distances', 'metadatas'] as const };
    const [found] = await backend.query(COLLECTION, { ...request, recall: 1, explain: false });
    expect(found!.distances).toEqual(Float32Array.of(1, Number.POSITIVE_INFINITY));
  });

  test('the heartbeat is exact', async () => {
    const { backend } = fakeServer({ '/heartbeat': '{"nanosecond heartbeat": 1795380030573662139}' });
    expect(await backend.heartbeat()).toBe(1795380030573662139n);
  });

  test.each(['', '<html>', '[]', '{}', '{"ids":{}}', '{"ids":["a"],"documents":7}'])(
    'an answer of another kind is told apart: %j',
    async (answer) => {
      const { backend } = fakeServer({ '/get': answer });
      const call = backend.get(COLLECTION, { ...EVERYTHING, limit: null, offset: 0, include: ['documents'] });
      expect((await faultOf(call)).code).toBe('TESSERA_REMOTE');
    },
  );
});

describe('calls that only our servers have', () => {
  const calls = {
    settle: (backend: HttpBackend) => backend.settle(COLLECTION),
    stats: (backend: HttpBackend) => backend.statistics(COLLECTION),
    verify: (backend: HttpBackend) => backend.verify(COLLECTION),
    repair: (backend: HttpBackend) => backend.repair(COLLECTION),
  };

  test.each(Object.entries(calls))(
    '%s is refused by name where a server does not have it',
    async (name, call) => {
      for (const [status, body] of [
        [404, ''],
        [405, ''],
        [501, '{"error":"ChromaError","message":"not here"}'],
      ] as const) {
        const fault = await faultOf(call(failingServer(status, body)));
        expect([status, fault.code]).toEqual([status, 'TESSERA_UNSUPPORTED']);
        expect(fault.message).toMatch(new RegExp(`does not offer \\S*/${name},`));
      }
    },
  );

  test.each(Object.entries(calls))('%s passes on what else is wrong', async (_name, call) => {
    const faults = [
      [404, 'Collection [x] does not exist', undefined, 'TESSERA_COLLECTION_NOT_FOUND'],
      [404, 'Database [x] not found', undefined, 'TESSERA_DATABASE_NOT_FOUND'],
      [501, 'opened with readOnly', 'TESSERA_READ_ONLY', 'TESSERA_READ_ONLY'],
      [500, 'oh', undefined, 'TESSERA_REMOTE'],
    ] as const;
    for (const [status, message, sent, code] of faults) {
      const body = JSON.stringify({ error: 'x', message, code: sent });
      expect((await faultOf(call(failingServer(status, body)))).code).toBe(code);
    }
  });

  test.each(['stats', 'verify', 'repair'] as const)('%s reads no answer of another kind', async (name) => {
    for (const answer of ['[]', '{}', '7', 'null', '{"faults":[]}']) {
      const { backend } = fakeServer({ [`/${name}`]: answer });
      expect((await faultOf(calls[name](backend))).code).toBe('TESSERA_REMOTE');
    }
  });

  test('a report is read with its names in camelCase, and ids as they are', async () => {
    const { backend } = fakeServer({
      '/verify':
        '{"record_count":2,"fault_count":1,"faults":[{"id":"a_b","part":"record","message":"some_text"}]}',
    });
    const faults = [{ id: 'a_b', part: 'record', message: 'some_text' }];
    expect(await backend.verify(COLLECTION)).toEqual({ recordCount: 2, faultCount: 1, faults });
  });

  test('a server that does not explain gives no plans', async () => {
    const { backend } = fakeServer({ '/query': '{"ids":[[]]}' });
    const embeddings = packEmbeddings([[1]], { field: 'embeddings', allowNull: false });
    const request = { ...EVERYTHING, embeddings, nResults: 1, include: [], recall: null, explain: true };
    expect((await backend.query(COLLECTION, request))[0]!.plan).toBeNull();
  });

  test('plans of another kind are refused', async () => {
    for (const plans of ['[]', '[{}]', '7']) {
      const { backend } = fakeServer({ '/query': `{"ids":[[]],"plans":${plans}}` });
      const embeddings = packEmbeddings([[1]], { field: 'embeddings', allowNull: false });
      const request = { ...EVERYTHING, embeddings, nResults: 1, include: [], recall: null, explain: true };
      expect((await faultOf(backend.query(COLLECTION, request))).code).toBe('TESSERA_REMOTE');
    }
  });
});

describe('errors', () => {
  test('a Tessera server names the code', async () => {
    const message = 'Failed to deserialize the JSON body into the target type: Expected ids to be an array.';
    const body = JSON.stringify({ error: 'ChromaError', message, code: 'TESSERA_INVALID_ID' });
    const fault = await faultOf(failingServer(422, body).version());
    expect(fault).toMatchObject({ code: 'TESSERA_INVALID_ID', message: 'Expected ids to be an array.' });
    expect(fault.details).toMatchObject({ status: 422, reason: 'type' });
  });

  test.each([
    [400, 'Validation error: x', 'TESSERA_INVALID_ARGUMENT'],
    [400, 'Collection expecting embedding with dimension of 3, got 2', 'TESSERA_DIMENSION_MISMATCH'],
    [400, 'Database [x] does not exist', 'TESSERA_DATABASE_MISSING'],
    [400, 'Invalid where clause', 'TESSERA_INVALID_FILTER'],
    [401, 'no', 'TESSERA_UNAUTHORIZED'],
    [403, 'Reset is disabled by config', 'TESSERA_FORBIDDEN'],
    [404, 'Collection [x] does not exist', 'TESSERA_COLLECTION_NOT_FOUND'],
    [404, 'Tenant [x] not found', 'TESSERA_TENANT_NOT_FOUND'],
    [404, 'Database [x] not found', 'TESSERA_DATABASE_NOT_FOUND'],
    [409, 'Collection [x] already exists', 'TESSERA_ALREADY_EXISTS'],
    [413, 'length limit exceeded', 'TESSERA_LIMIT_EXCEEDED'],
    [429, 'slow down', 'TESSERA_BUSY'],
    [500, 'oh', 'TESSERA_REMOTE'],
    [501, 'forking', 'TESSERA_UNSUPPORTED'],
  ])('status %i with %j from Chroma means %s', async (status, message, code) => {
    const body = JSON.stringify({ error: 'ChromaError', message, code: 'SOMETHING_ELSE' });
    expect(await faultOf(failingServer(status, body).version())).toMatchObject({ code, message });
  });

  test.each(['', 'Payload too large', '[]', 'null', '{"message":1}'])(
    'an error without a message still says where it came from: %j',
    async (body) => {
      const fault = await faultOf(failingServer(404, body).version());
      expect(fault.code).toBe('TESSERA_NOT_FOUND');
      expect(fault.message).toContain('http://chroma.test/api/v2/version');
    },
  );

  test('nobody listening is told with the address', async () => {
    const client = new HttpClient({ host: '127.0.0.1', port: 1 });
    const fault = await faultOf(client.version());
    expect(fault.code).toBe('TESSERA_CONNECTION');
    expect(fault.message).toContain('http://127.0.0.1:1/api/v2/version');
  });

  test('an answer that breaks off is a connection that failed', async () => {
    const body = new ReadableStream({ start: (stream) => stream.error(new Error('reset by peer')) });
    const fetch: Fetch = async () => new Response(body);
    const fault = await faultOf(new HttpBackend({ baseUrl: 'http://x.test', headers: {}, fetch }).version());
    expect(fault.code).toBe('TESSERA_CONNECTION');
    expect(fault.message).toContain('reset by peer');
  });

  test('a call aborted on its way is given up', async () => {
    const controller = new AbortController();
    const fetch: Fetch = (request) =>
      new Promise((_, reject) => {
        request.signal.addEventListener('abort', () => reject(request.signal.reason));
        controller.abort(new Error('changed my mind'));
      });
    const backend = new HttpBackend({ baseUrl: 'http://x.test', headers: {}, fetch });
    const fault = await faultOf(backend.version({ signal: controller.signal }));
    expect(fault.code).toBe('TESSERA_ABORTED');
    expect(fault.cause).toMatchObject({ message: 'changed my mind' });
  });

  test('close waits for the calls under way', async () => {
    let answer: (response: Response) => void = () => {};
    const fetch: Fetch = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const backend = new HttpBackend({ baseUrl: 'http://x.test', headers: {}, fetch });
    const call = backend.version();
    let isClosed = false;
    const closing = backend.close().then(() => {
      isClosed = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isClosed).toBe(false);
    answer(new Response('"1"'));
    expect(await call).toBe('1');
    await closing;
    expect((await faultOf(backend.version())).code).toBe('TESSERA_CLOSED');
  });
});

describe('addresses', () => {
  const addressed = async (settings: ConstructorParameters<typeof HttpClient>[0]): Promise<string[]> => {
    const seen: string[] = [];
    const fetch: Fetch = async (request) => {
      seen.push(request.url, request.headers.get('x-chroma-token') ?? '');
      return new Response('"1.0.0"');
    };
    await new HttpClient({ ...settings, fetch }).version();
    return seen;
  };

  test.each([
    [{}, 'http://localhost:8000/api/v2/version'],
    [{ host: 'example.org', port: 9 }, 'http://example.org:9/api/v2/version'],
    [{ host: 'example.org', port: 443, ssl: true }, 'https://example.org/api/v2/version'],
    [{ host: '::1' }, 'http://[::1]:8000/api/v2/version'],
    [{ host: 'https://example.org/prefix/' }, 'https://example.org/prefix/api/v2/version'],
    [{ path: 'http://example.org:8001' }, 'http://example.org:8001/api/v2/version'],
  ])('%o is %s', async (settings, url) => {
    expect((await addressed(settings))[0]).toBe(url);
  });

  test('headers go with every request', async () => {
    expect((await addressed({ headers: { 'x-chroma-token': 'secret' } }))[1]).toBe('secret');
  });

  test.each([{ path: 'nonsense' }, { host: 'ftp://example.org' }, { host: 'a b' }])(
    'refuses %o',
    (settings) => {
      expect(() => new HttpClient(settings)).toThrow(
        expect.objectContaining({ code: 'TESSERA_INVALID_ARGUMENT' }),
      );
    },
  );
});
