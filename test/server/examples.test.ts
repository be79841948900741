/**
 * What the protocol's reference shows of real requests and answers: bodies as Chroma's clients were seen to
 * send them, and what a server of Chroma's answered, member by member and number by number.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DATABASE, Harness } from './harness.ts';

let harness: Harness;
let nameCount = 0;

beforeAll(async () => {
  harness = await Harness.open();
});

afterAll(() => harness.backend.close());

/** The path of a new collection. */
function collection(rest: Record<string, unknown> = {}): Promise<string> {
  nameCount++;
  return harness.createCollection(`example_${nameCount}`, rest);
}

async function post(path: string, body: unknown): Promise<unknown> {
  const reply = await harness.send('POST', path, body);
  expect([path, reply.status < 300, reply.text]).toEqual([path, true, reply.text]);
  return reply.json;
}

/** Status and message of a refusal. */
async function refusal(path: string, body: unknown, method = 'POST'): Promise<[number, string, string]> {
  const { status, json } = await harness.send(method, path, body);
  const { error, message } = json as { error: string; message: string };
  return [status, error, message];
}

const DEFAULT_FUNCTION = { type: 'known', name: 'default', config: {} };

describe('a collection', () => {
  test('shows all ten members, with configuration and schema completed', async () => {
    const body = {
      name: 'demo',
      metadata: null,
      configuration: { hnsw: { space: 'cosine' }, spann: null, embedding_function: DEFAULT_FUNCTION },
      schema: null,
      get_or_create: false,
    };
    const shown = await post(`${DATABASE}/collections`, body);
    const vector = { space: 'cosine', embedding_function: DEFAULT_FUNCTION };
    const hnsw = {
      ef_construction: 100,
      max_neighbors: 16,
      ef_search: 100,
      num_threads: 4,
      batch_size: 100,
      sync_threshold: 1000,
      resize_factor: 1.2,
    };
    const off = { enabled: false, config: {} };
    const on = { enabled: true, config: {} };
    expect(shown).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: 'demo',
      configuration_json: {
        hnsw: {
          space: 'cosine',
          ef_construction: 100,
          ef_search: 100,
          max_neighbors: 16,
          resize_factor: 1.2,
          sync_threshold: 1000,
        },
        spann: null,
        embedding_function: DEFAULT_FUNCTION,
      },
      schema: {
        defaults: {
          string: { fts_index: off, string_inverted_index: on },
          float_list: { vector_index: { enabled: false, config: { ...vector, hnsw } } },
          sparse_vector: {
            sparse_vector_index: {
              enabled: false,
              config: { embedding_function: { type: 'unknown' }, bm25: false },
            },
          },
          int: { int_inverted_index: on },
          float: { float_inverted_index: on },
          bool: { bool_inverted_index: on },
        },
        keys: {
          '#document': { string: { fts_index: on, string_inverted_index: off } },
          '#embedding': {
            float_list: {
              vector_index: { enabled: true, config: { ...vector, source_key: '#document', hnsw } },
            },
          },
        },
      },
      metadata: null,
      dimension: null,
      tenant: 'default_tenant',
      database: 'default_database',
      log_position: 0,
      version: 0,
    });
  });

  test('has no embedding function in its schema where none was given', async () => {
    const path = await collection();
    const shown = (await harness.send('GET', path.replace('/collections/', '/collections/by-id/'))).json;
    expect(shown).toMatchObject({ configuration_json: { embedding_function: null } });
    const { schema } = shown as { schema: { keys: Record<string, unknown> } };
    expect(JSON.stringify(schema.keys['#embedding'])).not.toContain('embedding_function');
  });

  test('says what its names may be in Chroma’s words', async () => {
    const rule = 'Expected a name containing 3-512 characters from [a-zA-Z0-9._-], starting and ending with';
    const cases = [
      ['a b', `Validation error: name: ${rule} a character in [a-zA-Z0-9]. Got: a b`],
      [
        'a..b',
        'Validation error: name: Expected a name that does not contains two consecutive periods (..). Got a..b',
      ],
      ['127.0.0.1', 'Validation error: name: Expected a name that is not a valid ip address. Got 127.0.0.1'],
    ];
    for (const [name, message] of cases) {
      expect(await refusal(`${DATABASE}/collections`, { name })).toEqual([
        400,
        'InvalidArgumentError',
        message,
      ]);
    }
    expect(await harness.createCollection('abc+def')).toContain('/collections/');
  });

  test('grows its schema by the keys that records bring, arrays by the type of their elements', async () => {
    const path = await collection();
    await post(`${path}/add`, {
      ids: ['a'],
      embeddings: [[1]],
      metadatas: [{ s: 'x', n: 1, f: 1.5, b: true, tags: ['p', 'q'] }],
    });
    const shown = (await harness.send('GET', path.replace('/collections/', '/collections/by-id/'))).json;
    const block = (type: string): unknown => ({ [`${type}_inverted_index`]: { enabled: true, config: {} } });
    const { schema } = shown as { schema: { keys: unknown } };
    expect(schema.keys).toMatchObject({
      s: { string: { fts_index: { enabled: false, config: {} }, ...(block('string') as object) } },
      n: { int: block('int') },
      f: { float: block('float') },
      b: { bool: block('bool') },
      tags: { string: block('string') },
    });
  });
});

