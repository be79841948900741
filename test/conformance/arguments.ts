/** Arguments that are not of the form asked for: each refused by name, before anything happens. */
import { describe, expect, test } from 'vitest';
import { registerEmbeddingFunction } from '../../src/embed/index.ts';
import { expectFault, type Subject } from './subject.ts';

/** Calls a method with an argument that its type does not allow. */
function call(target: object, method: string, ...values: readonly unknown[]): Promise<unknown> {
  return (target as Record<string, (...values: readonly unknown[]) => Promise<unknown>>)[method]!(...values);
}

/** See the top of this file. */
export function argumentCases(subject: Subject): void {
  describe('a member that nobody reads', () => {
    test('in a delete is refused, and no record is deleted', async () => {
      const made = await subject.collection();
      await made.add({ ids: ['a', 'b'], embeddings: [[1], [2]], documents: ['x', 'y'] });
      await expectFault(
        call(made, 'delete', { ids: ['a', 'b'], where_document: { $contains: 'x' } }),
        'TESSERA_INVALID_ARGUMENT',
        /^Unknown member "where_document" in the argument of delete\. Did you mean whereDocument\?$/,
      );
      expect(await made.count()).toBe(2);
    });

    test.each<[string, object, RegExp]>([
      ['add', { ids: ['a'], embedding: [[1]] }, /"embedding".* add.*mean embeddings/],
      ['upsert', { ids: ['a'], embeddings: [[1]], metadata: [{}] }, /"metadata".* upsert.*mean metadatas/],
      ['update', { ids: ['a'], document: ['x'] }, /"document".* update.*mean documents/],
      ['get', { wheer: { a: 1 } }, /"wheer".* get.*mean where/],
      ['get', { n: 1 }, /"n".* get\. Its members can be ids, where, /],
      ['query', { query_embeddings: [[1]] }, /"query_embeddings".* query.*mean queryEmbeddings/],
      ['query', { queryEmbeddings: [[1]], n_results: 1 }, /"n_results".*mean nResults/],
      ['peek', { limits: 1 }, /"limits".* peek.*mean limit/],
      ['settle', { timeout: 1 }, /"timeout".* settle\. Its members can be signal/],
      ['count', { where: { a: 1 } }, /"where".* count\. Its members can be signal/],
      ['modify', { metadatas: { a: 1 } }, /"metadatas".* modify.*mean metadata/],
      ['modify', { configuration: { hsnw: {} } }, /"hsnw".* configuration.*mean hnsw/],
    ])('is named by %s with what was meant: %j', async (method, input, message) => {
      const made = await subject.collection();
      await expectFault(call(made, method, input), 'TESSERA_INVALID_ARGUMENT', message);
    });

    test.each<[string, object, RegExp]>([
      ['createCollection', { embedding_function: null }, /mean embeddingFunction/],
      ['createCollection', { configuration: { embedding_function: null } }, /mean embeddingFunction/],
      ['getOrCreateCollection', { meta: {} }, /"meta".* getOrCreateCollection\. Its members/],
      ['getCollection', { names: 'x' }, /mean name/],
      ['deleteCollection', { id: 'x' }, /"id"/],
      ['listCollections', { limits: 1 }, /mean limit/],
    ])('is named by %s of the client: %j', async (method, input, message) => {
      const given = { ...(method === 'listCollections' ? {} : { name: subject.name() }), ...input };
      await expectFault(call(subject.client, method, given), 'TESSERA_INVALID_ARGUMENT', message);
    });

    test('is named by the admin client', async () => {
      const given = { name: subject.name(), tenants: 'x' };
      await expectFault(
        call(subject.admin, 'createDatabase', given),
        'TESSERA_INVALID_ARGUMENT',
        /mean tenant/,
      );
    });
  });

  describe('what is no object', () => {
    const needed = ['add', 'upsert', 'update', 'delete', 'query', 'modify'];
    test.each(needed)('%s without an argument is refused with the members it has', async (method) => {
      const made = await subject.collection();
      const message = new RegExp(`^Expected the argument of ${method} to be an object, got undefined. Its`);
      await expectFault(call(made, method), 'TESSERA_INVALID_ARGUMENT', message);
    });

    test.each([...needed, 'get', 'peek', 'count', 'settle', 'stats', 'verify', 'repair'])(
      '%s refuses null, a string and a list',
      async (method) => {
        const made = await subject.collection();
        for (const value of [null, 'x', []]) {
          await expectFault(call(made, method, value), 'TESSERA_INVALID_ARGUMENT', /to be an object/);
        }
      },
    );

    test.each(['createCollection', 'getOrCreateCollection', 'getCollection', 'deleteCollection'])(
      '%s says where the name goes',
      async (method) => {
        const { client } = subject;
        await expectFault(call(client, method), 'TESSERA_INVALID_ARGUMENT', /to be an object, got undefined/);
        const remedy = /Pass { name: "films" } instead\.$/;
        await expectFault(call(client, method, 'films'), 'TESSERA_INVALID_ARGUMENT', remedy);
      },
    );

    test.each(['createTenant', 'getTenant', 'createDatabase', 'getDatabase', 'listDatabases'])(
      '%s of the admin client refuses null',
      async (method) => {
        await expectFault(call(subject.admin, method, null), 'TESSERA_INVALID_ARGUMENT', /to be an object/);
      },
    );
  });

  describe('values of another kind', () => {
    test('a signal that is none is refused', async () => {
      const made = await subject.collection();
      for (const signal of ['x', null, {}]) {
        for (const method of ['count', 'get', 'peek']) {
          await expectFault(call(made, method, { signal }), 'TESSERA_INVALID_ARGUMENT', /AbortSignal/);
        }
      }
    });

    test('exact is true or false', async () => {
      const made = await subject.collection();
      const query = { queryEmbeddings: [[1]], exact: 'yes' };
      await expectFault(call(made, 'query', query), 'TESSERA_INVALID_ARGUMENT', /exact to be true or false/);
    });

    test('an integer of more than 64 bits is refused rather than rounded', async () => {
      const made = await subject.collection();
      for (const value of [2n ** 63n, -(2n ** 63n) - 1n, [1n, 2n ** 64n]]) {
        const records = { ids: ['a', 'b'], embeddings: [[1], [2]], metadatas: [null, { k: value }] };
        const message = /^Expected metadatas\[1\]\["k"\] to be an integer of 64 bits/;
        await expectFault(call(made, 'upsert', records), 'TESSERA_INVALID_METADATA', message);
      }
    });

    test('a query names what it can be made of', async () => {
      const made = await subject.collection();
      const names = /queryEmbeddings or queryTexts in a query, got /;
      await expectFault(call(made, 'query', {}), 'TESSERA_INVALID_ARGUMENT', names);
      const both = { queryEmbeddings: [[1]], queryTexts: ['x'] };
      await expectFault(call(made, 'query', both), 'TESSERA_INVALID_ARGUMENT', /both\. Give one\.$/);
    });

    test.each([[{}], ['default'], [{ generate: 1 }]])(
      'an embedding function that cannot embed is refused: %j',
      async (embeddingFunction) => {
        const input = { name: subject.name(), embeddingFunction };
        const message = /embeddingFunction to be an object with a method generate/;
        const { client } = subject;
        await expectFault(call(client, 'createCollection', input), 'TESSERA_EMBEDDING_FUNCTION', message);
        await expectFault(call(client, 'getCollection', input), 'TESSERA_EMBEDDING_FUNCTION', message);
        const inner = { name: subject.name(), configuration: { embeddingFunction } };
        await expectFault(call(client, 'createCollection', inner), 'TESSERA_EMBEDDING_FUNCTION', message);
        const made = await subject.collection();
        const changes = { configuration: { embeddingFunction } };
        await expectFault(call(made, 'modify', changes), 'TESSERA_EMBEDDING_FUNCTION', message);
      },
    );

    test.each([[null], [{}], [class {}]])('a class that builds nothing is not registered: %o', (value) => {
      expect(() => registerEmbeddingFunction('x', value as never)).toThrow(
        expect.objectContaining({ code: 'TESSERA_EMBEDDING_FUNCTION' }),
      );
    });
  });
}
