/**
 * The API v1 by the words of its protocol: a client written out by hand, as those of Chroma 0.4 to 0.6 send
 * their requests and read their answers.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Harness, type Reply } from './harness.ts';

const NOBODY = '00000000-0000-4000-8000-000000000000';

let harness: Harness;

beforeAll(async () => {
  harness = await Harness.open();
});

afterAll(() => harness.backend.close());

/** Python's `requests` sends no content type with a body that is a text; `httpx` does. */
function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  return harness.send(method, `/api/v1${path}`, body, headers);
}

async function sendOld(method: string, path: string, body?: unknown): Promise<unknown> {
  const init: RequestInit = { method, headers: { 'user-agent': 'python-requests/2.31.0' } };
  if (body !== undefined) init.body = new TextEncoder().encode(JSON.stringify(body));
  const response = await harness.server.fetch(new Request(`http://server/api/v1${path}`, init));
  return response.json();
}

async function createCollection(name: string, rest: Record<string, unknown> = {}): Promise<string> {
  const reply = await send('POST', '/collections', { name, metadata: null, get_or_create: false, ...rest });
  expect(reply.status).toBe(200);
  return (reply.json as { id: string }).id;
}

/** A collection with three records. */
async function fill(name: string): Promise<string> {
  const path = `/collections/${await createCollection(name)}`;
  const body = {
    ids: ['a', 'b', 'c'],
    embeddings: [
      [1, 0],
      [0, 1],
      [1, 1],
    ],
    metadatas: [{ n: 1 }, { n: 2 }, null],
    documents: ['red fox', 'green frog', null],
    uris: null,
  };
  const reply = await send('POST', `${path}/add`, body);
  expect([reply.status, reply.json]).toEqual([201, true]);
  return path;
}

const answer = ({ status, json }: Reply): unknown[] => [status, json];

describe('the server', () => {
  test('tells the time at two places, its protocol and how much it takes', async () => {
    for (const path of ['', '/', '/heartbeat', '/heartbeat/']) {
      expect((await send('GET', path)).json).toEqual({ 'nanosecond heartbeat': expect.any(Number) });
    }
    expect((await send('GET', '/version')).json).toMatch(/^0\.\d+\.\d+$/);
    expect((await send('GET', '/pre-flight-checks')).json).toEqual({ max_batch_size: 5461 });
  });

  test('makes tenants and databases, which keep collections of one name apart', async () => {
    expect(answer(await send('POST', '/tenants', { name: 'acme' }))).toEqual([200, null]);
    expect(answer(await send('GET', '/tenants/acme'))).toEqual([200, { name: 'acme' }]);
    expect(answer(await send('POST', '/databases?tenant=acme', { name: 'library' }))).toEqual([200, null]);
    expect((await send('GET', '/databases/library?tenant=acme')).json).toEqual({
      id: expect.any(String),
      name: 'library',
      tenant: 'acme',
    });
    const here = await createCollection('books');
    const place = 'tenant=acme&database=library';
    const there = await send('POST', `/collections?${place}`, { name: 'books' });
    expect(there.json).toMatchObject({ name: 'books', tenant: 'acme', database: 'library' });
    expect((await send('GET', '/collections/books')).json).toMatchObject({ id: here });
    expect((await send('GET', `/collections/books?${place}`)).json).not.toMatchObject({ id: here });
    expect((await send('GET', `/count_collections?${place}`)).json).toBe(1);

    const id = (there.json as { id: string }).id;
    await send('POST', `/collections/${id}/add`, { ids: ['x'], embeddings: [[1]] });
    expect((await send('GET', `/collections/${id}/count`)).json).toBe(1);
    expect((await send('GET', `/collections/${here}/count`)).json).toBe(0);
    expect(answer(await send('DELETE', `/collections/books?${place}`))).toEqual([200, null]);
    expect((await send('GET', `/collections/${id}/count`)).status).toBe(404);
    await send('DELETE', '/collections/books');
  });

  test('forgets everything when it may', async () => {
    await createCollection('forgotten');
    expect(answer(await send('POST', '/reset'))).toEqual([200, true]);
    expect((await send('GET', '/collections')).json).toEqual([]);
  });

  test('shares its data with the API v2', async () => {
    const path = await fill('shared');
    const base = '/api/v2/tenants/default_tenant/databases/default_database';
    expect((await harness.send('GET', `${base}${path}/count`)).json).toBe(3);
  });
});

