/** The official `chromadb` client, unchanged, over a socket: its quick start, and each of its calls. */
import {
  AdminClient,
  ChromaClient,
  type Collection,
  type EmbeddingFunction,
  IncludeEnum,
  ReadLevel,
  Schema,
  SparseVectorIndexConfig,
  StringInvertedIndexConfig,
  VectorIndexConfig,
} from 'chromadb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../../src/api/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { createServer, type Listener, listen } from '../../src/server/index.ts';

/** Counts letters: deterministic, and texts with the same letters are near each other. */
class LetterCounts implements EmbeddingFunction {
  name = 'letter_counts';
  async generate(texts: string[]): Promise<number[][]> {
    return texts.map((text) => [...'aeinorst'].map((letter) => text.toLowerCase().split(letter).length - 1));
  }
}

let backend: Backend;
let listener: Listener;
let client: ChromaClient;
let collectionCount = 0;

beforeAll(async () => {
  backend = await openDatabase({ threads: 0, allowReset: true });
  listener = await listen(createServer(backend), { port: 0 });
  client = new ChromaClient({ host: '127.0.0.1', port: listener.port });
});

afterAll(async () => {
  await listener.close();
  await backend.close();
});

/** A collection with three records. */
async function makeCollection(): Promise<Collection> {
  collectionCount++;
  const collection = await client.createCollection({
    name: `made_${collectionCount}`,
    embeddingFunction: null,
  });
  await collection.add({
    ids: ['a', 'b', 'c'],
    embeddings: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
    documents: ['red fox', 'green frog', 'blue whale'],
    metadatas: [
      { n: 1, legs: 4, tags: ['x', 'y'] },
      { n: 2, legs: 4 },
      { n: 3.5, legs: 0, big: true },
    ],
    uris: ['u:a', 'u:b', 'u:c'],
  });
  return collection;
}

test('the quick start finds the nearest documents by text', async () => {
  const collection = await client.createCollection({
    name: 'my_collection',
    embeddingFunction: new LetterCounts(),
  });
  await collection.upsert({
    documents: ['This is a document about pineapple', 'This is a document about oranges'],
    ids: ['id1', 'id2'],
  });
  const results = await collection.query({ queryTexts: ['about oranges'], nResults: 2 });
  expect(results.ids).toEqual([['id2', 'id1']]);
  expect(results.documents[0]![0]).toBe('This is a document about oranges');
  expect(results.rows()[0]![0]!.distance).toBeLessThan(results.rows()[0]![1]!.distance!);
});

describe('the client', () => {
  test('reads heartbeat, version, limits and identity', async () => {
    expect(await client.heartbeat()).toBeGreaterThan(1.6e18);
    expect(await client.version()).toBe('1.0.0');
    expect(await client.getMaxBatchSize()).toBe(5461);
    expect(await client.supportsBase64Encoding()).toBe(true);
    expect(await client.getUserIdentity()).toMatchObject({
      tenant: 'default_tenant',
      databases: ['default_database'],
    });
  });

  test('creates, gets, lists, counts, modifies and deletes collections', async () => {
    const before = await client.countCollections();
    const name = 'life_of_a_collection';
    const created = await client.createCollection({
      name,
      metadata: { a: 1, b: 'two', c: true },
      configuration: { hnsw: { space: 'cosine', ef_search: 50 } },
      embeddingFunction: null,
    });
    expect(created.metadata).toEqual({ a: 1, b: 'two', c: true });
    expect(created.configuration.hnsw).toMatchObject({ space: 'cosine', ef_search: 50, max_neighbors: 16 });
    expect(await client.countCollections()).toBe(before + 1);
    expect((await client.listCollections()).map((collection) => collection.name)).toContain(name);
    expect((await client.getCollectionById(created.id)).name).toBe(name);
    await expect(client.createCollection({ name, embeddingFunction: null })).rejects.toThrow(
      /already exists/,
    );
    const again = await client.getOrCreateCollection({ name, metadata: { z: 1 }, embeddingFunction: null });
    expect([again.id, again.metadata]).toEqual([created.id, { a: 1, b: 'two', c: true }]);

    await created.modify({
      name: `${name}_2`,
      metadata: { d: 4 },
      configuration: { hnsw: { ef_search: 77 } },
    });
    const modified = await client.getCollection({ name: `${name}_2` });
    expect(modified.metadata).toEqual({ d: 4 });
    expect(modified.configuration.hnsw).toMatchObject({ space: 'cosine', ef_search: 77 });
    await client.deleteCollection({ name: `${name}_2` });
    await expect(client.getCollection({ name: `${name}_2` })).rejects.toThrow(/not.*found/i);
    expect(await client.countCollections()).toBe(before);
  });

  test('refuses names that are no names', async () => {
    await expect(client.createCollection({ name: 'x', embeddingFunction: null })).rejects.toThrow(
      /Expected a name/,
    );
  });
});