describe('bodies of the JavaScript client', () => {
  test('are answered in its order of calls', async () => {
    const created = await post(`${DATABASE}/collections`, {
      name: 'javascript',
      configuration: { hnsw: { ef_search: 50, space: 'cosine' }, embedding_function: { type: 'legacy' } },
      metadata: { a: 1 },
      get_or_create: false,
    });
    expect(created).toMatchObject({
      metadata: { a: 1 },
      configuration_json: {
        hnsw: { ef_search: 50, space: 'cosine' },
        embedding_function: { type: 'legacy' },
      },
    });
    const path = `${DATABASE}/collections/${(created as { id: string }).id}`;
    const add = {
      ids: ['a', 'b'],
      embeddings: ['AACAPwAAgD8AAAAA', 'AAAAQAAAgD8AAAAA'],
      documents: ['x', 'yy'],
      metadatas: [{ k: 1, tags: ['p', 'q'] }, { k: 2.5 }],
    };
    const added = await harness.send('POST', `${path}/add`, add);
    expect([added.status, added.json]).toEqual([201, {}]);
    expect(
      await post(`${path}/upsert`, { ids: ['c'], embeddings: ['AACAPwAAAEAAAEBA'], uris: ['u'] }),
    ).toEqual({});
    expect(await post(`${path}/update`, { ids: ['a'], metadatas: [{ k: 5 }] })).toEqual({});
    expect(await post(`${path}/get`, { include: ['documents', 'metadatas', 'embeddings', 'uris'] })).toEqual({
      ids: ['a', 'b', 'c'],
      embeddings: [
        [1, 1, 0],
        [2, 1, 0],
        [1, 2, 3],
      ],
      documents: ['x', 'yy', null],
      uris: [null, null, 'u'],
      metadatas: [{ k: 5, tags: ['p', 'q'] }, { k: 2.5 }, {}],
      include: ['documents', 'metadatas', 'embeddings', 'uris'],
    });
    const query = {
      include: ['metadatas', 'documents', 'distances'],
      n_results: 2,
      query_embeddings: [[2, 1, 0]],
      where: { k: { $gte: 1 } },
    };
    expect(await post(`${path}/query`, query)).toEqual({
      ids: [['b', 'a']],
      embeddings: null,
      documents: [['yy', 'x']],
      uris: null,
      metadatas: [[{ k: 2.5 }, { k: 5, tags: ['p', 'q'] }]],
      distances: [[expect.closeTo(0, 6), expect.closeTo(0.05131668, 6)]],
      include: ['metadatas', 'documents', 'distances'],
    });
    expect(await post(`${path}/delete`, { where: { k: { $gt: 1 } } })).toEqual({ deleted: 2 });
    const put = await harness.send('PUT', path, {
      new_name: 'javascript_2',
      new_metadata: { q: 1 },
      new_configuration: { hnsw: { ef_search: 77 } },
    });
    expect([put.status, put.json]).toEqual([200, {}]);
    expect((await harness.send('GET', `${DATABASE}/collections/javascript_2`)).json).toMatchObject({
      metadata: { q: 1 },
      configuration_json: { hnsw: { ef_search: 77, space: 'cosine' } },
      schema: {
        keys: { '#embedding': { float_list: { vector_index: { config: { hnsw: { ef_search: 77 } } } } } },
      },
    });
  });
});

