import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bitset } from './bitset.ts';

const slots = fc.array(fc.nat({ max: 300 }), { maxLength: 80 });

function from(members: readonly number[]): Bitset {
  const set = new Bitset();
  for (const slot of members) set.add(slot);
  return set;
}

function sorted(members: Iterable<number>): number[] {
  return [...new Set(members)].sort((a, b) => a - b);
}

describe('Bitset', () => {
  it('holds what a set of numbers holds', () => {
    fc.assert(
      fc.property(slots, slots, (added, removed) => {
        const set = from(added);
        for (const slot of removed) set.delete(slot);
        const expected = sorted(added).filter((slot) => !removed.includes(slot));
        expect([...set.toArray()]).toEqual(expected);
        expect(set.count()).toBe(expected.length);
        for (let slot = 0; slot < 310; slot++) expect(set.has(slot)).toBe(expected.includes(slot));
      }),
    );
  });

  it('combines sets of different capacity', () => {
    fc.assert(
      fc.property(slots, slots, (left, right) => {
        const other = from(right);
        expect([...from(left).and(other).toArray()]).toEqual(sorted(left).filter((s) => right.includes(s)));
        expect([...from(left).or(other).toArray()]).toEqual(sorted([...left, ...right]));
        expect([...from(left).andNot(other).toArray()]).toEqual(
          sorted(left).filter((s) => !right.includes(s)),
        );
        expect([...other.toArray()]).toEqual(sorted(right));
      }),
    );
  });

  it('fills exactly the first slots', () => {
    for (const count of [0, 1, 31, 32, 33, 64, 100]) {
      const set = Bitset.full(count);
      expect(set.count()).toBe(count);
      expect(set.has(count)).toBe(false);
    }
  });

  it('visits ascending, and copies independently', () => {
    const set = from([80, 1, 40]);
    const copy = set.clone();
    copy.delete(40);
    const seen: number[] = [];
    set.forEach((slot) => {
      seen.push(slot);
    });
    expect(seen).toEqual([1, 40, 80]);
    expect(copy.has(40)).toBe(false);
  });
});