describe('records', () => {
  test('are counted, peeked at, and got by ids, filters and pages', async () => {
    const collection = await makeCollection();
    expect(await collection.count()).toBe(3);
    expect((await collection.peek({ limit: 2 })).ids).toEqual(['a', 'b']);
    expect((await collection.get({ ids: ['c', 'a', 'none'] })).ids).toEqual(['a', 'c']);
    expect((await collection.get({ where: { n: { $gt: 1 } } })).ids).toEqual(['b', 'c']);
    expect((await collection.get({ where: { tags: { $contains: 'x' } } })).ids).toEqual(['a']);
    expect((await collection.get({ whereDocument: { $contains: 'fr' } })).ids).toEqual(['b']);
    expect((await collection.get({ limit: 1, offset: 1 })).ids).toEqual(['b']);
    const rows = (
      await collection.get({
        ids: ['a'],
        include: [IncludeEnum.documents, IncludeEnum.embeddings, IncludeEnum.metadatas, IncludeEnum.uris],
      })
    ).rows();
    expect(rows).toEqual([
      {
        id: 'a',
        document: 'red fox',
        embedding: [1, 0, 0],
        metadata: { n: 1, legs: 4, tags: ['x', 'y'] },
        uri: 'u:a',
      },
    ]);
  });

  test('are found by nearness, with filters', async () => {
    const collection = await makeCollection();
    const found = await collection.query({
      queryEmbeddings: [
        [0.9, 0.1, 0],
        [0, 0, 2],
      ],
      nResults: 2,
      where: { $or: [{ legs: 4 }, { big: true }] },
    });
    expect(found.ids[0]![0]).toBe('a');
    expect(found.ids[1]![0]).toBe('c');
    expect(found.distances[1]![0]).toBe(1);
    expect(found.metadatas[1]![0]).toEqual({ n: 3.5, legs: 0, big: true });
    const filtered = await collection.query({
      queryEmbeddings: [[0, 0, 1]],
      whereDocument: { $regex: '^(red|green)' },
      ids: ['b', 'c'],
    });
    expect(filtered.ids).toEqual([['b']]);
  });

  test('are updated, upserted and deleted', async () => {
    const collection = await makeCollection();
    await collection.update({ ids: ['a', 'none'], metadatas: [{ n: 10 }, { n: 11 }] });
    await collection.update({ ids: ['a'], embeddings: [[2, 0, 0]], documents: ['fox'] });
    await collection.upsert({
      ids: ['b', 'd'],
      embeddings: [
        [1, 1, 0],
        [1, 1, 1],
      ],
      metadatas: [{ x: 1 }, { x: 2 }],
    });
    const got = await collection.get({
      include: [IncludeEnum.metadatas, IncludeEnum.documents, IncludeEnum.embeddings],
    });
    expect(got.ids).toEqual(['a', 'b', 'c', 'd']);
    expect(got.documents).toEqual(['fox', 'green frog', 'blue whale', null]);
    expect(got.metadatas[0]).toEqual({ n: 10, legs: 4, tags: ['x', 'y'] });
    expect(got.metadatas[1]).toEqual({ n: 2, legs: 4, x: 1 });
    expect(got.embeddings.slice(0, 2)).toEqual([
      [2, 0, 0],
      [1, 1, 0],
    ]);
    expect(await collection.delete({ ids: ['a'] })).toEqual({ deleted: 1 });
    expect(await collection.delete({ where: { legs: { $gte: 0 } } })).toEqual({ deleted: 2 });
    expect((await collection.get()).ids).toEqual(['d']);
  });

  test('are refused with the reason when they do not fit', async () => {
    const collection = await makeCollection();
    await expect(collection.add({ ids: ['e'], embeddings: [[1, 2]] })).rejects.toThrow(
      /dimension of 3, got 2/,
    );
    await expect(collection.query({ queryEmbeddings: [[1]] })).rejects.toThrow(/dimension of 3, got 1/);
    expect(await collection.count()).toBe(3);
  });

  test('of a deleted collection are not found', async () => {
    const collection = await makeCollection();
    await client.deleteCollection({ name: collection.name });
    await expect(collection.count()).rejects.toThrow(/not.*found/i);
  });

  test('are forked; the index is never behind', async () => {
    const collection = await makeCollection();
    expect(await collection.getIndexingStatus()).toMatchObject({
      op_indexing_progress: 1,
      num_unindexed_ops: 0,
    });
    const fork = await collection.fork({ name: 'forked' });
    expect([await fork.count(), await collection.forkCount()]).toEqual([await collection.count(), 1]);
    await expect(collection.fork({ name: 'forked' })).rejects.toThrow(/already exists/);
  });
});

