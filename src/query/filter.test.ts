import { describe, expect, it } from 'vitest';
import { parseWhere, whereKeys } from '../api/index.ts';
import { Bitset } from '../base/index.ts';
import { MetadataColumns } from '../columns/index.ts';
import { documentMatcher } from '../text/index.ts';
import { evaluateFilter } from './filter.ts';

const RECORDS: readonly (readonly [metadata: string | null, document: string | null])[] = [
  ['{"a":1,"b":"x"}', 'red apple'],
  ['{"a":2,"b":"y"}', 'green apple'],
  ['{"a":3}', null],
  [null, 'red wine'],
];

/** The admitted slots, and each look into documents with the slots that it was asked for. */
function evaluate(filter: unknown, live = Bitset.full(RECORDS.length)): { found: number[]; asked: string[] } {
  const node = parseWhere(filter)!;
  const columns = new MetadataColumns();
  columns.addKeys(whereKeys(node));
  RECORDS.forEach(([metadata], slot) => {
    columns.set(slot, metadata);
  });
  const asked: string[] = [];
  const found = evaluateFilter(node, {
    live,
    columns,
    documentSlots(operator, text, within) {
      asked.push(`${operator} ${text}: ${within.toArray().join(' ')}`);
      const matches = documentMatcher(operator, text);
      const slots = new Bitset();
      within.forEach((slot) => {
        if (matches(RECORDS[slot]![1])) slots.add(slot);
      });
      return slots;
    },
  });
  return { found: Array.from(found.toArray()), asked };
}

describe('evaluateFilter', () => {
  it('takes an empty $and for all and an empty $or for none', () => {
    expect(evaluate({ $and: [] }).found).toEqual([0, 1, 2, 3]);
    expect(evaluate({ $or: [] }).found).toEqual([]);
  });

  it('combines conditions on metadata and documents', () => {
    const red = { '#document': { $contains: 'red' } };
    expect(evaluate({ $and: [{ a: { $lt: 3 } }, red] }).found).toEqual([0]);
    expect(evaluate({ $or: [{ a: { $gte: 2 } }, red] }).found).toEqual([0, 1, 2, 3]);
    expect(evaluate({ $and: [{ $or: [{ a: 1 }, { a: 3 }] }, { b: { $ne: 'x' } }] }).found).toEqual([2]);
    expect(evaluate({ '#document': { $not_contains: 'apple' } }).found).toEqual([2, 3]);
    expect(evaluate({ 'chroma:document': 'red wine' }).found).toEqual([3]);
  });

  it('admits live slots alone and leaves the set of them as it was', () => {
    const live = Bitset.full(RECORDS.length);
    live.delete(0);
    expect(evaluate({ $and: [{ a: { $ne: 2 } }] }, live).found).toEqual([2, 3]);
    expect(evaluate({ $and: [] }, live).found).toEqual([1, 2, 3]);
    expect(Array.from(live.toArray())).toEqual([1, 2, 3]);
  });

  it('reads documents last, expressions after substrings, and only where the rest leaves it open', () => {
    const regex = { '#document': { $regex: 'gr' } };
    const apple = { '#document': { $contains: 'apple' } };
    const { found, asked } = evaluate({ $and: [regex, apple, { a: { $gt: 1 } }] });
    expect(found).toEqual([1]);
    expect(asked).toEqual(['$contains apple: 1 2', '$regex gr: 1']);
    expect(evaluate({ $or: [apple, { a: { $gt: 0 } }] }).asked).toEqual(['$contains apple: 3']);
  });

  it('reads no document where metadata decide', () => {
    const apple = { '#document': { $contains: 'apple' } };
    expect(evaluate({ $and: [apple, { a: 99 }] }).asked).toEqual([]);
    expect(evaluate({ $or: [apple, { a: { $ne: 99 } }] }).asked).toEqual([]);
  });

  it('answers for thousands of alternatives of one key as for a list', () => {
    const alternatives = Array.from({ length: 5_000 }, (_, i) => ({ a: i * 2 }));
    expect(evaluate({ $or: [...alternatives, { b: { $in: ['x'] } }, { a: { $in: [3] } }] }).found).toEqual([
      0, 1, 2,
    ]);
    const exclusions = Array.from({ length: 5_000 }, (_, i) => ({ a: { $ne: i * 2 } }));
    expect(evaluate({ $and: [...exclusions, { a: { $nin: [3] } }] }).found).toEqual([0, 3]);
  });

  it('draws together equalities of different types on one key', () => {
    expect(evaluate({ $or: [{ b: 'x' }, { b: 1 }, { b: true }] }).found).toEqual([0]);
  });

  it('finds a bad expression even where no document would be read', () => {
    const filter = { $and: [{ a: 99 }, { $or: [{ '#document': { $not_regex: '(' } }] }] };
    expect(() => evaluate(filter)).toThrow(/^Regex syntax errror: regex parse error: /);
  });
});
