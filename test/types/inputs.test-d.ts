/** What the methods take and what they refuse to take. Compiled, never run. */
import {
  AdminClient,
  Client,
  type Collection,
  type DatabaseClient,
  Double,
  EphemeralClient,
  HttpClient,
  PersistentClient,
} from '../../src/index.ts';
import { type Equal, expectTrue } from './equal.ts';

declare const collection: Collection;

export async function writes(): Promise<void> {
  const { signal } = new AbortController();
  await collection.add({ ids: ['a'], embeddings: [[1, 2]], signal });
  await collection.add({ ids: ['a'], embeddings: [new Float32Array(2), new Float64Array(2)], uris: [null] });
  await collection.add({
    ids: ['a'],
    documents: ['x', null],
    metadatas: [{ a: 1, b: ['x'], c: 2n, d: undefined }],
  });
  await collection.add({
    ids: ['a'],
    embeddings: [[1]],
    metadatas: [{ f: new Double(1), g: [1, new Double(2)] }],
  });
  await collection.upsert({ ids: ['a'], embeddings: [[1]], metadatas: [{ a: null }, null] });
  await collection.update({ ids: ['a'], embeddings: [null, [1]], metadatas: [{ a: null }] });
  // @ts-expect-error: null deletes a key, and a new record has none
  await collection.add({ ids: ['a'], embeddings: [[1]], metadatas: [{ a: null }] });
  // @ts-expect-error: metadata is not nested
  await collection.add({ ids: ['a'], embeddings: [[1]], metadatas: [{ a: { b: 1 } }] });
  // @ts-expect-error: arrays are of one type
  await collection.add({ ids: ['a'], embeddings: [[1]], metadatas: [{ a: [1, 'x'] }] });
  // @ts-expect-error: ids are needed
  await collection.add({ embeddings: [[1]] });
  // @ts-expect-error: a new record needs its embedding
  await collection.add({ ids: ['a'], embeddings: [null] });
}

export async function filters(): Promise<void> {
  await collection.get({ where: { year: 1990 } });
  await collection.get({
    where: { $and: [{ year: { $gte: 1990n } }, { $or: [{ tags: { $contains: 'x' } }] }] },
  });
  await collection.get({ where: { '#document': { $regex: '^a' } }, whereDocument: { $not_contains: 'x' } });
  // @ts-expect-error: order is of numbers
  await collection.get({ where: { name: { $gt: 'x' } } });
  // @ts-expect-error: no such operator
  await collection.get({ where: { name: { $like: 'x' } } });
  // @ts-expect-error: no such operator
  await collection.get({ whereDocument: { $matches: 'x' } });
}

export async function clients(): Promise<void> {
  const chosen = new Client({ path: './data' });
  expectTrue<Equal<typeof chosen, DatabaseClient>>();
  const called = Client({ host: 'localhost', port: 8000 });
  expectTrue<Equal<typeof called, DatabaseClient>>();
  const general: Client = called;
  await using client = new PersistentClient({
    path: './data',
    durability: 'relaxed',
    threads: 0,
    tenant: 'somebody',
  });
  new AdminClient(client);
  new AdminClient({ path: './data' });
  new EphemeralClient({ allowReset: true });
  new HttpClient({ host: 'localhost', headers: { authorization: 'x' }, database: 'here' });
  await general.createCollection({
    name: 'demo',
    configuration: { space: 'cosine', hnsw: { efSearch: 50 } },
  });
  await general.createCollection({ name: 'demo', embeddingFunction: null });
  // @ts-expect-error: a directory is needed
  new PersistentClient({ durability: 'full' });
  // @ts-expect-error: no such durability
  new EphemeralClient({ durability: 'none' });
  // @ts-expect-error: no such space
  await general.createCollection({ name: 'demo', configuration: { space: 'hamming' } });
}
