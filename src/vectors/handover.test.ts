import { expect, test } from 'vitest';
import { FAMILIES } from '../../test/support/hard-vectors.ts';
import { Bitset, seededNumbers } from '../base/index.ts';
import { FlatIndex } from './flat-index.ts';
import { Handover, handOver } from './handover.ts';
import type { VectorSource } from './vector-rows.ts';

/** A source whose vectors say where they come from, and a former holder of some slots. */
function scene(): { handover: Handover; reads: number[][] } {
  const reads: number[][] = [];
  const source: VectorSource = {
    read: (slots, count, visit) => {
      reads.push([...slots.subarray(0, count)]);
      for (let i = 0; i < count; i++) visit(i, Float32Array.of(slots[i]!, 1));
    },
  };
  const former = new FlatIndex({ space: 'l2', dimension: 2 });
  const held = new Bitset();
  for (const slot of [1, 3, 5]) {
    former.set(slot, Float32Array.of(slot, 0));
    held.add(slot);
  }
  return { handover: new Handover(former, held, source), reads };
}

function read(handover: Handover, slots: number[]): (readonly [index: number, vector: number[]])[] {
  const seen: (readonly [number, number[]])[] = [];
  // The array may be longer than what is asked for.
  handover.read(Uint32Array.of(...slots, 99), slots.length, (i, vector) => seen.push([i, [...vector]]));
  return seen.sort(([a], [b]) => a - b);
}

test('vectors come from the former holder where it has them, and from the source where not', () => {
  const { handover, reads } = scene();
  expect(read(handover, [0, 1, 2, 3])).toEqual([
    [0, [0, 1]],
    [1, [1, 0]],
    [2, [2, 1]],
    [3, [3, 0]],
  ]);
  expect(reads).toEqual([[0, 2]]);
  expect(read(handover, [1, 5])).toEqual([
    [0, [1, 0]],
    [1, [5, 0]],
  ]);
  expect(reads).toHaveLength(1);
});

test('a slot that has got another vector is read at the source', () => {
  const { handover } = scene();
  handover.forget(3);
  expect(read(handover, [1, 3])).toEqual([
    [0, [1, 0]],
    [1, [3, 1]],
  ]);
});

test('after its end nothing of the former holder is used or held', () => {
  const { handover, reads } = scene();
  expect(handover.bytes).toBeGreaterThan(0);
  handover.finish();
  expect(handover.bytes).toBe(0);
  expect(read(handover, [1, 2])).toEqual([
    [0, [1, 1]],
    [1, [2, 1]],
  ]);
  expect(reads).toEqual([[1, 2]]);
});

test.each(['l2', 'ip', 'cosine'] as const)(
  'meanwhile answers are those of all rows, and none is read that the former holder has (%s)',
  (space) => {
    const [count, added, dimension] = [3_000, 3_400, 32];
    const draw = FAMILIES['clustered unit vectors'](dimension, seededNumbers(4));
    const rows = Array.from({ length: added }, () => draw());
    // Equally near in both holders.
    rows[added - 1] = rows[0]!.slice();
    const reads: number[] = [];
    const source: VectorSource = {
      read: (slots, readCount, visit) => {
        for (let i = 0; i < readCount; i++) {
          reads.push(slots[i]!);
          visit(i, rows[slots[i]!]!);
        }
      },
    };
    const [former, all] = [new FlatIndex({ space, dimension }), new FlatIndex({ space, dimension })];
    for (let slot = 0; slot < count; slot++) former.set(slot, rows[slot]!);
    const { rows: cache, handover } = handOver(former, Bitset.full(count), { space, dimension, source });
    const changed = [5, 700, 2_999];
    for (const slot of changed) {
      rows[slot] = draw();
      handover!.forget(slot);
      cache.announce(slot);
    }
    for (let slot = count; slot < added; slot++) cache.announce(slot);
    for (const [slot, row] of rows.entries()) all.set(slot, row);
    const some = new Bitset();
    for (let slot = 0; slot < added; slot += 3) some.add(slot);
    const onlyFormer = new Bitset();
    for (let slot = 10; slot < 400; slot++) onlyFormer.add(slot);

    for (const allowed of [Bitset.full(added), some, onlyFormer]) {
      for (let i = 0; i < 20; i++) {
        const query = i === 0 ? rows[0]! : rows[100 * i]!.map((x) => x * 1.1);
        const given = [query, 10, allowed, allowed.count()] as const;
        const [found, expected] = [handover!.search(cache, ...given), all.search(...given)];
        expect([...found.slots]).toEqual([...expected.slots]);
        expect([...found.distances]).toEqual([...expected.distances]);
        const candidates = allowed.toArray().filter((slot) => slot % 4 === i % 4);
        const ranked = handover!.rank(cache, query, 10, candidates, candidates.length);
        expect([...ranked.slots]).toEqual([...all.rank(query, 10, candidates, candidates.length).slots]);
      }
    }
    expect(Math.min(...reads.filter((slot) => !changed.includes(slot)))).toBe(count);

    handover!.finish();
    const everything = Bitset.full(added);
    expect(handover!.search(cache, rows[1]!, 3, everything, added).slots).toEqual(
      all.search(rows[1]!, 3, everything, added).slots,
    );
    expect([...handover!.rank(cache, rows[1]!, 1, Uint32Array.of(0, 1, 2, 9), 3).slots]).toEqual([1]);
  },
);