describe('collections', () => {
  test('are made, got, listed, renamed and deleted', async () => {
    const metadata = { 'hnsw:space': 'cosine', n: 1 };
    const id = await createCollection('life', { metadata });
    expect((await send('GET', '/collections/life')).json).toMatchObject({ id, name: 'life', metadata });
    const again = await send('POST', '/collections', {
      name: 'life',
      metadata: { m: 2 },
      get_or_create: true,
    });
    expect(again.json).toMatchObject({ id, metadata });
    expect(
      answer(await send('PUT', `/collections/${id}`, { new_name: 'lives', new_metadata: null })),
    ).toEqual([200, null]);
    await send('PUT', `/collections/${id}`, { new_name: null, new_metadata: { m: 3 } });
    const listed = (await send('GET', '/collections?limit=100')).json as { id: string }[];
    expect(listed.find((collection) => collection.id === id)).toMatchObject({
      name: 'lives',
      metadata: { m: 3 },
    });
    expect(answer(await send('DELETE', '/collections/lives'))).toEqual([200, null]);
  });

  test('take empty metadata for none, and lose theirs by it', async () => {
    const id = await createCollection('bare', { metadata: {} });
    expect((await send('GET', '/collections/bare')).json).toMatchObject({ metadata: null });
    await send('PUT', `/collections/${id}`, { new_metadata: { a: 1 } });
    await send('PUT', `/collections/${id}`, { new_metadata: {} });
    expect((await send('GET', '/collections/bare')).json).toMatchObject({ metadata: null });
  });

  test('have the members that each generation of clients can read, and no others for the oldest', async () => {
    const id = await createCollection('seen');
    const least = { id, name: 'seen', metadata: null };
    const placed = { ...least, tenant: 'default_tenant', database: 'default_database' };
    expect(await sendOld('GET', '/collections/seen')).toEqual(least);
    expect(await sendOld('GET', '/collections')).toContainEqual(least);
    const query = 'tenant=default_tenant&database=default_database';
    expect(await sendOld('GET', `/collections?${query}`)).toContainEqual(placed);
    expect((await send('GET', `/collections/seen?${query}`)).json).toEqual({
      ...placed,
      dimension: null,
      version: 0,
      log_position: 0,
      configuration_json: {
        hnsw_configuration: {
          space: 'l2',
          ef_construction: 100,
          ef_search: 100,
          num_threads: 4,
          M: 16,
          resize_factor: 1.2,
          batch_size: 100,
          sync_threshold: 1000,
          _type: 'HNSWConfigurationInternal',
        },
        _type: 'CollectionConfigurationInternal',
      },
    });
    expect(await sendOld('POST', '/collections', { name: 'seen', get_or_create: true })).toEqual(least);
  });

  test('take the space from the metadata, or from a configuration that says one', async () => {
    const configuration = (space: string) => ({
      hnsw_configuration: { space, ef_search: 10, num_threads: 2, M: 16, _type: 'HNSWConfigurationInternal' },
      _type: 'CollectionConfigurationInternal',
    });
    const cases = [
      [{ metadata: { 'hnsw:space': 'ip' } }, 'ip', 100],
      [{ metadata: { 'hnsw:space': 'ip' }, configuration: configuration('l2') }, 'ip', 100],
      [{ configuration: configuration('cosine') }, 'cosine', 100],
      [{ configuration: { hnsw_configuration: { ef_search: 40 } } }, 'l2', 40],
      [{ configuration: null }, 'l2', 100],
    ] as const;
    for (const [index, [rest, space, efSearch]] of cases.entries()) {
      const id = await createCollection(`space_${index}`, rest);
      const { configuration: made } = await harness.backend.findCollection(id);
      expect([index, made.hnsw.space, made.hnsw.efSearch]).toEqual([index, space, efSearch]);
    }
  });
});

