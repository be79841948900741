/** Queries: distances against an oracle in double precision, filters, counts, ties, empty cases. */
import { beforeAll, describe, expect, test } from 'vitest';
import { type EmbeddingBatch, packEmbeddings, type Space } from '../../src/api/index.ts';
import { seededNumbers } from '../../src/base/index.ts';
import type { Collection } from '../../src/client/index.ts';
import { expectFault, type Subject, scopeOf } from './subject.ts';

/** Distances by their definition, in double precision. */
const ORACLES: Readonly<Record<Space, (a: readonly number[], b: readonly number[]) => number>> = {
  l2: (a, b) => a.reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0),
  ip: (a, b) => 1 - dot(a, b),
  cosine: (a, b) => {
    const norms = Math.sqrt(dot(a, a) * dot(b, b));
    return norms === 0 ? 1 : 1 - dot(a, b) / norms;
  },
};

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, i) => sum + x * b[i]!, 0);
}

const SEED = 20_260_101;

/** See the top of this file. */
export function queryCases(subject: Subject): void {
  describe.each<Space>(['l2', 'ip', 'cosine'])(`query in the space %s (seed ${SEED})`, (space) => {
    const dimension = 37;
    const numbers = seededNumbers(SEED);
    const vector = (): number[] => Array.from({ length: dimension }, () => Math.fround(numbers() * 4 - 2));
    const rows = Array.from({ length: 300 }, vector);
    rows[7] = new Array<number>(dimension).fill(0);
    const ids = rows.map((_, i) => `id-${i}`);
    const queries = [vector(), vector(), rows[11]!];
    let filled: Collection;

    beforeAll(async () => {
      filled = await subject.collection({ configuration: { space } });
      await filled.add({ ids, embeddings: rows, metadatas: rows.map((_, i) => ({ i, third: i % 3 === 0 })) });
    });

    const expected = (query: number[], isWanted: (i: number) => boolean = () => true) =>
      rows
        .map((row, i) => ({ i, distance: ORACLES[space](query, row) }))
        .filter(({ i }) => isWanted(i))
        .sort((a, b) => a.distance - b.distance);

    test('finds the nearest, with their exact distances', async () => {
      const found = await filled.query({ queryEmbeddings: queries, nResults: 20, exact: true });
      for (const [q, query] of queries.entries()) {
        const wanted = expected(query).slice(0, 20);
        expect(found.ids[q]).toEqual(wanted.map(({ i }) => `id-${i}`));
        for (const [k, { distance }] of wanted.entries()) {
          expect(Math.abs(found.distances[q]![k]! - distance)).toBeLessThan(1e-4 * (1 + Math.abs(distance)));
        }
      }
    });

    test('filters come first: as many are found as match', async () => {
      const query = queries[0]!;
      const some = await filled.query({ queryEmbeddings: [query], nResults: 10, where: { i: { $lt: 4 } } });
      expect(some.ids[0]).toEqual(expected(query, (i) => i < 4).map(({ i }) => `id-${i}`));
      const many = await filled.query({ queryEmbeddings: [query], nResults: 30, where: { third: true } });
      const wanted = expected(query, (i) => i % 3 === 0).slice(0, 30);
      expect(many.ids[0]).toEqual(wanted.map(({ i }) => `id-${i}`));
      const none = await filled.query({ queryEmbeddings: [query], where: { i: -1 } });
      expect([none.ids, none.distances]).toEqual([[[]], [[]]]);
      const byId = await filled.query({ queryEmbeddings: [query], ids: ['id-5', 'missing', 'id-200'] });
      expect(byId.ids[0]).toEqual(expected(query, (i) => i === 5 || i === 200).map(({ i }) => `id-${i}`));
      expect((await filled.query({ queryEmbeddings: [query], ids: [] })).ids).toEqual([[]]);
    });

    test('a zero vector has a distance like any other', async () => {
      const zero = new Array<number>(dimension).fill(0);
      const found = await filled.query({ queryEmbeddings: [zero], ids: ['id-7', 'id-8'], nResults: 2 });
      const byId = new Map(found.ids[0]!.map((id, k) => [id, found.distances[0]![k]!]));
      expect(byId.get('id-7')).toBeCloseTo(ORACLES[space](zero, rows[7]!), 4);
      expect(byId.get('id-8')).toBeCloseTo(ORACLES[space](zero, rows[8]!), 4);
    });
  });

  describe('query', () => {
    test('gives all records when there are fewer than asked for', async () => {
      const made = await subject.collection();
      await made.add({ ids: ['a', 'b'], embeddings: [[0], [3]] });
      const found = await made.query({ queryEmbeddings: [[1]], nResults: 10 });
      expect([found.ids, found.distances]).toEqual([[['a', 'b']], [[1, 4]]]);
    });

    test('ties keep insertion order', async () => {
      const made = await subject.collection();
      const ids = ['d', 'a', 'c', 'b'];
      await made.add({ ids, embeddings: ids.map(() => [1, 1]) });
      expect((await made.query({ queryEmbeddings: [[0, 0]], nResults: 3 })).ids).toEqual([['d', 'a', 'c']]);
    });

    test('include decides which columns come', async () => {
      const made = await subject.collection();
      await made.add({ ids: ['a'], embeddings: [[1]], documents: ['x'], metadatas: [{ k: 1 }], uris: ['u'] });
      const all = await made.query({
        queryEmbeddings: [[1], [2]],
        include: ['documents', 'embeddings', 'metadatas', 'uris', 'distances'],
      });
      const row = { id: 'a', document: 'x', embedding: [1], metadata: { k: 1 }, uri: 'u' };
      expect(all.rows()).toEqual([[{ ...row, distance: 0 }], [{ ...row, distance: 1 }]]);
      const none = await made.query({ queryEmbeddings: [[1]], include: [] });
      expect(none).toMatchObject({
        ids: [['a']],
        documents: null,
        embeddings: null,
        distances: null,
        uris: null,
      });
      const fallback = await made.query({ queryEmbeddings: [[1]] });
      expect(fallback).toMatchObject({ documents: [['x']], metadatas: [[{ k: 1 }]], distances: [[0]] });
      expect(fallback.embeddings).toBeNull();
    });

    test('an empty collection has no neighbours, whatever the dimension', async () => {
      const made = await subject.collection();
      const found = await made.query({
        queryEmbeddings: [
          [1, 2],
          [3, 4],
        ],
      });
      expect(found).toMatchObject({ ids: [[], []], distances: [[], []], documents: [[], []] });
    });

    test('no queries have no answers', async () => {
      const made = await subject.collection();
      expect((await made.query({ queryEmbeddings: [] })).ids).toEqual([]);
      await made.add({ ids: ['a'], embeddings: [[1]] });
      expect((await made.query({ queryEmbeddings: [] })).ids).toEqual([]);
    });

    test('an embedding of another dimension is refused', async () => {
      const made = await subject.collection();
      await made.add({ ids: ['a'], embeddings: [[1, 2, 3]] });
      await expectFault(
        made.query({ queryEmbeddings: [[1, 2]] }),
        'TESSERA_DIMENSION_MISMATCH',
        /^Collection expecting embedding with dimension of 3, got 2/,
      );
    });

    test('asking for no results gives none', async () => {
      const made = await subject.collection();
      await made.add({ ids: ['a'], embeddings: [[1]] });
      const embeddings: EmbeddingBatch = packEmbeddings([[1]], { field: 'embeddings', allowNull: false });
      const selection = { ids: null, where: null, whereDocument: null };
      const request = {
        ...selection,
        embeddings,
        nResults: 0,
        include: ['distances'] as const,
        recall: 1,
        explain: false,
      };
      const found = await subject.backend.query(scopeOf(made), request);
      expect(found.map(({ ids }) => ids)).toEqual([[]]);
    });

    test('a distance too large for 32 bits is infinite', async () => {
      const made = await subject.collection();
      await made.add({ ids: ['a', 'b'], embeddings: [[3e38], [0]] });
      const found = await made.query({ queryEmbeddings: [[-3e38]] });
      const distance = found.distances[0]![found.ids[0]!.indexOf('a')];
      expect(distance).toBe(Number.POSITIVE_INFINITY);
    });

    test('an updated embedding is found at its new place alone', async () => {
      const made = await subject.collection();
      await made.add({ ids: ['a', 'b'], embeddings: [[0], [10]] });
      await made.update({ ids: ['a'], embeddings: [[20]] });
      const found = await made.query({ queryEmbeddings: [[0]] });
      expect([found.ids, found.distances]).toEqual([[['b', 'a']], [[100, 400]]]);
    });
  });
}
