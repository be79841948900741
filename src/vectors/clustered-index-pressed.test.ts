/** Rows that come faster than they are taken in: taking them in goes first, and nothing is lost by it. */
import { expect, test } from 'vitest';
import { distance, FAMILIES } from '../../test/support/hard-vectors.ts';
import { Bitset, seededNumbers } from '../base/index.ts';
import { ClusteredIndex } from './clustered-index.ts';
import type { VectorSource } from './vector-rows.ts';

const DIMENSION = 24;
const BEFORE = 2_400;
const COUNT = 3_200;
/** Of so many, what was measured of the first is not believed. */
const MANY = 9_600;
/** Rows that have to wait for taking them in to go first, and more than a step takes. */
const PRESSING = 256;
const TUNING = { startCount: 40, sizeFactor: 0, sizeMin: 12, neighbourCount: 8, exactCountMax: 0 };

const draw = FAMILIES.gaussian(DIMENSION, seededNumbers(11));
const rows = Array.from({ length: MANY }, () => draw());
/** Longer than a code can express, so that they stay out of cells. */
for (let slot = BEFORE; slot < COUNT; slot += 200) rows[slot] = rows[slot]!.map((x) => x * 1e30);

const source: VectorSource = {
  read: (slots, count, visit) => {
    for (let i = 0; i < count; i++) visit(i, rows[slots[i]!]!);
  },
};

function settle(index: ClusteredIndex): void {
  while (index.maintain(0, () => 0));
}

/** An index of the first rows that has settled, to which the others have just come. */
function begin(source: VectorSource | undefined): ClusteredIndex {
  const index = new ClusteredIndex(
    { space: 'l2', dimension: DIMENSION, random: seededNumbers(3), source },
    TUNING,
  );
  for (let slot = 0; slot < BEFORE; slot++) index.set(slot, rows[slot]!);
  settle(index);
  expect(index.statistics().measuredRecall).toBeGreaterThan(0.9);
  for (let slot = BEFORE; slot < COUNT; slot++) {
    if (source === undefined) index.set(slot, rows[slot]!);
    else index.announce(slot);
  }
  return index;
}

function expectAllFound(index: ClusteredIndex): void {
  const live = Bitset.full(COUNT);
  for (let slot = 0; slot < COUNT; slot++) {
    expect([...index.search(rows[slot]!, 1, live, COUNT, { recall: 1 }).slots]).toEqual([slot]);
  }
}

/** Share of the ten nearest of some points between rows that queries find. */
function recallOf(index: ClusteredIndex): number {
  const live = Bitset.full(COUNT);
  let found = 0;
  for (let i = 0; i < 100; i++) {
    const query = rows[7 * i]!.map((x, d) => (x + rows[7 * i + 1]![d]!) / 2);
    const nearest = rows
      .slice(0, COUNT)
      .map((row) => distance('l2', row, query))
      .sort((a, b) => a - b);
    const { distances } = index.search(query, 10, live, COUNT);
    found += distances.filter((one) => one <= nearest[9]!).length;
  }
  return found / 1_000;
}

test('rows that many wait behind leave memory once a cell has them, and cells are divided afterwards', () => {
  const index = begin(source);
  const { cellCount, cachedCount } = index.statistics();
  expect(cachedCount).toBe(BEFORE);
  while (index.statistics().tailCount > PRESSING) {
    index.maintain(0, () => 0);
    // Those of the last step may be there, and those apart, which every query ranks.
    expect(index.statistics().cachedCount).toBeLessThanOrEqual(cachedCount + 64 + 4);
  }
  expect(index.statistics().cellCount).toBe(cellCount);
  expect(recallOf(index)).toBeGreaterThan(0.97);
  expect(index.verify()).toEqual([]);
  settle(index);
  expect(index.statistics().cellCount).toBeGreaterThan(cellCount * 1.1);
  expect(index.statistics()).toMatchObject({ apartCount: 4, cachedCount: COUNT });
  expect(recallOf(index)).toBeGreaterThan(0.97);
  expectAllFound(index);
});

test('rows that are nowhere else stay in memory', () => {
  const index = begin(undefined);
  while (index.statistics().tailCount > 0) index.maintain(0, () => 0);
  expect(index.statistics().cachedCount).toBe(COUNT);
  expectAllFound(index);
});

test('most vectors stay in memory however many rows come', () => {
  const index = begin(source);
  // With what was measured believed, and not ageing.
  for (let slot = COUNT; slot < 2 * BEFORE; slot++) index.announce(slot);
  while (index.statistics().tailCount > PRESSING) index.maintain(0, () => 0);
  expect(index.statistics().cachedCount).toBeGreaterThan(0.55 * 2 * BEFORE);
});

test('cells are divided at once while the recall is not known, however many rows wait', () => {
  const index = begin(source);
  for (let slot = COUNT; slot < MANY; slot++) index.announce(slot);
  const { cellCount } = index.statistics();
  for (let step = 0; step < 100; step++) index.maintain(0, () => 0);
  expect(index.statistics().tailCount).toBeGreaterThan(PRESSING);
  expect(index.statistics().cellCount).toBeGreaterThan(cellCount);
});

test('queries do not fetch all vectors when cells begin, since who held them until then still answers', () => {
  const options = { space: 'l2', dimension: DIMENSION, random: seededNumbers(3), source } as const;
  const index = new ClusteredIndex(options, { ...TUNING, startCount: BEFORE });
  for (let slot = 0; slot < BEFORE; slot++) index.set(slot, rows[slot]!);
  index.maintain(0, () => 0);
  expect(index.isLazy).toBe(true);
  for (let slot = BEFORE; slot < COUNT; slot++) index.announce(slot);
  const { cachedCount } = index.statistics();
  expectAllFound(index);
  expect(index.statistics().cachedCount).toBeLessThanOrEqual(cachedCount + COUNT - BEFORE);
});

test('rounds end, and few neighbours are searched for in cells, however long rows keep waiting', () => {
  const many: Float32Array[] = [];
  const kept: VectorSource = {
    read: (slots, count, visit) => {
      for (let i = 0; i < count; i++) visit(i, many[slots[i]!]!);
    },
  };
  const options = { space: 'l2', dimension: DIMENSION, random: seededNumbers(3), recall: 0.9 } as const;
  const index = new ClusteredIndex({ ...options, source: kept }, { startCount: 4_000, exactCountMax: 100 });
  const live = new Bitset();
  const add = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const slot = many.push(draw()) - 1;
      live.add(slot);
      index.set(slot, many[slot]!);
    }
  };
  add(4_000);
  while (many.length < 40_000) {
    add(64);
    for (let step = 0; step < 20 && index.statistics().tailCount > PRESSING + 1; step++)
      index.maintain(0, () => 0);
  }
  expect(index.measuredCount).toBeGreaterThan(0);
  for (const k of [10, 1]) expect(index.search(draw(), k, live, many.length).isExact).toBe(false);
});
