import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { distance, FAMILIES, FAMILY_NAMES, type FamilyName } from '../../test/support/hard-vectors.ts';
import type { Space } from '../api/index.ts';
import { Bitset, seededNumbers } from '../base/index.ts';
import { ClusteredIndex, type ClusteredTuning } from './clustered-index.ts';

const SPACES: readonly Space[] = ['l2', 'ip', 'cosine'];

/** Cells from the first rows on, and small ones, so that few rows make many splits. */
const SMALL: ClusteredTuning = {
  startCount: 40,
  sizeFactor: 0,
  sizeMin: 12,
  neighbourCount: 8,
  exactCountMax: 0,
};

/** The rows of a test, by slot. */
type Model = Map<number, Float32Array>;

interface Hit {
  readonly slot: number;
  readonly distance: number;
}

function searchModel(space: Space, model: Model, query: Float32Array, k: number, allowed: Bitset): Hit[] {
  const hits: Hit[] = [];
  for (const [slot, row] of model) {
    if (allowed.has(slot)) hits.push({ slot, distance: distance(space, row, query) });
  }
  hits.sort((a, b) => (a.distance < b.distance ? -1 : a.distance > b.distance ? 1 : a.slot - b.slot));
  return hits.slice(0, k);
}

function searchIndex(
  index: ClusteredIndex,
  query: Float32Array,
  k: number,
  allowed: Bitset,
  recall?: number,
): Hit[] {
  const found = index.search(query, k, allowed, allowed.count(), recall === undefined ? {} : { recall });
  return Array.from(found.slots, (slot, i) => ({ slot, distance: found.distances[i]! }));
}

function bitsetOf(slots: Iterable<number>): Bitset {
  const set = new Bitset();
  for (const slot of slots) set.add(slot);
  return set;
}

/** Does all work there is. */
function settle(index: ClusteredIndex): void {
  let steps = 0;
  // A clock that stands still ends every slice after one step.
  while (index.maintain(0, () => 0)) {
    if (++steps > 100_000) throw new Error('Maintenance does not come to an end.');
  }
}

function makeRows(family: FamilyName, count: number, dimension: number, seed: number): Model {
  const draw = FAMILIES[family](dimension, seededNumbers(seed));
  return new Map(Array.from({ length: count }, (_, slot) => [slot, draw()]));
}

function makeIndex(space: Space, rows: Model, dimension: number, tuning = SMALL): ClusteredIndex {
  const index = new ClusteredIndex({ space, dimension, random: seededNumbers(1) }, tuning);
  for (const [slot, row] of rows) index.set(slot, row);
  return index;
}

/** Share of `expected` that `found` has, or has a row as near in its place. */
function recallOf(found: readonly Hit[], expected: readonly Hit[]): number {
  if (expected.length === 0) return 1;
  const farthest = expected.at(-1)!.distance;
  return found.filter((hit) => hit.distance <= farthest).length / expected.length;
}