describe('records', () => {
  test('are got as columns, with the names that clients expect', async () => {
    const path = await fill('columns');
    expect((await send('POST', `${path}/get`, {})).json).toEqual({
      ids: ['a', 'b', 'c'],
      embeddings: null,
      documents: ['red fox', 'green frog', null],
      uris: null,
      metadatas: [{ n: 1 }, { n: 2 }, null],
      include: ['documents', 'metadatas'],
      included: ['metadatas', 'documents'],
      data: null,
    });
    const body = { ids: ['c', 'a'], where: {}, where_document: {}, sort: null, limit: 1, offset: 0 };
    const embeddings = await send('POST', `${path}/get`, {
      ...body,
      include: ['embeddings', 'uris', 'data'],
    });
    expect(embeddings.json).toMatchObject({
      ids: ['a'],
      embeddings: [[1, 0]],
      uris: [null],
      data: null,
      included: ['embeddings', 'uris', 'data'],
    });
    expect((await send('GET', `${path}/count/`)).json).toBe(3);
  });

  test('are found by nearness, one list for each query', async () => {
    const path = await fill('near');
    const body = { query_embeddings: [[1, 0]], n_results: 2, where: {}, where_document: {} };
    expect((await send('POST', `${path}/query`, body)).json).toMatchObject({
      ids: [['a', 'c']],
      distances: [[0, 1]],
      documents: [['red fox', null]],
      metadatas: [[{ n: 1 }, null]],
      embeddings: null,
      included: ['metadatas', 'documents', 'distances'],
      data: null,
    });
    const filtered = { ...body, where_document: { $contains: 'frog' }, include: ['distances'] };
    expect((await send('POST', `${path}/query`, filtered)).json).toMatchObject({ ids: [['b']] });
  });

  test('are updated and upserted; ids that exist are left alone by an add', async () => {
    const path = await fill('changed');
    const update = { ids: ['a', 'zz'], metadatas: [{ m: 2 }, { m: 2 }], embeddings: null, documents: null };
    expect(answer(await send('POST', `${path}/update`, update))).toEqual([200, true]);
    const upsert = {
      ids: ['b', 'd'],
      embeddings: [
        [5, 5],
        [6, 6],
      ],
      metadatas: [{ m: 1 }, { m: 1 }],
    };
    expect(answer(await send('POST', `${path}/upsert`, upsert))).toEqual([200, true]);
    const add = { ids: ['a'], embeddings: [[9, 9]] };
    expect(answer(await send('POST', `${path}/add`, add))).toEqual([201, true]);
    const got = await send('POST', `${path}/get`, { include: ['metadatas', 'embeddings'] });
    expect(got.json).toMatchObject({
      ids: ['a', 'b', 'c', 'd'],
      metadatas: [{ n: 1, m: 2 }, { n: 2, m: 1 }, null, { m: 1 }],
      embeddings: [
        [1, 0],
        [5, 5],
        [1, 1],
        [6, 6],
      ],
    });
  });

  test('are deleted by ids and filters, and the answer lists those that were there', async () => {
    const path = await fill('deleted');
    const byId = { ids: ['zz', 'b'], where: {}, where_document: {} };
    expect(answer(await send('POST', `${path}/delete`, byId))).toEqual([200, ['b']]);
    const byFilter = { ids: null, where: { n: { $gte: 1 } }, where_document: {} };
    expect(answer(await send('POST', `${path}/delete`, byFilter))).toEqual([200, ['a']]);
    for (const nothing of [{}, { ids: [], where: {} }, { ids: null, where: null, where_document: null }]) {
      const reply = await send('POST', `${path}/delete`, nothing);
      expect([reply.status, reply.json]).toMatchObject([
        400,
        { error: 'InvalidArgumentError', message: expect.stringMatching(/^You must provide either ids/) },
      ]);
    }
    expect((await send('POST', `${path}/get`, {})).json).toMatchObject({ ids: ['c'] });
  });
});

describe('errors', () => {
  test('have the names that these clients turn into classes', async () => {
    const path = await fill('faults');
    const cases = [
      ['POST', '/collections', { name: 'faults' }, 409, 'UniqueConstraintError'],
      ['POST', '/collections', { name: 'x' }, 400, 'InvalidArgumentError'],
      ['POST', '/collections', { metadata: null }, 422, 'ChromaError'],
      ['GET', '/collections/nope', undefined, 404, 'InvalidCollection'],
      ['DELETE', '/collections/nope', undefined, 404, 'InvalidCollection'],
      ['GET', `/collections/${NOBODY}/count`, undefined, 404, 'InvalidCollection'],
      ['GET', '/collections/nope/count', undefined, 400, 'InvalidUUID'],
      ['PUT', '/collections/nope', { new_name: 'abc' }, 400, 'InvalidUUID'],
      ['PUT', `/collections/${NOBODY}`, {}, 404, 'InvalidCollection'],
      ['POST', `/collections/${NOBODY}/get`, {}, 404, 'InvalidCollection'],
      ['POST', `${path}/add`, { ids: ['x'], embeddings: [[1]] }, 400, 'InvalidDimension'],
      ['POST', `${path}/query`, { query_embeddings: [[1]] }, 400, 'InvalidDimension'],
      ['POST', `${path}/get`, { where: { $x: 1 } }, 400, 'InvalidArgumentError'],
      ['POST', `${path}/get`, { include: ['nope'] }, 422, 'ChromaError'],
      ['POST', '/tenants', { name: 'default_tenant' }, 409, 'UniqueConstraintError'],
      ['GET', '/tenants/nope', undefined, 404, 'NotFoundError'],
      ['GET', '/databases/nope', undefined, 404, 'NotFoundError'],
      ['POST', '/databases', { name: 'default_database' }, 409, 'UniqueConstraintError'],
      ['GET', '/collections?limit=-1', undefined, 400, 'InvalidArgumentError'],
    ] as const;
    for (const [method, where, body, status, error] of cases) {
      const reply = await send(method, where, body);
      const label = `${method} ${where}`;
      expect([label, reply.status, reply.json]).toMatchObject([
        label,
        status,
        { error, message: expect.any(String) },
      ]);
    }
  });

  test('a path that is none is a 404, a wrong method a 405', async () => {
    expect((await send('GET', '/nope')).status).toBe(404);
    expect((await send('GET', '/reset')).status).toBe(405);
    expect((await send('POST', '/raw_sql', {})).status).toBe(404);
  });
});
