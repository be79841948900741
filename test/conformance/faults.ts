/** Bad input and calls at the wrong time: each a typed error, and nothing half done. */
import { describe, expect, test } from 'vitest';
import type { Backend } from '../../src/api/index.ts';
import type { Collection, GetInput, QueryInput, RecordsInput } from '../../src/client/index.ts';
import { expectFault, type Subject, scopeOf } from './subject.ts';

/** One call of every method that works on a collection. */
function collectionCalls(
  collection: Collection,
  signal?: AbortSignal,
): Record<string, () => Promise<unknown>> {
  const records = { ids: ['a'], embeddings: [[1]], signal };
  return {
    add: () => collection.add(records),
    upsert: () => collection.upsert(records),
    update: () => collection.update(records),
    delete: () => collection.delete({ ids: ['a'], signal }),
    get: () => collection.get({ signal }),
    peek: () => collection.peek({ signal }),
    query: () => collection.query({ queryEmbeddings: [[1]], signal }),
    count: () => collection.count({ signal }),
    settle: () => collection.settle({ signal }),
    stats: () => collection.stats({ signal }),
    verify: () => collection.verify({ signal }),
    repair: () => collection.repair({ signal }),
    modify: () => collection.modify({ metadata: { a: 1 }, signal }),
  };
}

/** One call of every other method. */
function clientCalls(
  { client, admin }: Subject,
  signal: AbortSignal,
): Record<string, () => Promise<unknown>> {
  const name = 'never-made';
  const place = { name, tenant: 'default_tenant', signal };
  return {
    heartbeat: () => client.heartbeat({ signal }),
    version: () => client.version({ signal }),
    reset: () => client.reset({ signal }),
    getUserIdentity: () => client.getUserIdentity({ signal }),
    getMaxBatchSize: () => client.getMaxBatchSize({ signal }),
    countCollections: () => client.countCollections({ signal }),
    listCollections: () => client.listCollections({ signal }),
    createCollection: () => client.createCollection({ name, signal }),
    getOrCreateCollection: () => client.getOrCreateCollection({ name, signal }),
    getCollection: () => client.getCollection({ name, signal }),
    getCollections: () => client.getCollections([name], { signal }),
    getCollectionById: () => client.getCollectionById('11111111-1111-4111-8111-111111111111', { signal }),
    deleteCollection: () => client.deleteCollection({ name, signal }),
    createTenant: () => admin.createTenant({ name, signal }),
    getTenant: () => admin.getTenant({ name, signal }),
    createDatabase: () => admin.createDatabase(place),
    getDatabase: () => admin.getDatabase(place),
    listDatabases: () => admin.listDatabases({ tenant: 'default_tenant', signal }),
    deleteDatabase: () => admin.deleteDatabase(place),
  };
}