describe.each(SPACES)('in space %s', (space) => {
  test.each(FAMILY_NAMES)('%s: every row is where it belongs and found by its own embedding', (family) => {
    const rows = makeRows(family, 300, 24, 7);
    const index = makeIndex(space, rows, 24);
    settle(index);
    expect(index.verify()).toEqual([]);
    const live = bitsetOf(rows.keys());
    let found = 0;
    let exact = 0;
    for (const row of rows.values()) {
      const expected = searchModel(space, rows, row, 1, live);
      expect(searchIndex(index, row, 1, live, 1)).toEqual(expected);
      exact += 1;
      found += recallOf(searchIndex(index, row, 1, live), expected);
    }
    expect(found / exact).toBeGreaterThanOrEqual(0.99);
  });

  test.each(FAMILY_NAMES)('%s: approximate answers meet the recall asked for over the run', (family) => {
    const rows = makeRows(family, 500, 40, 3);
    const index = makeIndex(space, rows, 40);
    settle(index);
    const live = bitsetOf(rows.keys());
    const next = seededNumbers(5);
    let sum = 0;
    const queries = [...makeRows(family, 60, 40, 4).values()];
    for (const query of queries) {
      const row = rows.get(Math.floor(next() * rows.size))!;
      const mixed = query.map((x, i) => x * 0.5 + row[i]! * 0.5);
      const found = searchIndex(index, mixed, 10, live);
      const expected = searchModel(space, rows, mixed, 10, live);
      expect(found).toHaveLength(10);
      for (const hit of found) expect(hit.distance).toBe(distance(space, rows.get(hit.slot)!, mixed));
      sum += recallOf(found, expected);
    }
    expect(sum / queries.length).toBeGreaterThanOrEqual(0.97);
  });

  test('cells are kept as bytes and taken over by another index', () => {
    const rows = makeRows('gaussian', 400, 20, 11);
    const index = makeIndex(space, rows, 20);
    settle(index);
    for (let slot = 0; slot < 400; slot += 3) index.remove(slot);
    settle(index);
    const kept = [...index.keptCells((slot) => slot + 1000)];

    // The slots are other ones, some rows are gone and some are new.
    const rest = [...rows].filter(([slot]) => slot % 3 !== 0 && slot % 7 !== 0);
    const slotOf = new Map(rest.map(([row], slot) => [row + 1000, slot]));
    const moved: Model = new Map(rest.map(([, row], slot) => [slot, row]));
    const added = makeRows('gaussian', 30, 20, 12);
    for (const [i, row] of added) moved.set(rest.length + i, row);
    const other = new ClusteredIndex({ space, dimension: 20, random: seededNumbers(99) }, SMALL);
    for (const [slot, row] of moved) other.set(slot, row);
    expect(other.loadCells(index.header!, kept, (row) => slotOf.get(row) ?? -1)).toBe(true);
    expect(other.verify()).toEqual([]);
    expect(other.statistics().tailCount).toBe(30);
    settle(other);
    expect(other.verify()).toEqual([]);
    const live = bitsetOf(moved.keys());
    let sum = 0;
    for (const row of moved.values()) {
      sum += recallOf(searchIndex(other, row, 5, live), searchModel(space, moved, row, 5, live));
    }
    expect(sum / moved.size).toBeGreaterThanOrEqual(0.97);
  });
});

test('damaged cells are refused and leave the index as it was', () => {
  const rows = makeRows('gaussian', 200, 8, 1);
  const index = makeIndex('l2', rows, 8);
  settle(index);
  const cells = [...index.keptCells((slot) => slot)];
  fc.assert(
    fc.property(
      fc.nat(cells.length - 1),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (which, place, flip) => {
        const damaged = cells.map(({ cell, bytes }) => ({ cell, bytes: bytes.slice() }));
        const { bytes } = damaged[which]!;
        bytes[place % bytes.length]! ^= flip;
        const other = makeIndex('l2', rows, 8);
        expect(other.loadCells(index.header!, damaged, (row) => row)).toBe(false);
        damaged[which]!.bytes = bytes.subarray(0, place % bytes.length);
        expect(other.loadCells(index.header!, damaged, (row) => row)).toBe(false);
        expect(other.statistics().tailCount).toBe(200);
        expect(other.verify()).toEqual([]);
      },
    ),
    { numRuns: 30 },
  );
});

/** One step of a random life. */
type Deed =
  | { readonly kind: 'set'; readonly slot: number; readonly count: number }
  | { readonly kind: 'remove'; readonly slot: number; readonly count: number }
  | { readonly kind: 'maintain'; readonly count: number }
  | { readonly kind: 'search'; readonly k: number; readonly share: number };

const deeds: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('set' as const), slot: fc.nat(400), count: fc.nat(80) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('remove' as const), slot: fc.nat(400), count: fc.nat(60) }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('maintain' as const), count: fc.nat(200) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('search' as const),
      k: fc.integer({ min: 1, max: 30 }),
      share: fc.constantFrom(1, 1, 0.5, 0.1, 0.01),
    }),
  },
);

