/** Writes: add, upsert, update, delete. */
import { describe, expect, test } from 'vitest';
import { parseBatch } from '../../src/api/index.ts';
import { Double } from '../../src/base/index.ts';
import type { Collection } from '../../src/client/index.ts';
import { expectFault, type Subject, scopeOf } from './subject.ts';

const EVERYTHING = ['documents', 'embeddings', 'metadatas', 'uris'] as const;

/** The one record with this id, or nothing. */
async function record(collection: Collection, id: string) {
  return (await collection.get({ ids: id, include: EVERYTHING })).rows()[0];
}

/** Canonical metadata texts as the port gives them. */
async function metadataTexts(subject: Subject, collection: Collection): Promise<(string | null)[] | null> {
  const request = {
    ids: null,
    where: null,
    whereDocument: null,
    limit: null,
    offset: 0,
    include: ['metadatas'],
  } as const;
  return (await subject.backend.get(scopeOf(collection), request)).metadatas;
}

/** See the top of this file. */
export function writeCases(subject: Subject): void {
  describe('add', () => {
    // Chroma answers `{}` rather than `null` for a record that has a URI and no metadata.
    test('every column comes back as it was written', async () => {
      const made = await subject.collection();
      await made.add({
        ids: ['a', 'ключ 🔑', ' '],
        embeddings: [[0.1, -0], Float32Array.of(1, 2), Float64Array.of(3, 4)],
        documents: ['text', null, ''],
        metadatas: [{ s: 'x', i: 1, f: 0.5, b: true, t: ['p', 'q'] }, null, { n: -7 }],
        uris: [null, 'file:///x', ''],
      });
      expect((await made.get({ include: EVERYTHING })).rows()).toEqual([
        {
          id: 'a',
          document: 'text',
          embedding: [Math.fround(0.1), expect.closeTo(0)],
          metadata: { s: 'x', i: 1, f: 0.5, b: true, t: ['p', 'q'] },
          uri: null,
        },
        { id: 'ключ 🔑', document: null, embedding: [1, 2], metadata: {}, uri: 'file:///x' },
        { id: ' ', document: '', embedding: [3, 4], metadata: { n: -7 }, uri: '' },
      ]);
    });

    test('metadata keeps integers and floats apart, and integers of 64 bits exact', async () => {
      const made = await subject.collection();
      await made.add({
        ids: ['a'],
        embeddings: [[1]],
        metadatas: [{ i: 1, d: new Double(1), big: 2n ** 63n - 1n, m: [1, 2.5], e: [], u: undefined }],
      });
      expect(await metadataTexts(subject, made)).toEqual([
        '{"i":1,"d":1.0,"big":9223372036854775807,"m":[1.0,2.5]}',
      ]);
    });

    test('metadata keys and texts may be anything but reserved', async () => {
      const made = await subject.collection();
      const metadata = JSON.parse(
        '{"__proto__":"x","constructor":1,"a b\\"c":"\\u0000\\u2028","ключ":"🔑","1":2}',
      );
      await made.add({ ids: ['a'], embeddings: [[1]], metadatas: [metadata] });
      const found = (await record(made, 'a'))!.metadata!;
      expect(Object.entries(found).sort()).toEqual(Object.entries(metadata).sort());
    });

    test('reserved metadata keys become the document and the URI', async () => {
      const made = await subject.collection();
      const metadatas = [{ 'chroma:document': 'text', 'chroma:uri': 'u' }];
      await made.add({ ids: ['a'], embeddings: [[1]], metadatas });
      expect(await record(made, 'a')).toMatchObject({ document: 'text', uri: 'u' });
    });

    test('ids that are stored already are passed over and their records untouched', async () => {
      const made = await subject.collection();
      await made.add({ ids: ['a'], embeddings: [[1]], documents: ['old'], metadatas: [{ k: 1 }] });
      await made.add({
        ids: ['a', 'b'],
        embeddings: [[2], [3]],
        documents: ['new', 'b'],
        metadatas: [{ l: 2 }, null],
      });
      expect(await record(made, 'a')).toMatchObject({ document: 'old', embedding: [1], metadata: { k: 1 } });
      expect(await made.count()).toBe(2);
    });

    test('of an id twice in a batch the first wins', async () => {
      const made = await subject.collection();
      await subject.write(made, 'add', {
        ids: ['a', 'a'],
        embeddings: [[1], [2]],
        documents: ['first', 'second'],
      });
      expect(await record(made, 'a')).toMatchObject({ document: 'first', embedding: [1] });
      expect(await made.count()).toBe(1);
    });

    test('an empty batch changes nothing', async () => {
      const made = await subject.collection();
      for (const verb of ['add', 'upsert', 'update'] as const) {
        await subject.write(made, verb, { ids: [], embeddings: [], documents: [], metadatas: [] });
      }
      expect(await made.count()).toBe(0);
      expect((await subject.backend.getCollectionById(scopeOf(made))).dimension).toBeNull();
    });

    test('a batch of the largest size is one transaction', async () => {
      const made = await subject.collection();
      const ids = Array.from({ length: 5461 }, (_, i) => `id-${i}`);
      await made.add({ ids, embeddings: ids.map((_, i) => [i, 1]), documents: ids });
      expect(await made.count()).toBe(5461);
      expect(await record(made, 'id-5460')).toMatchObject({ document: 'id-5460', embedding: [5460, 1] });
    });

    test('many writes at once all take effect', async () => {
      const made = await subject.collection();
      const ids = Array.from({ length: 50 }, (_, i) => `id-${i}`);
      await Promise.all(ids.map((id, i) => made.add({ ids: [id], embeddings: [[i]] })));
      expect((await made.get()).ids.sort()).toEqual(ids.sort());
    });
  });

  describe('upsert', () => {
    test('inserts what is not stored and updates what is', async () => {
      const made = await subject.collection();
      await made.upsert({
        ids: ['a'],
        embeddings: [[1]],
        documents: ['old'],
        uris: ['u'],
        metadatas: [{ k: 1, l: 1 }],
      });
      await made.upsert({
        ids: ['b', 'a'],
        embeddings: [[3], [2]],
        documents: ['b', null],
        metadatas: [{ m: 1 }, { k: 2, l: null, n: 3 }],
      });
      expect(await record(made, 'a')).toEqual({
        id: 'a',
        document: 'old',
        embedding: [2],
        metadata: { k: 2, n: 3 },
        uri: 'u',
      });
      expect(await record(made, 'b')).toMatchObject({ document: 'b', embedding: [3], metadata: { m: 1 } });
      expect((await made.get()).ids).toEqual(['a', 'b']);
    });

    test('of an id twice in a batch the last wins, and metadata is merged', async () => {
      const made = await subject.collection();
      await subject.write(made, 'upsert', {
        ids: ['a', 'a'],
        embeddings: [[1], [2]],
        documents: ['first', 'second'],
        metadatas: [{ k: 1, l: 1 }, { k: 2 }],
      });
      expect(await record(made, 'a')).toMatchObject({
        document: 'second',
        embedding: [2],
        metadata: { k: 2, l: 1 },
      });
    });

    test('null members of a new record store nothing', async () => {
      const made = await subject.collection();
      await made.upsert({
        ids: ['a', 'b'],
        embeddings: [[1], [2]],
        metadatas: [{ k: null }, { k: null, l: 1 }],
      });
      expect((await made.get()).metadatas.map((metadata) => metadata ?? {})).toEqual([{}, { l: 1 }]);
    });
  });

  describe('update', () => {
    test('changes the given columns alone', async () => {
      const made = await subject.collection();
      await made.add({
        ids: ['a'],
        embeddings: [[1]],
        documents: ['text'],
        uris: ['u'],
        metadatas: [{ k: 1 }],
      });
      await made.update({ ids: ['a'], metadatas: [{ l: 2 }] });
      expect(await record(made, 'a')).toMatchObject({
        document: 'text',
        embedding: [1],
        metadata: { k: 1, l: 2 },
        uri: 'u',
      });
      await made.update({ ids: ['a'], embeddings: [[2]], documents: [''] });
      expect(await record(made, 'a')).toMatchObject({
        document: '',
        embedding: [2],
        metadata: { k: 1, l: 2 },
        uri: 'u',
      });
      await made.update({ ids: ['a'], uris: ['v'] });
      expect(await record(made, 'a')).toMatchObject({ document: '', embedding: [2], uri: 'v' });
    });

    test('null leaves documents, URIs and embeddings as they are', async () => {
      const made = await subject.collection();
      await made.add({ ids: ['a', 'b'], embeddings: [[1], [2]], documents: ['x', 'y'], uris: ['u', 'v'] });
      await made.update({
        ids: ['a', 'b'],
        embeddings: [null, [3]],
        documents: [null, 'z'],
        uris: [null, 'w'],
      });
      expect((await made.get({ include: EVERYTHING })).rows()).toMatchObject([
        { document: 'x', embedding: [1], uri: 'u' },
        { document: 'z', embedding: [3], uri: 'w' },
      ]);
    });

    test('null deletes a metadata key, an empty array too; null and empty metadata change nothing', async () => {
      const made = await subject.collection();
      await made.add({ ids: ['a'], embeddings: [[1]], metadatas: [{ k: 1, l: ['x'], m: 'y' }] });
      await made.update({ ids: ['a'], metadatas: [null] });
      await made.update({ ids: ['a'], metadatas: [{}] });
      expect(await record(made, 'a')).toMatchObject({ metadata: { k: 1, l: ['x'], m: 'y' } });
      await made.update({ ids: ['a'], metadatas: [{ k: null, l: [], unknown: null }] });
      expect((await record(made, 'a'))!.metadata).toEqual({ m: 'y' });
      expect((await made.get({ where: { k: 1 } })).ids).toEqual([]);
      expect((await made.get({ where: { l: { $contains: 'x' } } })).ids).toEqual([]);
    });

    test('a scalar replaces an array and the other way round', async () => {
      const made = await subject.collection();
      await made.add({ ids: ['a'], embeddings: [[1]], metadatas: [{ k: ['x', 'y'], l: 1 }] });
      await made.update({ ids: ['a'], metadatas: [{ k: 'z', l: [1, 2] }] });
      expect((await record(made, 'a'))!.metadata).toEqual({ k: 'z', l: [1, 2] });
      expect((await made.get({ where: { k: { $contains: 'x' } } })).ids).toEqual([]);
      expect((await made.get({ where: { l: { $contains: 2 } } })).ids).toEqual(['a']);
    });

    test('unknown ids are passed over', async () => {
      const made = await subject.collection();
      await made.add({ ids: ['a'], embeddings: [[1]] });
      await made.update({ ids: ['missing', 'a'], embeddings: [[7], [2]], metadatas: [{ k: 1 }, { k: 2 }] });
      expect((await made.get()).rows()).toMatchObject([{ id: 'a', metadata: { k: 2 } }]);
    });

    test('of an id twice in a batch both are applied, in order', async () => {
      const made = await subject.collection();
      await made.add({ ids: ['a'], embeddings: [[1]] });
      await subject.write(made, 'update', { ids: ['a', 'a'], metadatas: [{ k: 1, l: 1 }, { k: 2 }] });
      expect((await record(made, 'a'))!.metadata).toEqual({ k: 2, l: 1 });
    });

    test('does not move a record', async () => {
      const made = await subject.collection();
      await made.add({ ids: ['a', 'b', 'c'], embeddings: [[1], [2], [3]] });
      await made.update({ ids: ['a'], embeddings: [[9]], documents: ['new'] });
      expect((await made.get()).ids).toEqual(['a', 'b', 'c']);
    });
  });

  describe('the dimension', () => {
    test('is fixed by the first embedding, and others are refused as a whole', async () => {
      const made = await subject.collection();
      await made.add({ ids: ['a'], embeddings: [[1, 2, 3]] });
      expect((await subject.backend.getCollectionById(scopeOf(made))).dimension).toBe(3);
      const sentence = /^Collection expecting embedding with dimension of 3, got 2/;
      const wrong = { ids: ['b'], embeddings: [[1, 2]] };
      await expectFault(made.add(wrong), 'TESSERA_DIMENSION_MISMATCH', sentence);
      await expectFault(made.upsert(wrong), 'TESSERA_DIMENSION_MISMATCH', sentence);
      await expectFault(made.update({ ...wrong, ids: ['a'] }), 'TESSERA_DIMENSION_MISMATCH', sentence);
      await expectFault(made.update({ ...wrong, ids: ['missing'] }), 'TESSERA_DIMENSION_MISMATCH', sentence);
      expect((await made.get()).ids).toEqual(['a']);
    });

    test('is fixed by an update of a missing id too', async () => {
      const made = await subject.collection();
      await made.update({ ids: ['missing'], embeddings: [[1, 2]] });
      expect(await made.count()).toBe(0);
      expect((await subject.backend.getCollectionById(scopeOf(made))).dimension).toBe(2);
      await expectFault(made.add({ ids: ['a'], embeddings: [[1]] }), 'TESSERA_DIMENSION_MISMATCH');
    });

    test('stays when all records are deleted', async () => {
      const made = await subject.collection();
      await made.add({ ids: ['a'], embeddings: [[1, 2]] });
      await made.delete({ ids: ['a'] });
      await expectFault(made.add({ ids: ['a'], embeddings: [[1]] }), 'TESSERA_DIMENSION_MISMATCH');
    });
  });

  describe('delete', () => {
    const filled = async (): Promise<Collection> => {
      const made = await subject.collection();
      const ids = ['a', 'b', 'c', 'd'];
      await made.add({
        ids,
        embeddings: ids.map((_, i) => [i]),
        documents: ['apple', 'banana', 'cherry', 'apple pie'],
        metadatas: ids.map((_, i) => ({ n: i })),
      });
      return made;
    };

    test('by ids counts what was sent, and passes over unknown ones', async () => {
      const made = await filled();
      expect(await made.delete({ ids: ['a', 'missing'] })).toEqual({ deleted: 2 });
      expect(await made.delete({ ids: 'b' })).toEqual({ deleted: 1 });
      expect((await made.get()).ids).toEqual(['c', 'd']);
    });

    test('by filter counts what matched', async () => {
      const made = await filled();
      expect(await made.delete({ where: { n: { $gte: 2 } } })).toEqual({ deleted: 2 });
      expect(await made.delete({ where: { n: { $gte: 2 } } })).toEqual({ deleted: 0 });
      expect((await made.get()).ids).toEqual(['a', 'b']);
    });

    test('ids and filters are ANDed', async () => {
      const made = await filled();
      expect(await made.delete({ ids: ['a', 'b'], whereDocument: { $contains: 'apple' } })).toEqual({
        deleted: 1,
      });
      expect((await made.get()).ids).toEqual(['b', 'c', 'd']);
      expect(await made.delete({ where: { n: 1 }, whereDocument: { $contains: 'apple' } })).toEqual({
        deleted: 0,
      });
    });

    test('limit takes the first in insertion order', async () => {
      const made = await filled();
      expect(await made.delete({ where: { n: { $gte: 1 } }, limit: 2 })).toEqual({ deleted: 2 });
      expect((await made.get()).ids).toEqual(['a', 'd']);
      expect(await made.delete({ where: { n: { $gte: 0 } }, limit: 0 })).toEqual({ deleted: 0 });
      await expectFault(made.delete({ ids: ['a'], limit: 1 }), 'TESSERA_INVALID_ARGUMENT', /limit/);
    });

    test('nothing to go by is refused rather than taken for everything or nothing', async () => {
      const made = await filled();
      for (const input of [{}, { ids: [] }, { where: {} as { n: number } }]) {
        await expectFault(
          made.delete(input),
          'TESSERA_INVALID_ARGUMENT',
          /Either ids or where must be specified/,
        );
      }
      expect(await made.count()).toBe(4);
    });

    test('a deleted record is gone from every read, and added again comes last', async () => {
      const made = await filled();
      await made.delete({ ids: ['a'] });
      expect((await made.get({ ids: ['a'] })).ids).toEqual([]);
      expect((await made.get({ where: { n: 0 } })).ids).toEqual([]);
      expect((await made.get({ whereDocument: { $contains: 'apple' } })).ids).toEqual(['d']);
      expect((await made.query({ queryEmbeddings: [[0]] })).ids[0]).toEqual(['b', 'c', 'd']);
      await made.add({ ids: ['a'], embeddings: [[0]] });
      expect((await made.get()).rows()).toMatchObject([
        { id: 'b' },
        { id: 'c' },
        { id: 'd' },
        { id: 'a', document: null, metadata: null },
      ]);
    });

    test('delete of an empty collection counts nothing', async () => {
      const made = await subject.collection();
      expect(await made.delete({ where: { n: 1 } })).toEqual({ deleted: 0 });
      expect(await made.delete({ whereDocument: { $contains: 'x' } })).toEqual({ deleted: 0 });
    });
  });

  describe('a refused batch', () => {
    test('leaves nothing behind', async () => {
      const made = await subject.collection();
      await made.add({ ids: ['a'], embeddings: [[1, 2]], metadatas: [{ k: 1 }] });
      const batch = parseBatch(
        { ids: ['b', 'c'], embeddings: [[1], [2]], metadatas: [{ z: 1 }, null] },
        'add',
      );
      await expectFault(subject.backend.add(scopeOf(made), batch), 'TESSERA_DIMENSION_MISMATCH');
      expect((await made.get()).ids).toEqual(['a']);
      const { schema } = await subject.client.getCollection({ name: made.name });
      expect(schema.keys).not.toHaveProperty('z');
    });
  });
}