/** See the top of this file. */
export function faultCases(subject: Subject): void {
  describe('bad input', () => {
    const add = async (input: object): Promise<void> => {
      const made = await subject.collection();
      await made.add({ ids: ['a', 'b'], embeddings: [[1], [2]], ...input } as RecordsInput);
    };

    test.each<[string, object, string, RegExp]>([
      ['no ids', { ids: [], embeddings: [] }, 'TESSERA_INVALID_ID', /at least one/],
      ['an id twice', { ids: ['a', 'a'] }, 'TESSERA_DUPLICATE_ID', /"a"/],
      ['an empty id', { ids: ['a', ''] }, 'TESSERA_INVALID_ID', /^Empty ID/],
      ['an over-long id', { ids: ['a', 'x'.repeat(5000)] }, 'TESSERA_INVALID_ID', /4096/],
      ['an id that is no string', { ids: ['a', 1] }, 'TESSERA_INVALID_ID', /ids\[1\]/],
      ['half a surrogate pair in an id', { ids: ['a', '\ud83d'] }, 'TESSERA_INVALID_ID', /surrogate/],
      ['NaN', { embeddings: [[1], [Number.NaN]] }, 'TESSERA_INVALID_EMBEDDING', /NaN/],
      ['Infinity', { embeddings: [[1], [1e39]] }, 'TESSERA_INVALID_EMBEDDING', /Infinity/],
      ['no dimension', { embeddings: [[], []] }, 'TESSERA_INVALID_EMBEDDING', /at least 1 dimension/],
      [
        'two dimensions',
        { embeddings: [[1], [1, 2]] },
        'TESSERA_DIMENSION_MISMATCH',
        /^Inconsistent dimensions/,
      ],
      ['too few embeddings', { embeddings: [[1]] }, 'TESSERA_BATCH_MISMATCH', /^Inconsistent number/],
      ['no column to embed', { embeddings: undefined }, 'TESSERA_INVALID_EMBEDDING', /embeddings/],
      ['URIs alone', { embeddings: undefined, uris: ['u', 'v'] }, 'TESSERA_INVALID_EMBEDDING', /URI/],
      ['a document that is no string', { documents: ['x', 1] }, 'TESSERA_INVALID_DOCUMENT', /documents\[1\]/],
      ['nested metadata', { metadatas: [{ a: { b: 1 } }, null] }, 'TESSERA_INVALID_METADATA', /\["a"\]/],
      ['a metadata key with $', { metadatas: [null, { $a: 1 }] }, 'TESSERA_INVALID_METADATA', /index 1/],
      ['null metadata members', { metadatas: [{ a: null }, null] }, 'TESSERA_INVALID_METADATA', /null/],
    ])('refuses %s', async (_name, input, code, message) => {
      await expectFault(add(input), code, message);
    });

    test.each<[string, object, string]>([
      ['an unknown column', { include: ['vectors'] }, 'TESSERA_INVALID_ARGUMENT'],
      ['distances of a get', { include: ['distances'] }, 'TESSERA_INVALID_ARGUMENT'],
      ['an include that is no list', { include: 'documents' }, 'TESSERA_INVALID_ARGUMENT'],
      ['a negative limit', { limit: -1 }, 'TESSERA_INVALID_ARGUMENT'],
      ['a fractional offset', { offset: 0.5 }, 'TESSERA_INVALID_ARGUMENT'],
      ['an id that is no string', { ids: [1] }, 'TESSERA_INVALID_ID'],
    ])('get refuses %s', async (_name, input, code) => {
      const made = await subject.collection();
      await expectFault(made.get(input as GetInput<[]>), code);
    });

    test.each<[string, object, string]>([
      ['no results', { nResults: 0 }, 'TESSERA_INVALID_ARGUMENT'],
      ['a fraction of a result', { nResults: 1.5 }, 'TESSERA_INVALID_ARGUMENT'],
      ['no query', { queryEmbeddings: undefined }, 'TESSERA_INVALID_ARGUMENT'],
      ['two kinds of queries', { queryTexts: ['x'] }, 'TESSERA_INVALID_ARGUMENT'],
      ['NaN', { queryEmbeddings: [[Number.NaN]] }, 'TESSERA_INVALID_EMBEDDING'],
      ['one bare embedding', { queryEmbeddings: [1, 2] }, 'TESSERA_INVALID_EMBEDDING'],
    ])('query refuses %s', async (_name, input, code) => {
      const made = await subject.collection();
      await expectFault(made.query({ queryEmbeddings: [[1]], ...input } as QueryInput<[]>), code);
    });

    test('an id that is no UUID is refused before it is looked up', async () => {
      await expectFault(subject.client.getCollectionById('x'), 'TESSERA_INVALID_ARGUMENT', /UUID/);
    });
  });

  describe('an aborted call', () => {
    test('does not begin, whichever method it calls', async () => {
      const made = await subject.collection();
      const signal = AbortSignal.abort(new Error('no longer needed'));
      const calls = { ...clientCalls(subject, signal), ...collectionCalls(made, signal) };
      expect(Object.keys(calls)).toHaveLength(32);
      for (const [method, call] of Object.entries(calls)) {
        await expect(call(), method).rejects.toMatchObject({
          code: 'TESSERA_ABORTED',
          cause: { message: 'no longer needed' },
        });
      }
      expect(await made.count()).toBe(0);
      expect((await subject.client.getCollection({ name: made.name })).metadata).toBeUndefined();
    });

    test('does not begin at the port either', async () => {
      const made = await subject.collection();
      const options = { signal: AbortSignal.abort() };
      const scope = scopeOf(made);
      const { backend } = subject;
      const selection = { ids: null, where: null, whereDocument: null };
      const calls: Partial<Record<keyof Backend, () => Promise<unknown>>> = {
        heartbeat: () => backend.heartbeat(options),
        count: () => backend.count(scope, options),
        get: () => backend.get(scope, { ...selection, limit: null, offset: 0, include: [] }, options),
        delete: () => backend.delete(scope, { ...selection, ids: ['a'], limit: null }, options),
        deleteCollection: () => backend.deleteCollection(scope, made.name, options),
      };
      for (const [method, call] of Object.entries(calls)) {
        await expect(call(), method).rejects.toMatchObject({ code: 'TESSERA_ABORTED' });
      }
      expect(await made.count()).toBe(0);
    });

    test('whose signal never fires is like any other', async () => {
      const made = await subject.collection();
      const { signal } = new AbortController();
      await made.add({ ids: ['a'], embeddings: [[1]], signal });
      expect(await made.count({ signal })).toBe(1);
    });
  });

  describe('a collection deleted meanwhile', () => {
    test('is not found by any method', async () => {
      const made = await subject.collection();
      await made.add({ ids: ['a'], embeddings: [[1]] });
      await subject.client.deleteCollection({ name: made.name });
      for (const [method, call] of Object.entries(collectionCalls(made))) {
        await expect(call(), method).rejects.toMatchObject({ code: 'TESSERA_COLLECTION_NOT_FOUND' });
      }
    });
  });
}
