/** Reads by id, filter and place: get, peek, count. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Collection, Where, WhereDocument } from '../../src/client/index.ts';
import { expectFault, type Subject } from './subject.ts';

/** See the top of this file. */
export function readCases(subject: Subject): void {
  describe('get', () => {
    let filled: Collection;

    beforeAll(async () => {
      filled = await subject.collection();
      await filled.add({
        ids: ['e', 'd', 'c', 'b', 'a'],
        embeddings: [[1], [2], [3], [4], [5]],
        documents: ['Red apple', 'green apple', 'red cherry', null, '100% grape_juice'],
        metadatas: [
          { n: 1, f: 1.5, s: 'x', b: true, tags: ['p', 'q'] },
          { n: 2, f: 2.0, s: 'y', b: false, tags: ['q'] },
          { n: 3, s: 'X', nums: [1, 2, 3] },
          null,
          { n: 9007199254740993n, f: -3 },
        ],
        uris: ['u1', null, null, null, 'u5'],
      });
    });

    test('records come in insertion order, whatever the order of ids', async () => {
      expect((await filled.get()).ids).toEqual(['e', 'd', 'c', 'b', 'a']);
      expect((await filled.get({ ids: ['a', 'c', 'e'] })).ids).toEqual(['e', 'c', 'a']);
    });

    test('unknown and repeated ids are passed over, no ids give no records', async () => {
      expect((await filled.get({ ids: ['c', 'missing', 'c'] })).ids).toEqual(['c']);
      expect((await filled.get({ ids: 'c' })).ids).toEqual(['c']);
      expect(await filled.get({ ids: [] })).toMatchObject({ ids: [], documents: [], metadatas: [] });
    });

    test('include decides which columns come', async () => {
      const all = await filled.get({ ids: 'e', include: ['documents', 'embeddings', 'metadatas', 'uris'] });
      expect(all).toMatchObject({ documents: ['Red apple'], embeddings: [[1]], uris: ['u1'] });
      const none = await filled.get({ ids: 'e', include: [] });
      expect(none).toMatchObject({
        ids: ['e'],
        documents: null,
        embeddings: null,
        metadatas: null,
        uris: null,
      });
      const fallback = await filled.get({ ids: 'b' });
      expect(fallback).toMatchObject({ documents: [null], metadatas: [null], embeddings: null, uris: null });
      expect(fallback.include).toEqual(['documents', 'metadatas']);
      expect(none.rows()).toEqual([{ id: 'e' }]);
    });

    test('limit and offset cut the list after the filter', async () => {
      const page = async (limit: number | undefined, offset: number) =>
        (await filled.get({ limit, offset })).ids;
      expect(await page(2, 0)).toEqual(['e', 'd']);
      expect(await page(2, 3)).toEqual(['b', 'a']);
      expect(await page(undefined, 3)).toEqual(['b', 'a']);
      expect(await page(0, 0)).toEqual([]);
      expect(await page(5, 9)).toEqual([]);
      expect((await filled.get({ where: { n: { $gte: 2 } }, limit: 1, offset: 1 })).ids).toEqual(['c']);
      expect((await filled.get({ ids: ['a', 'b', 'c'], limit: 1, offset: 1 })).ids).toEqual(['b']);
    });

    test('peek gives the first records', async () => {
      expect((await filled.peek({ limit: 2 })).ids).toEqual(['e', 'd']);
      expect((await filled.peek()).ids).toHaveLength(5);
    });

    test('count counts', async () => {
      expect(await filled.count()).toBe(5);
    });

    test.each<[Where, string]>([
      [{ n: 1 }, 'e'],
      [{ n: { $ne: 1 } }, 'dcba'],
      [{ f: 2 }, 'd'],
      [{ n: { $gt: 1.5 } }, 'dca'],
      [{ n: { $lt: 1.5 } }, 'e'],
      [{ n: { $gte: 2 } }, 'dca'],
      [{ n: { $lte: 2 } }, 'ed'],
      [{ n: 9007199254740993n }, 'a'],
      [{ n: 9007199254740992n }, ''],
      [{ s: 'x' }, 'e'],
      [{ s: { $in: ['x', 'y'] } }, 'ed'],
      [{ s: { $nin: ['x', 'y'] } }, 'cba'],
      [{ n: { $in: [1, 3] } }, 'ec'],
      [{ b: true }, 'e'],
      [{ b: { $ne: true } }, 'dcba'],
      [{ n: '1' }, ''],
      [{ tags: { $contains: 'q' } }, 'ed'],
      [{ tags: { $not_contains: 'p' } }, 'dcba'],
      [{ nums: { $contains: 2 } }, 'c'],
      [{ s: { $contains: 'x' } }, ''],
      [{ missing: 1 }, ''],
      [{ missing: { $ne: 1 } }, 'edcba'],
      [{ $and: [{ n: { $gte: 1 } }, { b: false }] }, 'd'],
      [{ $or: [{ s: 'X' }, { b: true }] }, 'ec'],
      [{ $and: [] }, 'edcba'],
      [{ $or: [] }, ''],
      [{}, 'edcba'],
      [{ '#document': { $contains: 'apple' } }, 'ed'],
    ])('where %o finds %j', async (where, expected) => {
      expect((await filled.get({ where })).ids.join('')).toBe(expected);
    });

    test.each<[WhereDocument | Record<string, never>, string]>([
      [{ $contains: 'apple' }, 'ed'],
      [{ $contains: 'red' }, 'c'],
      [{ $contains: 'e' }, 'edca'],
      [{ $contains: '0%' }, 'a'],
      [{ $contains: 'e_j' }, 'a'],
      [{ $contains: '' }, 'edca'],
      [{ $not_contains: 'apple' }, 'cba'],
      [{ $regex: '^[Rr]ed' }, 'ec'],
      [{ $regex: '(?i)RED' }, 'ec'],
      [{ $not_regex: 'apple$' }, 'cba'],
      [{ $and: [{ $contains: 'apple' }, { $not_contains: 'green' }] }, 'e'],
      [{ $or: [{ $contains: 'cherry' }, { $contains: 'grape' }] }, 'ca'],
      [{}, 'edcba'],
    ])('whereDocument %o finds %j', async (whereDocument, expected) => {
      const filter = whereDocument as WhereDocument;
      expect((await filled.get({ whereDocument: filter })).ids.join('')).toBe(expected);
    });

    test('ids, where and whereDocument are ANDed', async () => {
      const whereDocument = { $contains: 'apple' };
      expect((await filled.get({ where: { n: { $gte: 2 } }, whereDocument })).ids).toEqual(['d']);
      expect((await filled.get({ ids: ['a', 'd', 'e'], where: { n: { $lte: 2 } } })).ids).toEqual(['e', 'd']);
      expect((await filled.get({ ids: ['a'], whereDocument })).ids).toEqual([]);
    });

    test('filters that say two things at once, or nothing that is known, are refused', async () => {
      for (const where of [
        { a: 1, b: 2 },
        { a: { $gt: 1, $lt: 5 } },
        { a: null },
        { $not: [] },
        { a: { $in: [] } },
      ]) {
        await expectFault(
          filled.get({ where: where as unknown as Where }),
          'TESSERA_INVALID_FILTER',
          /^Invalid where/,
        );
      }
      const matches = { $matches: 'x' } as unknown as WhereDocument;
      await expectFault(
        filled.get({ whereDocument: matches }),
        'TESSERA_INVALID_FILTER',
        /^Invalid where document/,
      );
      await expectFault(
        filled.get({ whereDocument: { $regex: '(' } }),
        'TESSERA_INVALID_FILTER',
        /^Regex syntax/,
      );
    });

    test('an empty collection has nothing to read', async () => {
      const empty = await subject.collection();
      expect(await empty.get()).toMatchObject({ ids: [], documents: [], metadatas: [] });
      expect((await empty.get({ include: ['embeddings', 'uris'] })).rows()).toEqual([]);
      expect((await empty.get({ where: { n: 1 }, whereDocument: { $contains: 'x' } })).ids).toEqual([]);
      expect((await empty.peek()).ids).toEqual([]);
      expect(await empty.count()).toBe(0);
    });
  });
}
