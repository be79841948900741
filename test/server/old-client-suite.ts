/**
 * What the clients of `chromadb` before 3.0 are asked to do. Their classes differ in types and details from
 * one minor version to the next, but not in this.
 */
import { beforeAll, expect, test } from 'vitest';

type Row = Record<string, unknown>;

/** A collection of theirs. */
export interface OldCollection {
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
/** A client of theirs. */
export interface OldClient {
  heartbeat(): Promise<number>;
  version(): Promise<string>;
  reset(): Promise<unknown>;
  createCollection(input: Row): Promise<OldCollection>;
  getOrCreateCollection(input: Row): Promise<OldCollection>;
  getCollection(input: Row): Promise<OldCollection>;
  deleteCollection(input: Row): Promise<unknown>;
  /** Some versions list names alone. */
  listCollections(): Promise<(string | { name: string })[]>;
}

function nameOf(collection: string | { name: string }): string {
  return typeof collection === 'string' ? collection : collection.name;
}

/** As many numbers as there are of some letters. */
export const embeddingFunction = {
  generate: async (texts: string[]): Promise<number[][]> =>
    texts.map((text) => [...'aeiors'].map((letter) => text.split(letter).length - 1)),
};

/**
 * Declares the tests of one client. `deleted` is what its `delete` gives for some ids: early clients list
 * them, later ones give nothing.
 */
export function testOldClient(connect: () => OldClient, deleted: (ids: string[]) => unknown): void {
  let client: OldClient;

  beforeAll(async () => {
    client = connect();
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
    expect((await client.listCollections()).map(nameOf)).toEqual(['life']);
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
    expect(await collection.delete({ ids: ['a'] })).toEqual(deleted(['a']));
    expect(await collection.delete({ where: { n: { $gte: 2 } } })).toEqual(deleted(['b', 'c']));
    expect(await collection.get()).toMatchObject({ ids: ['d'] });
  });
}