describe('bodies of the Python client', () => {
  test('with null for all that was left out are as good as without', async () => {
    const created = (await post(`${DATABASE}/collections`, {
      name: 'python',
      metadata: null,
      configuration: { hnsw: { space: 'l2' }, spann: null, embedding_function: DEFAULT_FUNCTION },
      schema: null,
      get_or_create: true,
    })) as { id: string };
    const path = `${DATABASE}/collections/${created.id}`;
    const nothing = { metadatas: null, documents: null, uris: null };
    await post(`${path}/add`, {
      ids: ['a', 'b'],
      embeddings: ['AACAPwAAAEAAAEBA', 'AAAAAAAAAAAAAAAA'],
      ...nothing,
    });
    await post(`${path}/update`, { ids: ['a'], embeddings: null, ...nothing, documents: ['text'] });
    const selection = { ids: null, where: null, where_document: null };
    const got = await post(`${path}/get`, {
      ...selection,
      limit: null,
      offset: null,
      include: ['metadatas', 'documents'],
    });
    expect(got).toMatchObject({ ids: ['a', 'b'], documents: ['text', null], metadatas: [null, null] });
    const query = { ...selection, query_embeddings: [[1, 2, 3]], n_results: 10 };
    expect(await post(`${path}/query`, { ...query, include: ['distances'] })).toMatchObject({
      ids: [['a', 'b']],
      distances: [[0, 14]],
    });
    const nulls = { new_metadata: null, new_name: null, new_configuration: null };
    expect((await harness.send('PUT', path, nulls)).json).toEqual({});
    expect((await harness.send('GET', `${path}/count?read_level=index_and_wal`)).text).toBe('2');
    expect(await post(`${path}/delete`, { ...selection, ids: ['a', 'a', 'zz'] })).toEqual({ deleted: 3 });
  });
});

