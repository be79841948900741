/**
 * The `chromadb` package of the years of the API v1, unchanged, over a socket: 1.5, which knows no tenants,
 * and 1.9, the last to speak it.
 */
import { ChromaClient as Client5 } from 'chromadb-1-5';
import { AdminClient, ChromaClient as Client9 } from 'chromadb-1-9';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../../src/api/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { createServer, type Listener, listen } from '../../src/server/index.ts';

type Row = Record<string, unknown>;

/** What both have in common. */
interface OldCollection {
  readonly id: string;
  readonly name: string;
  readonly metadata?: Row | null;
  add(input: Row): Promise<unknown>;
  upsert(input: Row): Promise<unknown>;
  update(input: Row): Promise<unknown>;
  get(input?: Row): Promise<Row>;
  query(input: Row): Promise<Row>;
  peek(input?: Row): Promise<Row>;
  count(): Promise<number>;
  delete(input?: Row): Promise<unknown>;
  modify(input: Row): Promise<unknown>;
}
interface OldClient {
  heartbeat(): Promise<number>;
  version(): Promise<string>;
  reset(): Promise<unknown>;
  createCollection(input: Row): Promise<OldCollection>;
  getOrCreateCollection(input: Row): Promise<OldCollection>;
  getCollection(input: Row): Promise<OldCollection>;
  deleteCollection(input: Row): Promise<unknown>;
  listCollections(): Promise<{ name: string }[]>;
}

/** As many numbers as there are of some letters. */
const embeddingFunction = {
  generate: async (texts: string[]): Promise<number[][]> =>
    texts.map((text) => [...'aeiors'].map((letter) => text.split(letter).length - 1)),
};

let backend: Backend;
let listener: Listener;

beforeAll(async () => {
  backend = await openDatabase({ threads: 0, allowReset: true });
  listener = await listen(createServer(backend), { port: 0 });
});

afterAll(async () => {
  await listener.close();
  await backend.close();
});

describe.each([
  ['1.5.11', (path: string) => new Client5({ path }) as unknown as OldClient],
  ['1.9.2', (path: string) => new Client9({ path }) as unknown as OldClient],
])('chromadb %s', (_, connect) => {
  let client: OldClient;

  beforeAll(async () => {
    client = connect(listener.url);
    await client.reset();
  });

  async function makeCollection(name: string): Promise<OldCollection> {
    const collection = await client.createCollection({ name, embeddingFunction });
    await collection.add({
      ids: ['a', 'b', 'c'],
      embeddings: [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
      metadatas: [{ n: 1 }, { n: 2, s: 'x' }, { n: 3.5 }],
      documents: ['red fox', 'green frog', 'blue whale'],
    });
    return collection;
  }

  test('reads heartbeat and version', async () => {
    expect(await client.heartbeat()).toBeGreaterThan(1.6e18);
    expect(await client.version()).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test('creates, gets, lists, modifies and deletes collections', async () => {
    const created = await client.createCollection({ name: 'life', metadata: { 'hnsw:space': 'cosine' } });
    expect(created.name).toBe('life');
    const again = await client.getOrCreateCollection({ name: 'life' });
    expect([again.id, again.metadata]).toEqual([created.id, { 'hnsw:space': 'cosine' }]);
    expect((await client.listCollections()).map(({ name }) => name)).toEqual(['life']);
    await created.modify({ name: 'lives', metadata: { a: 1 } });
    expect((await client.getCollection({ name: 'lives', embeddingFunction })).metadata).toEqual({ a: 1 });
    await expect(client.createCollection({ name: 'lives' })).rejects.toThrow();
    await client.deleteCollection({ name: 'lives' });
    await expect(client.getCollection({ name: 'lives', embeddingFunction })).rejects.toThrow();
    expect(await client.listCollections()).toEqual([]);
  });

  test('adds, counts, gets and peeks', async () => {
    const collection = await makeCollection('read');
    expect(await collection.count()).toBe(3);
    const got = await collection.get({ where: { n: { $gt: 1 } }, include: ['metadatas', 'embeddings'] });
    expect(got).toMatchObject({
      ids: ['b', 'c'],
      metadatas: [{ n: 2, s: 'x' }, { n: 3.5 }],
      embeddings: [
        [0, 1, 0],
        [0, 0, 1],
      ],
      documents: null,
    });
    expect(await collection.get({ ids: ['c', 'a', 'none'] })).toMatchObject({ ids: ['a', 'c'] });
    expect(await collection.get({ whereDocument: { $contains: 'fr' } })).toMatchObject({ ids: ['b'] });
    expect(await collection.get({ limit: 1, offset: 1 })).toMatchObject({ ids: ['b'] });
    expect(await collection.peek({ limit: 2 })).toMatchObject({ ids: ['a', 'b'] });
  });

  test('queries by embeddings and by texts', async () => {
    const collection = await makeCollection('asked');
    const near = await collection.query({ queryEmbeddings: [[0.9, 0.1, 0]], nResults: 2 });
    expect(near).toMatchObject({ ids: [['a', 'b']], documents: [['red fox', 'green frog']] });
    const texts = await client.createCollection({ name: 'texts', embeddingFunction });
    await texts.add({ ids: ['1', '2'], documents: ['orange', 'lemon'] });
    expect(await texts.query({ queryTexts: ['oranges'], nResults: 1 })).toMatchObject({ ids: [['1']] });
  });

  test('updates, upserts and deletes', async () => {
    const collection = await makeCollection('written');
    await collection.update({ ids: ['a'], metadatas: [{ m: 1 }] });
    await collection.upsert({
      ids: ['b', 'd'],
      embeddings: [
        [1, 1, 0],
        [1, 1, 1],
      ],
      metadatas: [{ m: 2 }, { m: 3 }],
    });
    expect(await collection.get()).toMatchObject({
      ids: ['a', 'b', 'c', 'd'],
      metadatas: [{ n: 1, m: 1 }, { n: 2, s: 'x', m: 2 }, { n: 3.5 }, { m: 3 }],
    });
    expect(await collection.delete({ ids: ['a'] })).toEqual(['a']);
    expect(await collection.delete({ where: { n: { $gte: 2 } } })).toEqual(['b', 'c']);
    expect(await collection.get()).toMatchObject({ ids: ['d'] });
  });
});

test('chromadb 1.9 manages tenants and databases', async () => {
  const admin = new AdminClient({ path: listener.url });
  await admin.createTenant({ name: 'acme' });
  expect(await admin.getTenant({ name: 'acme' })).toMatchObject({ name: 'acme' });
  await admin.createDatabase({ name: 'library', tenantName: 'acme' });
  expect(await admin.getDatabase({ name: 'library', tenantName: 'acme' })).toMatchObject({ name: 'library' });
  const inside = new Client9({ path: listener.url, tenant: 'acme', database: 'library' });
  await inside.createCollection({ name: 'books', embeddingFunction });
  expect(await inside.countCollections()).toBe(1);
  expect((await inside.listCollections()).map(({ name }) => name)).toEqual(['books']);
  const outside = new Client9({ path: listener.url });
  await expect(outside.getCollection({ name: 'books', embeddingFunction })).rejects.toThrow(/does not exist/);
});
