/**
 * Sentences of Chroma that clients and their users match on, request by request, and what filters match, by
 * the tables of the protocol’s reference.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DATABASE, Harness } from './harness.ts';

let harness: Harness;
let path: string;

beforeAll(async () => {
  harness = await Harness.open();
  path = await harness.createCollection('refusing');
  const records = {
    ids: ['one', 'float', 'big', 'text', 'flag', 'list', 'none'],
    embeddings: [
      [1, 0, 0],
      [2, 0, 0],
      [3, 0, 0],
      [4, 0, 0],
      [5, 0, 0],
      [6, 0, 0],
      [7, 0, 0],
    ],
    documents: ['Red fox', 'red\nfox', '100% fun_ny \\ text', '狐狸 fox', '', null, null],
  };
  const metadatas =
    '[{"k":1},{"k":1.5},{"k":9007199254740993},{"k":"1"},{"k":true},{"k":["a","b"],"f":[1.0],"i":[1]},null]';
  const body = `${JSON.stringify(records).slice(0, -1)},"metadatas":${metadatas}}`;
  expect((await harness.send('POST', `${path}/add`, body)).status).toBe(201);
});

afterAll(() => harness.backend.close());

const EMBEDDING = [[1, 2, 3]];

describe('a refusal begins with Chroma’s sentence', () => {
  test.each([
    ['add', { ids: [''], embeddings: EMBEDDING }, 'Empty ID, ID must have at least one character'],
    ['add', { ids: ['x'], embeddings: ['AAAA'] }, 'Invalid byte length: 3 bytes cannot be converted'],
    ['add', { ids: ['x'], embeddings: ['AACAPwAAgD8AAIA'] }, 'Invalid base64 string'],
    [
      'add',
      { ids: ['x'], embeddings: ['AADAfwAAgD8AAIA/'] },
      'Non-finite float value at embedding index 0: NaN',
    ],
    [
      'add',
      '{"ids":["x"],"embeddings":[[1e39,0,0]]}',
      'Validation error: embeddings: Embeddings must not contain NaN or Infinity values',
    ],
    [
      'add',
      { ids: ['x'], embeddings: [[]] },
      'Validation error: embeddings: Each embedding must have at least 1 dimension',
    ],
    [
      'add',
      { ids: ['x', 'y'], embeddings: [[1, 2, 3], [1]] },
      'Inconsistent dimensions in provided embeddings',
    ],
    [
      'add',
      { ids: ['x'], embeddings: EMBEDDING, documents: [] },
      'Inconsistent number of IDs, embeddings, documents, URIs and metadatas',
    ],
    [
      'add',
      { ids: ['x'], embeddings: EMBEDDING, metadatas: [{ '': 1 }] },
      'Validation error: metadatas: Invalid metadata at index 0',
    ],
    [
      'upsert',
      { ids: ['x'], embeddings: EMBEDDING, metadatas: [{ $a: 1 }] },
      'Validation error: metadatas: Invalid metadata at index 0',
    ],
    [
      'update',
      { ids: ['one'], embeddings: [[1]] },
      'Collection expecting embedding with dimension of 3, got 1',
    ],
    ['query', { query_embeddings: [[1, 2]] }, 'Collection expecting embedding with dimension of 3, got 2'],
    ['get', { where: { a: 1, b: 2 } }, 'Invalid where clause'],
    ['get', { where: { a: { $gt: 1, $lt: 5 } } }, 'Invalid where clause'],
    ['get', { where: { $nor: [] } }, 'Invalid where clause'],
    ['get', { where: { a: null } }, 'Invalid where clause'],
    ['get', { where: { a: { $eq: [1] } } }, 'Invalid where clause'],
    ['get', { where: { a: { $gt: 'x' } } }, 'Invalid where clause'],
    ['get', { where: { a: { $in: [] } } }, 'Invalid where clause'],
    ['get', { where: { a: { $in: ['x', 1] } } }, 'Invalid where clause'],
    ['get', { where: { a: { $exists: true } } }, 'Invalid where clause'],
    ['get', '{"where":{"a":9223372036854775808}}', 'Invalid where clause'],
    ['get', { where_document: { $matches: 'x' } }, 'Invalid where document clause'],
    ['get', { where_document: { $contains: 1 } }, 'Invalid where document clause'],
    ['get', { where_document: { $regex: '(?=x)' } }, 'Regex syntax errror: regex parse error: '],
    ['delete', { ids: [] }, 'Validation error: ids, where: Either ids or where must be specified'],
  ])('%s %j', async (verb, body, sentence) => {
    const { status, json } = await harness.send('POST', `${path}/${verb}`, body);
    const { error, message } = json as { error: string; message: string };
    expect([status, error, message.slice(0, sentence.length)]).toEqual([
      400,
      'InvalidArgumentError',
      sentence,
    ]);
  });

  test.each([
    [{ metadata: {} }, 'Validation error: metadata: Metadata cannot be empty'],
    [{ metadata: { '': 1 } }, 'Validation error: metadata: Metadata key cannot be empty'],
    [{ metadata: { $a: 1 } }, "Validation error: metadata: Metadata key cannot start with '#' or '$': $a"],
    [{ metadata: { 'hnsw:space': 'x' } }, 'Failed to parse hnsw parameters from segment metadata'],
    [{ configuration: { hnsw: {}, spann: {} } }, 'Multiple vector index configurations provided'],
    [
      {
        configuration: { hnsw: { space: 'ip' } },
        schema: {
          defaults: {},
          keys: { tag: { string: { string_inverted_index: { enabled: false, config: {} } } } },
        },
      },
      'Failed to reconcile schema: Cannot set both collection config and schema simultaneously',
    ],
  ])('a collection of %j', async (rest, sentence) => {
    const { status, json } = await harness.send('POST', `${DATABASE}/collections`, {
      name: 'refused',
      ...rest,
    });
    const { error, message } = json as { error: string; message: string };
    expect([status, error, message.slice(0, sentence.length)]).toEqual([
      400,
      'InvalidArgumentError',
      sentence,
    ]);
  });

  test.each([
    ['add', { ids: [1], embeddings: EMBEDDING }],
    ['add', { ids: ['x'] }],
    ['add', { ids: ['x'], embeddings: null }],
    ['add', { ids: ['x', 'y'], embeddings: [[1, 2, 3], 'AACAPwAAAEAAAEBA'] }],
    ['add', { ids: ['x'], embeddings: EMBEDDING, metadatas: [{ a: null }] }],
    ['add', { ids: ['x'], embeddings: EMBEDDING, metadatas: [{ a: [1, 'x'] }] }],
    ['add', { ids: ['x'], embeddings: EMBEDDING, metadatas: [{ a: [[1]] }] }],
    ['add', { ids: ['x'], embeddings: EMBEDDING, metadatas: [{ a: { b: 1 } }] }],
    ['upsert', { ids: ['x'], embeddings: [null] }],
    ['get', { include: ['data'] }],
    ['get', { include: null }],
    ['query', { query_embeddings: ['AACAPwAAAEAAAEBA'] }],
    ['query', { query_embeddings: [[1, 2, 3]], n_results: '1' }],
  ])('of another shape, with 422: %s %j', async (verb, body) => {
    const { status, json } = await harness.send('POST', `${path}/${verb}`, body);
    expect([status, json]).toMatchObject([
      422,
      {
        error: 'ChromaError',
        message: expect.stringMatching(/^Failed to deserialize the JSON body into the target type: /),
      },
    ]);
  });
});

describe('a filter matches', () => {
  const others = (...ids: string[]): string[] =>
    ['one', 'float', 'big', 'text', 'flag', 'list', 'none'].filter((id) => !ids.includes(id));

  test.each([
    ['{"k":1}', ['one']],
    ['{"k":1.0}', ['one']],
    ['{"k":1.5}', ['float']],
    ['{"k":9007199254740993}', ['big']],
    ['{"k":9007199254740992}', []],
    ['{"k":"1"}', ['text']],
    ['{"k":true}', ['flag']],
    ['{"k":{"$lt":1.5}}', ['one']],
    ['{"k":{"$gte":1.5}}', ['float', 'big']],
    ['{"k":{"$ne":1}}', others('one')],
    ['{"k":{"$in":[1,2]}}', ['one']],
    ['{"k":{"$nin":["1"]}}', others('text')],
    ['{"k":{"$contains":"a"}}', ['list']],
    ['{"k":{"$not_contains":"a"}}', others('list')],
    ['{"i":{"$contains":1}}', ['list']],
    ['{"f":{"$contains":1}}', []],
    ['{"$and":[]}', others()],
    ['{"$or":[]}', []],
    ['{"#document":{"$contains":"fox"}}', ['one', 'float', 'text']],
  ])('where %s', async (where, ids) => {
    expect((await harness.send('POST', `${path}/get`, `{"where":${where}}`)).json).toMatchObject({ ids });
  });

  test.each([
    [{ $contains: 'red' }, ['float']],
    [{ $contains: '%' }, ['big']],
    [{ $contains: '_' }, ['big']],
    [{ $contains: '狐' }, ['text']],
    [{ $contains: '' }, ['one', 'float', 'big', 'text', 'flag']],
    [{ $not_contains: 'fox' }, ['big', 'flag', 'list', 'none']],
    [{ $regex: 'd.fox' }, ['one']],
    [{ $regex: '(?s)d.fox' }, ['one', 'float']],
    [{ $regex: '(?i)^RED' }, ['one', 'float']],
    [{ $regex: '\\p{Han}+' }, ['text']],
    [{ $not_regex: 'fox' }, ['big', 'flag', 'list', 'none']],
  ])('documents of %j', async (where, ids) => {
    const reply = await harness.send('POST', `${path}/get`, { where_document: where });
    expect(reply.json).toMatchObject({ ids });
  });
});