describe('records', () => {
  test('answers are spelled with a point where a float is meant', async () => {
    const path = await collection();
    const body = '{"ids":["a"],"embeddings":[[1,2.5,3]],"metadatas":[{"i":1,"f":1.0,"l":[1,2.5],"b":true}]}';
    await post(`${path}/add`, body);
    const { text } = await harness.send('POST', `${path}/get`, { include: ['embeddings', 'metadatas'] });
    expect(text).toBe(
      '{"ids":["a"],"embeddings":[[1.0,2.5,3.0]],"documents":null,"uris":null,' +
        '"metadatas":[{"i":1,"f":1.0,"l":[1.0,2.5],"b":true}],"include":["embeddings","metadatas"]}',
    );
  });

  test('keep the order of insertion, whatever is asked, updated or added again', async () => {
    const path = await collection();
    const embeddings = [[1], [2], [3]];
    await post(`${path}/add`, { ids: ['a', 'b', 'c'], embeddings });
    await post(`${path}/update`, { ids: ['a'], documents: ['later'] });
    await post(`${path}/delete`, { ids: ['b'] });
    await post(`${path}/add`, { ids: ['b'], embeddings: [[4]] });
    expect(await post(`${path}/get`, { ids: ['b', 'c', 'a', 'b', 'zz'] })).toMatchObject({
      ids: ['a', 'c', 'b'],
    });
    expect(await post(`${path}/get`, { offset: 2 })).toMatchObject({ ids: ['b'] });
    expect(await post(`${path}/get`, { offset: 9 })).toMatchObject({ ids: [] });
    expect(await post(`${path}/get`, { limit: 0 })).toMatchObject({ ids: [] });
    expect(await post(`${path}/get`, { ids: [] })).toMatchObject({ ids: [], documents: [], metadatas: [] });
  });

  test('an id twice: the first wins in an add, the last in an upsert, both in turn in an update', async () => {
    const path = await collection();
    const twice = { ids: ['a', 'a'], embeddings: [[1], [2]], metadatas: [{ x: 1 }, { y: 2 }] };
    await post(`${path}/add`, twice);
    const all = { include: ['embeddings', 'metadatas'] };
    expect(await post(`${path}/get`, all)).toMatchObject({ embeddings: [[1]], metadatas: [{ x: 1 }] });
    await post(`${path}/upsert`, { ...twice, metadatas: [{ x: 3, z: 1 }, { y: 2 }] });
    expect(await post(`${path}/get`, all)).toMatchObject({
      embeddings: [[2]],
      metadatas: [{ x: 3, y: 2, z: 1 }],
    });
    await post(`${path}/update`, {
      ids: ['a', 'a'],
      metadatas: [
        { x: null, w: 1 },
        { w: 2, y: null },
      ],
    });
    expect(await post(`${path}/get`, all)).toMatchObject({ metadatas: [{ z: 1, w: 2 }] });
  });

  test('an update leaves what it does not mention, and takes away what it sets to null', async () => {
    const path = await collection();
    await post(`${path}/add`, {
      ids: ['a'],
      embeddings: [[1]],
      documents: ['text'],
      uris: ['u'],
      metadatas: [{ k: 1, l: [1] }],
    });
    await post(`${path}/update`, { ids: ['a'], documents: [null], uris: [null], metadatas: [{}] });
    await post(`${path}/update`, { ids: ['a'], metadatas: [{ k: [1, 2], l: 'scalar' }] });
    const include = ['documents', 'uris', 'metadatas'];
    expect(await post(`${path}/get`, { include })).toMatchObject({
      documents: ['text'],
      uris: ['u'],
      metadatas: [{ k: [1, 2], l: 'scalar' }],
    });
    await post(`${path}/update`, { ids: ['a'], documents: [''], metadatas: [{ k: null, l: [] }] });
    expect(await post(`${path}/get`, { include })).toMatchObject({ documents: [''], metadatas: [{}] });
  });

  test('an update of ids that are not there fixes the dimension all the same', async () => {
    const path = await collection();
    await post(`${path}/update`, { ids: ['none'], embeddings: [[1, 2, 3]] });
    expect(await post(`${path}/get`, {})).toMatchObject({ ids: [] });
    expect(await refusal(`${path}/add`, { ids: ['a'], embeddings: [[1, 2]] })).toEqual([
      400,
      'InvalidArgumentError',
      expect.stringMatching(/^Collection expecting embedding with dimension of 3, got 2/),
    ]);
  });

  test('what a record without metadata, or with a uri alone, shows', async () => {
    const path = await collection();
    await post(`${path}/add`, {
      ids: ['none', 'document', 'uri'],
      embeddings: [[1], [2], [3]],
      documents: [null, 'text', null],
      uris: [null, null, 'u'],
    });
    expect(await post(`${path}/get`, {})).toMatchObject({ metadatas: [null, null, {}] });
  });

  test('the key chroma:document is the document, and chroma:uri the uri', async () => {
    const path = await collection();
    const metadatas = [{ 'chroma:document': 'text', 'chroma:uri': 'u', k: 1 }];
    await post(`${path}/add`, { ids: ['a'], embeddings: [[1]], metadatas });
    const include = ['documents', 'uris', 'metadatas'];
    expect(await post(`${path}/get`, { include })).toMatchObject({
      documents: ['text'],
      uris: ['u'],
      metadatas: [{ k: 1 }],
    });
    expect(await post(`${path}/get`, { where: { 'chroma:document': 'text' } })).toMatchObject({ ids: ['a'] });
  });

  test('distances are squared, and one minus the cosine or the product', async () => {
    const rows = {
      ids: ['a', 'b', 'zero'],
      embeddings: [
        [1, 0],
        [3, 4],
        [0, 0],
      ],
    };
    const expected = {
      l2: [
        ['a', 4],
        ['zero', 1],
        ['b', 32],
      ],
      cosine: [
        ['a', 0],
        ['b', 0.4],
        ['zero', 1],
      ],
      ip: [
        ['b', -2],
        ['a', 0],
        ['zero', 1],
      ],
    } as const;
    for (const [space, near] of Object.entries(expected)) {
      const path = await collection({ configuration: { hnsw: { space } } });
      await post(`${path}/add`, rows);
      const query = space === 'l2' ? [-1, 0] : [1, 0];
      const answer = (await post(`${path}/query`, { query_embeddings: [query] })) as {
        ids: string[][];
        distances: number[][];
      };
      const found = answer.ids[0]!.map((id, i) => [id, Math.round(answer.distances[0]![i]! * 1e6) / 1e6]);
      expect([space, Object.fromEntries(found)]).toEqual([space, Object.fromEntries(near)]);
    }
  });

  test('queries of an empty collection, of none, and for none', async () => {
    const path = await collection();
    const empty = { ids: [[]], documents: [[]], metadatas: [[]], distances: [[]], embeddings: null };
    expect(await post(`${path}/query`, { query_embeddings: [[1, 2, 3, 4, 5]] })).toMatchObject(empty);
    await post(`${path}/add`, { ids: ['a'], embeddings: [[1]] });
    expect(await post(`${path}/query`, { query_embeddings: [] })).toMatchObject({ ids: [] });
    expect(await post(`${path}/query`, { query_embeddings: [[1]], n_results: 0 })).toMatchObject(empty);
    expect(await post(`${path}/query`, { query_embeddings: [[1]], ids: [] })).toMatchObject(empty);
    expect(await post(`${path}/query`, { query_embeddings: [[1]], ids: ['zz', 'a'] })).toMatchObject({
      ids: [['a']],
    });
  });
});
