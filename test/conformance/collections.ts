/** Collections: names, metadata, configuration, schema, lists. */
import { describe, expect, test } from 'vitest';
import { Double } from '../../src/base/index.ts';
import { DatabaseClient } from '../../src/client/index.ts';
import { expectFault, type Subject, scopeOf } from './subject.ts';

/** See the top of this file. */
export function collectionCases(subject: Subject): void {
  describe('collections', () => {
    test('a new collection has what it was given, and defaults', async () => {
      const name = subject.name();
      const made = await subject.client.createCollection({
        name,
        metadata: { a: 1, b: 'x', c: true, d: 0.5 },
      });
      expect(made.name).toBe(name);
      expect(made.id).toMatch(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
      expect(made.tenant).toBe('default_tenant');
      expect(made.database).toBe('default_database');
      expect(made.metadata).toEqual({ a: 1, b: 'x', c: true, d: 0.5 });
      expect(made.configuration.hnsw).toMatchObject({ space: 'l2', efConstruction: 100, efSearch: 100 });
      expect(made.schema.keys).toHaveProperty('#embedding');
      const bare = await subject.collection();
      expect(bare.metadata).toBeUndefined();
      expect((await subject.backend.getCollectionById(scopeOf(bare))).dimension).toBeNull();
    });

    test('is found by name and by id, and both give the same', async () => {
      const made = await subject.collection({ metadata: { a: 1 } });
      const byName = await subject.client.getCollection({ name: made.name });
      const byId = await subject.client.getCollectionById(made.id.toUpperCase());
      for (const found of [byName, byId]) {
        expect([found.id, found.name, found.metadata]).toEqual([made.id, made.name, { a: 1 }]);
        expect(found.configuration).toEqual(made.configuration);
        expect(found.schema).toEqual(made.schema);
      }
      const several = await subject.client.getCollections([made.name, { name: made.name }]);
      expect(several.map(({ id }) => id)).toEqual([made.id, made.id]);
    });

    test('a name is taken once', async () => {
      const { name } = await subject.collection();
      await expectFault(
        subject.client.createCollection({ name }),
        'TESSERA_ALREADY_EXISTS',
        /^Collection \[.*\] already exists/,
      );
    });

    test('getOrCreate gives an existing collection unchanged', async () => {
      const made = await subject.collection({ metadata: { a: 1 }, configuration: { space: 'cosine' } });
      const again = await subject.client.getOrCreateCollection({
        name: made.name,
        metadata: { b: 2 },
        configuration: { space: 'ip' },
      });
      expect([again.id, again.metadata, again.configuration.hnsw.space]).toEqual([
        made.id,
        { a: 1 },
        'cosine',
      ]);
      const name = subject.name();
      const first = await subject.client.getOrCreateCollection({ name, metadata: { c: 3 } });
      expect([first.name, first.metadata]).toEqual([name, { c: 3 }]);
    });

    test('unknown collections are not found, by name, by id or to be deleted', async () => {
      const name = subject.name();
      const id = '11111111-1111-4111-8111-111111111111';
      await expectFault(
        subject.client.getCollection({ name }),
        'TESSERA_COLLECTION_NOT_FOUND',
        /^Collection \[.*\] does not exist/,
      );
      await expectFault(subject.client.getCollectionById(id), 'TESSERA_COLLECTION_NOT_FOUND');
      await expectFault(subject.client.getCollection({ name: id }), 'TESSERA_COLLECTION_NOT_FOUND');
      await expectFault(subject.client.deleteCollection({ name }), 'TESSERA_COLLECTION_NOT_FOUND');
    });

    const long = 'x'.repeat(300);
    const halves = [
      'abc+de',
      'ab+cde',
      'abc+d..e',
      'abc+1.2.3.4',
      'abc+-de',
      `${long}+${long}`,
      'abc+def+ghi',
    ];
    test.each(['ab', 'a b', '-ab', 'ab-', '1.2.3.4', 'a..b', 'x'.repeat(513), ...halves])(
      'refuses the name %j',
      async (name) => {
        await expectFault(
          subject.client.createCollection({ name }),
          'TESSERA_INVALID_NAME',
          /^Validation error: name: /,
        );
      },
    );

    test.each(['abc', 'A.b_c-d', 'x'.repeat(512), 'abc+def', '1.2.3', '1.2.3.256'])(
      'takes the name %j',
      async (name) => {
        expect((await subject.client.createCollection({ name })).name).toBe(name);
        expect((await subject.client.getCollection({ name })).name).toBe(name);
        await subject.client.deleteCollection({ name });
      },
    );

    test('a deleted collection is gone, and its name is free for another', async () => {
      const first = await subject.collection();
      await first.add({ ids: ['a'], embeddings: [[1]] });
      await subject.client.deleteCollection({ name: first.name });
      await expectFault(subject.client.getCollection({ name: first.name }), 'TESSERA_COLLECTION_NOT_FOUND');
      const second = await subject.client.createCollection({ name: first.name });
      expect(second.id).not.toBe(first.id);
      expect(await second.count()).toBe(0);
    });

    test('are listed by UUID, page by page, and counted', async () => {
      const place = { tenant: subject.name(), name: subject.name() };
      await subject.admin.createDatabase(place);
      const { backend } = subject;
      const client = new DatabaseClient(async () => backend, { tenant: place.tenant, database: place.name });
      const ids: string[] = [];
      for (const name of ['aaa', 'bbb', 'ccc', 'ddd']) ids.push((await client.createCollection({ name })).id);
      ids.sort();
      const page = async (input: { limit?: number; offset?: number }) =>
        (await client.listCollections(input)).map(({ id }) => id);
      expect(await page({})).toEqual(ids);
      expect(await page({ limit: 2, offset: 1 })).toEqual(ids.slice(1, 3));
      expect(await page({ limit: 0 })).toEqual([]);
      expect(await client.countCollections()).toBe(4);
    });

    test('an unknown database has no collections and takes none', async () => {
      const scope = { tenant: 'default_tenant', database: subject.name() };
      const { backend } = subject;
      const client = new DatabaseClient(async () => backend, scope);
      expect(await client.listCollections()).toEqual([]);
      expect(await client.countCollections()).toBe(0);
      await expectFault(
        client.createCollection({ name: 'within' }),
        'TESSERA_DATABASE_MISSING',
        /^Database \[.*\] does not exist/,
      );
    });

    test('an id is found only under its own tenant and database', async () => {
      const made = await subject.collection();
      const database = subject.name();
      await subject.admin.createDatabase({ tenant: 'default_tenant', name: database });
      const elsewhere = { ...scopeOf(made), database };
      await expectFault(subject.backend.getCollectionById(elsewhere), 'TESSERA_COLLECTION_NOT_FOUND');
      await expectFault(subject.backend.count(elsewhere), 'TESSERA_COLLECTION_NOT_FOUND');
    });

    test('an id alone tells the collection, with its tenant and database', async () => {
      const { backend } = subject;
      const place = { tenant: subject.name(), database: subject.name() };
      await subject.admin.createDatabase({ tenant: place.tenant, name: place.database });
      const client = new DatabaseClient(async () => backend, place);
      const made = await client.createCollection({ name: 'found' });
      expect(await backend.findCollection(made.id)).toMatchObject({
        ...place,
        name: 'found',
        dimension: null,
      });
      await made.add({ ids: ['a'], embeddings: [[1, 2]] });
      expect(await backend.findCollection(made.id)).toMatchObject({ dimension: 2 });
      await client.deleteCollection({ name: 'found' });
      await expectFault(backend.findCollection(made.id), 'TESSERA_COLLECTION_NOT_FOUND', /does not exist\.$/);
    });
  });

  describe('metadata of collections', () => {
    test('keeps integers and floats apart', async () => {
      const made = await subject.collection({ metadata: { i: 1, f: new Double(1), big: 2n ** 53n + 1n } });
      const { metadata } = await subject.backend.getCollectionById(scopeOf(made));
      expect(metadata).toBe('{"i":1,"f":1.0,"big":9007199254740993}');
    });

    test('is refused when empty, nested or an array', async () => {
      const create = (metadata: object) => subject.collection({ metadata: metadata as { a: number } });
      await expectFault(create({}), 'TESSERA_INVALID_METADATA', /Metadata cannot be empty/);
      await expectFault(create({ a: { b: 1 } }), 'TESSERA_INVALID_METADATA');
      await expectFault(create({ a: ['x'] }), 'TESSERA_INVALID_METADATA');
      await expectFault(create({ $a: 1 }), 'TESSERA_INVALID_METADATA');
    });

    test('is replaced as a whole by modify, whose null members vanish', async () => {
      const made = await subject.collection({ metadata: { a: 1, b: 2 } });
      await made.modify({ metadata: { b: 3, c: null } });
      expect(made.metadata).toEqual({ b: 3 });
      expect((await subject.client.getCollection({ name: made.name })).metadata).toEqual({ b: 3 });
      await expectFault(made.modify({ metadata: {} }), 'TESSERA_INVALID_METADATA');
      expect((await subject.client.getCollection({ name: made.name })).metadata).toEqual({ b: 3 });
    });
  });

  describe('changes of collections', () => {
    test('a renamed collection keeps its records and is found by its new name alone', async () => {
      const made = await subject.collection({ metadata: { a: 1 } });
      const [before, after] = [made.name, subject.name()];
      await made.add({ ids: ['a'], embeddings: [[1]] });
      await made.modify({ name: after });
      expect(made.name).toBe(after);
      const found = await subject.client.getCollection({ name: after });
      expect([found.id, found.metadata, await found.count()]).toEqual([made.id, { a: 1 }, 1]);
      await expectFault(subject.client.getCollection({ name: before }), 'TESSERA_COLLECTION_NOT_FOUND');
    });

    test('a taken or invalid name is refused, and nothing changes', async () => {
      const [one, two] = [await subject.collection(), await subject.collection()];
      const before = one.name;
      await expectFault(one.modify({ name: two.name, metadata: { a: 1 } }), 'TESSERA_ALREADY_EXISTS');
      await expectFault(one.modify({ name: 'a b' }), 'TESSERA_INVALID_NAME');
      expect(one.name).toBe(before);
      expect((await subject.client.getCollection({ name: before })).metadata).toBeUndefined();
      await one.modify({ name: before });
      expect((await subject.client.getCollection({ name: before })).id).toBe(one.id);
    });

    test('nothing to change changes nothing', async () => {
      const made = await subject.collection({ metadata: { a: 1 } });
      await made.modify({});
      expect((await subject.client.getCollection({ name: made.name })).metadata).toEqual({ a: 1 });
    });

    test('a deleted collection cannot be changed', async () => {
      const made = await subject.collection();
      await subject.client.deleteCollection({ name: made.name });
      await expectFault(made.modify({ metadata: { a: 1 } }), 'TESSERA_COLLECTION_NOT_FOUND');
    });
  });

  describe('configuration', () => {
    test('the space can be said in every form', async () => {
      const spaces = [
        { configuration: { space: 'cosine' } },
        { configuration: { hnsw: { space: 'cosine' } } },
        { configuration: { spann: { space: 'cosine' } } },
        { metadata: { 'hnsw:space': 'cosine' } },
      ] as const;
      for (const input of spaces) {
        const made = await subject.collection(input);
        const found = await subject.client.getCollection({ name: made.name });
        expect(found.configuration.hnsw.space).toBe('cosine');
      }
    });

    test('graph parameters are kept and given back, in both spellings', async () => {
      const made = await subject.collection({
        configuration: { hnsw: { efSearch: 50, ef_construction: 77, maxNeighbors: 8 } },
      });
      const { configuration } = await subject.client.getCollection({ name: made.name });
      expect(configuration.hnsw).toMatchObject({
        space: 'l2',
        efSearch: 50,
        efConstruction: 77,
        maxNeighbors: 8,
      });
    });

    test('contradictions and unknown parameters are refused', async () => {
      const create = (configuration: object) => subject.collection({ configuration });
      await expectFault(
        create({ hnsw: {}, spann: {} }),
        'TESSERA_INVALID_CONFIGURATION',
        /^Multiple vector index/,
      );
      await expectFault(create({ hnsw: { space: 'hamming' } }), 'TESSERA_INVALID_CONFIGURATION');
      await expectFault(create({ hnsw: { unknown: 1 } }), 'TESSERA_INVALID_CONFIGURATION');
      await expectFault(create({ space: 'ip', hnsw: { space: 'l2' } }), 'TESSERA_INVALID_CONFIGURATION');
    });

    test.each([[{ space: 'ip' }], [{ hnsw: { space: 'ip' } }], [{ spann: { space: 'ip' } }]])(
      'modify says that the space is fixed: %j',
      async (configuration) => {
        const made = await subject.collection();
        const changes = { configuration } as never;
        await expectFault(made.modify(changes), 'TESSERA_INVALID_CONFIGURATION', /fixed when it is created/);
        expect(made.configuration.hnsw.space).toBe('l2');
      },
    );

    test('a message about a configuration has the names of JavaScript', async () => {
      const made = await subject.collection();
      const changes = { configuration: { hnsw: { efSearch: 'x' as never } } };
      const message = /^configuration\.hnsw\.efSearch: expected/;
      await expectFault(made.modify(changes), 'TESSERA_INVALID_CONFIGURATION', message);
      const unknown = { configuration: { hnsw: { efSerach: 1 } } };
      await expectFault(made.modify(unknown), 'TESSERA_INVALID_CONFIGURATION', /`maxNeighbors`, `efSearch`/);
    });

    test('modify changes what may change, in the configuration and in the schema', async () => {
      const made = await subject.collection({ configuration: { space: 'ip' } });
      await made.modify({ configuration: { hnsw: { efSearch: 77 } } });
      expect(made.configuration.hnsw).toMatchObject({ space: 'ip', efSearch: 77 });
      expect(JSON.stringify(made.schema.keys['#embedding'])).toContain('"ef_search":77');
      await expectFault(
        made.modify({ configuration: { hnsw: { space: 'l2' } } }),
        'TESSERA_INVALID_CONFIGURATION',
      );
    });

    test('a schema says the space, and comes back with what it left out', async () => {
      const schema = {
        defaults: {},
        keys: {
          '#embedding': { float_list: { vector_index: { enabled: true, config: { space: 'cosine' } } } },
        },
      };
      const made = await subject.collection({ schema });
      expect(made.configuration.hnsw.space).toBe('cosine');
      expect(made.schema.defaults).toHaveProperty('int');
      const twice = { schema, configuration: { space: 'ip' } } as const;
      await expectFault(
        subject.collection(twice),
        'TESSERA_INVALID_CONFIGURATION',
        /^Failed to reconcile schema/,
      );
    });

    test('the schema grows by the metadata keys that are used', async () => {
      const made = await subject.collection();
      await made.add({ ids: ['a'], embeddings: [[1]], metadatas: [{ year: 1990, tags: ['x'] }] });
      const { schema } = await subject.client.getCollection({ name: made.name });
      expect(schema.keys['year']).toHaveProperty('int');
      expect(schema.keys['tags']).toHaveProperty('string');
    });

    test('an index that the schema disables refuses filters that need it', async () => {
      const schema = {
        defaults: {},
        keys: { tag: { string: { string_inverted_index: { enabled: false, config: {} } } } },
      };
      const made = await subject.collection({ schema });
      await made.add({ ids: ['a'], embeddings: [[1]], metadatas: [{ tag: 'x' }] });
      await expectFault(made.get({ where: { tag: 'x' } }), 'TESSERA_INVALID_FILTER', /indexing is disabled/);
    });
  });
}
