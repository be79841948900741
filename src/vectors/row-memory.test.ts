import { describe, expect, test } from 'vitest';
import { AssertionError, Bitset, seededNumbers } from '../base/index.ts';
import { ClusteredIndex } from './clustered-index.ts';
import { FlatIndex } from './flat-index.ts';
import { RowMemory } from './row-memory.ts';
import { VectorCache } from './vector-cache.ts';
import type { VectorSource } from './vector-rows.ts';

const DIMENSION = 5;
const vectorOf = (slot: number): Float32Array =>
  Float32Array.from({ length: DIMENSION }, (_, d) => Math.sin(slot * 7 + d));

/** A source that is not to be read. */
const SEALED: VectorSource = { read: () => expect.unreachable('A vector was read that is in memory.') };

/** A flat index of `count` slots, with codes or without, given over with those that `isLive` says. */
function giveOver(count: number, hasCodes: boolean, isLive: (slot: number) => boolean) {
  const [plainSlotsMax, plainFloatsMax] = hasCodes ? [0, 0] : [1e9, 1e9];
  const tuning = { plainSlotsMax, plainFloatsMax, runShareMin: 0.6 };
  const flat = new FlatIndex({ space: 'l2', dimension: DIMENSION }, tuning);
  const live = new Bitset();
  for (let slot = 0; slot < count; slot++) {
    flat.set(slot, vectorOf(slot));
    if (isLive(slot)) live.add(slot);
  }
  const rows = flat.giveOver();
  const options = { space: 'l2', dimension: DIMENSION, source: SEALED, grant: () => false } as const;
  return { rows, live, cache: new VectorCache(options, { rows, live }) };
}

describe.each([
  ['with codes', true],
  ['without codes', false],
])('a flat index %s', (_, hasCodes) => {
  test('gives its vectors over, and none is read again', () => {
    const { cache, live } = giveOver(300, hasCodes, (slot) => slot % 3 !== 0);
    expect(cache.slotCount).toBe(300);
    expect(cache.cachedCount).toBe(200);
    live.forEach((slot) => {
      expect(cache.embeddingOf(slot)).toEqual(vectorOf(slot));
      expect(cache.normOf(slot)).toBeCloseTo(Math.hypot(...vectorOf(slot)), 12);
    });
    const { slots, distances } = cache.search(vectorOf(100), 200, live, 200);
    expect(slots[0]).toBe(100);
    expect(distances[0]).toBe(0);
    expect([...slots].sort((a, b) => a - b)).toEqual([...live.toArray()]);
  });

  test('gives its memory over as it is, where the places of slots without a vector are free', () => {
    const { rows, cache } = giveOver(300, hasCodes, (slot) => slot !== 7);
    const { bytes } = cache;
    expect(cache.isFull).toBe(false);
    cache.set(300, vectorOf(300));
    expect(rows.memory.at(7)).toEqual(vectorOf(300));
    expect(cache.isFull).toBe(true);
    expect(cache.bytes - bytes).toBeLessThan(500);
  });
});

test('an index that gets cells has its vectors in memory at once', () => {
  const tuning = { startCount: 200, sizeFactor: 0, sizeMin: 12, neighbourCount: 8, exactCountMax: 0 };
  const options = { space: 'l2', dimension: DIMENSION, random: seededNumbers(1), source: SEALED } as const;
  const index = new ClusteredIndex(options, tuning);
  for (let slot = 0; slot < 200; slot++) index.set(slot, vectorOf(slot));
  expect(index.isLazy).toBe(false);
  index.maintain(0, () => 0);
  expect(index.isLazy).toBe(true);
  expect(index.statistics().cachedCount).toBe(200);
  while (index.maintain(0, () => 0));
  expect(index.verify()).toEqual([]);
});

test('rows stay as they are when the memory grows, and beyond the dimension it is zero', () => {
  const memory = new RowMemory(DIMENSION);
  memory.reserve(3);
  memory.put(2, vectorOf(2));
  memory.reserve(100_000);
  expect(memory.at(2)).toEqual(vectorOf(2));
  expect(memory.at(99_999)).toEqual(new Float32Array(DIMENSION));
  expect(memory.normAt(memory.addressOf(2))).toBeCloseTo(Math.hypot(...vectorOf(2)), 12);
  expect(memory.loadQuery(vectorOf(4))).toBeCloseTo(Math.hypot(...vectorOf(4)), 12);
  expect(() => memory.loadRow(new Float32Array(DIMENSION).fill(Number.NaN))).toThrow(AssertionError);
});