describe('collections', () => {
  test('are had by resource name, several at once, and as handles that ask nothing', async () => {
    const [first, second] = [await makeCollection(), await makeCollection()];
    const crn = `default_tenant:default_database:${first.name}`;
    expect((await client.getCollectionByCrn(crn)).id).toBe(first.id);
    await expect(client.getCollectionByCrn('default_tenant:default_database:none')).rejects.toThrow(
      /not.*found/i,
    );
    const both = await client.getCollections([first.name, second.name]);
    expect(both.map(({ id }) => id)).toEqual([first.id, second.id]);
    const handle = client.collection(first.id);
    expect(await handle.count({ readLevel: ReadLevel.INDEX_ONLY })).toBe(3);
    expect(await handle.delete({ where: { legs: { $gte: 0 } }, limit: 2 })).toEqual({ deleted: 2 });
    expect((await handle.get()).ids).toEqual(['c']);
  });

  test('renamed onto a taken name are refused, and keep their own', async () => {
    const [first, second] = [await makeCollection(), await makeCollection()];
    const { name } = second;
    await expect(second.modify({ name: first.name })).rejects.toThrow(/already exists/);
    expect((await client.getCollection({ name })).id).toBe(second.id);
  });

  test('do what their schema says: space, and filters only on what is indexed', async () => {
    const schema = new Schema()
      .createIndex(new VectorIndexConfig({ space: 'ip', hnsw: { ef_search: 7 } }))
      .deleteIndex(new StringInvertedIndexConfig(), 'hidden');
    const made = await client.createCollection({ name: 'with_schema', schema, embeddingFunction: null });
    expect(made.configuration.hnsw).toMatchObject({ space: 'ip', ef_search: 7, max_neighbors: 16 });
    await made.add({ ids: ['a'], embeddings: [[1, 2]], metadatas: [{ hidden: 'x', shown: 'y' }] });
    expect((await made.get({ where: { shown: 'y' } })).ids).toEqual(['a']);
    const refused = /Cannot filter using metadata key 'hidden' with type 'Str' because indexing is disabled/;
    await expect(made.get({ where: { hidden: 'x' } })).rejects.toThrow(refused);
    await expect(made.query({ queryEmbeddings: [[1, 2]], where: { hidden: 'x' } })).rejects.toThrow(refused);
    await expect(made.delete({ where: { hidden: 'x' } })).rejects.toThrow(refused);
    const again = await client.getCollection({ name: 'with_schema' });
    const keys = again.schema!.serializeToJSON().keys;
    expect(Object.keys(keys).sort()).toEqual(['#document', '#embedding', 'hidden', 'shown']);
    expect(keys['#embedding']!['float_list']!['vector_index']!.config).toMatchObject({ space: 'ip' });
  });

  test('take a schema that says nothing, and refuse one with a sparse index', async () => {
    const made = await client.createCollection({
      name: 'with_empty_schema',
      schema: new Schema(),
      embeddingFunction: null,
    });
    expect(made.configuration.hnsw).toMatchObject({ space: 'l2' });
    const sparse = new Schema().createIndex(new SparseVectorIndexConfig(), 'terms');
    const input = { name: 'with_sparse', schema: sparse, embeddingFunction: null };
    await expect(client.createCollection(input)).rejects.toThrow(
      /Sparse vector indexing is not enabled in local/,
    );
  });
});

test('the admin client manages tenants and databases, which keep their collections apart', async () => {
  const admin = new AdminClient({ host: '127.0.0.1', port: listener.port, ssl: false });
  await admin.createTenant({ name: 'acme' });
  expect(await admin.getTenant({ name: 'acme' })).toBe('acme');
  await admin.createDatabase({ name: 'library', tenant: 'acme' });
  expect(await admin.listDatabases({ tenant: 'acme' })).toMatchObject([{ name: 'library', tenant: 'acme' }]);
  const inside = new ChromaClient({
    host: '127.0.0.1',
    port: listener.port,
    tenant: 'acme',
    database: 'library',
  });
  await inside.createCollection({ name: 'books', embeddingFunction: null });
  expect((await inside.listCollections()).map(({ name }) => name)).toEqual(['books']);
  await expect(client.getCollection({ name: 'books' })).rejects.toThrow(/not.*found/i);
  await admin.deleteDatabase({ name: 'library', tenant: 'acme' });
  await expect(admin.getDatabase({ name: 'library', tenant: 'acme' })).rejects.toThrow(/not.*found/i);
});

test('a collection with a recall of our own is like any other', async () => {
  const name = 'with_recall';
  const body = JSON.stringify({ name, configuration: { recall: 0.9, hnsw: { space: 'cosine' } } });
  const url = `${listener.url}/api/v2/tenants/default_tenant/databases/default_database/collections`;
  const made = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  expect(await made.json()).toMatchObject({ configuration_json: { recall: 0.9 } });
  const found = await client.getCollection({ name, embeddingFunction: new LetterCounts() });
  await found.add({ ids: ['a'], embeddings: [[1, 0]] });
  await found.modify({ configuration: { hnsw: { ef_search: 50 } } });
  expect((await found.query({ queryEmbeddings: [[1, 0]], nResults: 1 })).ids).toEqual([['a']]);
});