describe('a random life', () => {
  const lives = fc.record({
    space: fc.constantFrom(...SPACES),
    families: fc.tuple(fc.constantFrom(...FAMILY_NAMES), fc.constantFrom(...FAMILY_NAMES)),
    dimension: fc.constantFrom(1, 2, 7, 32, 33, 48, 100),
    seed: fc.nat(),
    deeds: fc.array(deeds, { minLength: 5, maxLength: 40 }),
  });

  test('no sequence of sets, removals and maintenance loses a row or gives a wrong distance', {
    timeout: 60_000,
  }, () => {
    let found = 0;
    let searches = 0;
    fc.assert(
      fc.property(lives, ({ space, families, dimension, seed, deeds }) => {
        const chance = seededNumbers(seed);
        const draws = families.map((family) => FAMILIES[family](dimension, chance));
        const draw = (): Float32Array => draws[chance() < 0.5 ? 0 : 1]!();
        const index = new ClusteredIndex({ space, dimension, random: seededNumbers(seed) }, SMALL);
        const model: Model = new Map();
        for (const deed of deeds) {
          if (deed.kind === 'set') {
            for (let slot = deed.slot; slot < deed.slot + deed.count; slot++) {
              const row = draw();
              model.set(slot, row);
              index.set(slot, row);
            }
          } else if (deed.kind === 'remove') {
            for (let slot = deed.slot; slot < deed.slot + deed.count; slot++) {
              expect(index.remove(slot)).toBe(model.delete(slot));
            }
          } else if (deed.kind === 'maintain') {
            for (let i = 0; i < deed.count && index.maintain(0, () => 0); i++);
          } else {
            const query = model.size > 0 && chance() < 0.5 ? [...model.values()][0]! : draw();
            const allowed = bitsetOf([...model.keys()].filter(() => chance() < deed.share));
            const expected = searchModel(space, model, query, deed.k, allowed);
            expect(searchIndex(index, query, deed.k, allowed, 1)).toEqual(expected);
            const hits = searchIndex(index, query, deed.k, allowed);
            expect(hits).toHaveLength(expected.length);
            for (const hit of hits) {
              expect(allowed.has(hit.slot)).toBe(true);
              expect(hit.distance).toBe(distance(space, model.get(hit.slot)!, query));
            }
            found += recallOf(hits, expected);
            searches++;
          }
          expect(index.verify()).toEqual([]);
        }
        expect(index.statistics().liveCount).toBe(model.size);
        for (const [slot, row] of model) expect(index.embeddingOf(slot)).toEqual(row);
      }),
      { numRuns: 100 },
    );
    expect(found / searches).toBeGreaterThanOrEqual(0.97);
  });
});

test('rows that are deleted and added again round after round stay reachable', { timeout: 60_000 }, () => {
  const dimension = 32;
  const rows = makeRows('clustered unit vectors', 1000, dimension, 21);
  const index = makeIndex('cosine', rows, dimension, { ...SMALL, sizeMin: 40 });
  settle(index);
  const fresh = FAMILIES['clustered unit vectors'](dimension, seededNumbers(22));
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 200; i++) {
      const slot = (round * 200 + i * 5) % 1000;
      index.remove(slot);
      const row = i % 2 === 0 ? fresh() : rows.get(slot)!;
      rows.set(slot, row);
      index.set(slot, row);
      if (i % 16 === 0) index.maintain(0, () => 0);
    }
    settle(index);
    expect(index.verify()).toEqual([]);
  }
  const live = bitsetOf(rows.keys());
  let sum = 0;
  for (const row of rows.values()) {
    sum += recallOf(searchIndex(index, row, 1, live), searchModel('cosine', rows, row, 1, live));
  }
  expect(sum / rows.size).toBeGreaterThanOrEqual(0.99);
});

test('a row is found at once after it was set, and the cells as they were before stay in use', () => {
  const rows = makeRows('gaussian', 500, 16, 31);
  const index = makeIndex('l2', rows, 16);
  settle(index);
  const row = new Float32Array(16).fill(9);
  index.set(500, row);
  const found = index.search(row, 3, bitsetOf([...rows.keys(), 500]), 501);
  expect(found.slots[0]).toBe(500);
  expect(found.isExact).toBe(false);
  expect(found.cellsVisited).toBeGreaterThan(0);
});
