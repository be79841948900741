import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type NumberedCell, takeOverCells } from '../../test/support/cell-loading.ts';
import { distance, FAMILIES, FAMILY_NAMES, type FamilyName } from '../../test/support/hard-vectors.ts';
import type { Space } from '../api/index.ts';
import { Bitset, seededNumbers } from '../base/index.ts';
import { decodeCell } from './cell-codec.ts';
import { ClusteredIndex } from './clustered-index.ts';
import type { ClusteredTuning } from './clustered-types.ts';
import type { VectorSource } from './vector-rows.ts';

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
    // Every tenth row has the checksum 7.
    const kept = keepCells(
      index,
      (slot) => slot + 1000,
      (slot) => (slot % 10 === 0 ? 7 : 1),
    );

    // The slots are other ones, some rows are gone, some have another vector and some are new.
    const rest = [...rows].filter(([slot]) => slot % 3 !== 0 && slot % 7 !== 0);
    const slotOf = new Map(rest.map(([row], slot) => [row + 1000, slot]));
    const moved: Model = new Map(rest.map(([, row], slot) => [slot, row]));
    const added = makeRows('gaussian', 30, 20, 12);
    for (const [i, row] of added) moved.set(rest.length + i, row);
    const other = new ClusteredIndex({ space, dimension: 20, random: seededNumbers(99) }, SMALL);
    const places = {
      slotCount: rest.length,
      slotOf: (row: number, sum: number) => (sum === 7 ? -1 : (slotOf.get(row) ?? -1)),
    };
    takeOverCells(other, index.header!, kept, places);
    const taken = other.statistics().liveCount;
    expect(taken).toBeGreaterThan(rest.length * 0.7);
    expect(taken).toBeLessThan(rest.length);
    for (const [slot, row] of moved) if (!other.has(slot)) other.set(slot, row);
    expect(other.verify()).toEqual([]);
    expect(other.statistics().tailCount).toBe(moved.size - taken);
    const source = { read: readFrom(moved) };
    const lazy = new ClusteredIndex({ space, dimension: 20, random: seededNumbers(99), source }, SMALL);
    takeOverCells(lazy, index.header!, kept, places);
    for (const slot of moved.keys()) if (!lazy.has(slot)) lazy.announce(slot);
    settle(lazy);
    expect(lazy.verify()).toEqual([]);
    const live = bitsetOf(moved.keys());
    let sum = 0;
    for (const [slot, row] of moved) {
      expect(lazy.holds(slot, row)).toBe(true);
      sum += recallOf(searchIndex(lazy, row, 5, live), searchModel(space, moved, row, 5, live));
    }
    expect(sum / moved.size).toBeGreaterThanOrEqual(0.97);
  });
});

test('a cell that lost a row while it was taken over is kept anew, and without that row', () => {
  const rows = makeRows('gaussian', 200, 16, 13);
  const index = makeIndex('l2', rows, 16);
  settle(index);
  const kept = keepCells(index, Number, () => 1);
  const source = { read: readFrom(rows) };
  const other = new ClusteredIndex({ space: 'l2', dimension: 16, random: seededNumbers(9), source }, SMALL);
  // Row 5 has got another vector since, and row 6 is gone.
  const isStale = (row: number): boolean => row === 5 || row === 6;
  const places = { slotCount: 200, slotOf: (row: number) => (isStale(row) ? -1 : row) };
  takeOverCells(other, index.header!, kept, places);
  expect(other.isSavable).toBe(false);
  other.readCells();
  expect(other.isSavable).toBe(true);
  const { changed } = other.beginSaving();
  const again = changed.flatMap((cell) => {
    const bytes = other.encodeCell(cell, Number, () => 1);
    return bytes === undefined ? [] : [{ cell, rows: decodeCell(bytes, 32)!.rows }];
  });
  const stale = kept.filter(({ content }) => content.rows.some(isStale)).map(({ cell }) => cell);
  expect(again.map(({ cell }) => cell).sort()).toEqual(stale.sort());
  for (const { rows: left } of again) expect(left.some(isStale)).toBe(false);
});

test('measuring ends when the rows in cells are gone, and begins again with others', {
  timeout: 10_000,
}, () => {
  const rows = makeRows('gaussian', 200, 16, 1);
  const index = makeIndex('l2', rows, 16);
  const apart = new Float32Array(16).fill(3e38);
  for (let steps = 1; index.maintain(0, () => 0); steps++) {
    if (index.statistics().measuredRecall !== undefined) break;
    if (steps % 40 !== 0) continue;
    // At whatever moment of a round it happens, upkeep goes on and comes to its end.
    const other = makeIndex('l2', rows, 16);
    for (let i = 0; i < steps; i++) other.maintain(0, () => 0);
    other.set(200, apart);
    for (const slot of rows.keys()) other.remove(slot);
    settle(other);
    expect(other.statistics()).toMatchObject({ liveCount: 1, apartCount: 1, tailCount: 0 });
    for (const [slot, row] of rows) other.set(slot, row);
    settle(other);
    expect(other.statistics().measuredRecall).toBeDefined();
  }
});

/** All cells of an index as they come out of their bytes. */
function keepCells(
  index: ClusteredIndex,
  rowOf: (slot: number) => number,
  checksumOf: (slot: number) => number,
): NumberedCell[] {
  const { changed } = index.beginSaving();
  const width = Math.ceil(index.dimension / 32) * 32;
  const cells: NumberedCell[] = [];
  for (const cell of changed) {
    const bytes = index.encodeCell(cell, rowOf, checksumOf);
    if (bytes !== undefined) cells.push({ cell, content: decodeCell(bytes, width)! });
  }
  index.endSaving(true);
  return cells;
}

function readFrom(rows: Model): VectorSource['read'] {
  return (slots, count, visit) => {
    for (let i = 0; i < count; i++) visit(i, rows.get(slots[i]!)!);
  };
}

test('what is measured is right while vectors come into memory and go', () => {
  const rows = makeRows('gaussian', 700, 1024, 5);
  const source = { read: readFrom(rows) };
  // The first step of memory is granted to everyone: 256 vectors of this dimension.
  const grant = (): boolean => false;
  const options = { space: 'l2', dimension: 1024, random: seededNumbers(1), source, grant } as const;
  const index = new ClusteredIndex(options, SMALL);
  index.readLazily();
  for (const slot of rows.keys()) index.announce(slot);
  settle(index);
  expect(index.statistics().cachedCount).toBe(256);
  const { recalls } = index.header!;
  expect(recalls[recalls.length / 2 - 1]).toBe(1);
  expect(recalls.at(-1)).toBe(1);
});

test('rows that came after most of the measured ones left are looked for exactly until they are measured', () => {
  const rows = makeRows('gaussian', 300, 8, 1);
  const index = makeIndex('l2', rows, 8);
  settle(index);
  const query = rows.get(0)!;
  const everything = bitsetOf(rows.keys());
  const isExact = (): boolean => index.search(query, 3, everything, rows.size).isExact;
  expect(isExact()).toBe(false);
  const draw = FAMILIES.gaussian(8, seededNumbers(2));
  for (let slot = 0; slot < 150; slot++) index.set(slot, draw());
  expect(isExact()).toBe(false);
  for (let slot = 150; slot < 300; slot++) index.set(slot, draw());
  expect(isExact()).toBe(true);
  expect(index.statistics()).toMatchObject({ effort: undefined, measuredRecall: undefined });
  settle(index);
  expect(isExact()).toBe(false);
});

test.each([0.9, 0.95, 0.99])(
  'queries find %f of the answer where every row has near copies and they have none',
  (recall) => {
    const draw = FAMILIES.gaussian(32, seededNumbers(3));
    const chance = seededNumbers(4);
    const rows = new Map<number, Float32Array>();
    for (let slot = 0; slot < 4_000; slot += 10) {
      const centre = draw();
      for (let copy = 0; copy < 10; copy++) {
        rows.set(
          slot + copy,
          centre.map((x) => x + 0.2 * (chance() - 0.5)),
        );
      }
    }
    const index = makeIndex('l2', rows, 32, { ...SMALL, startCount: 100, sizeFactor: 0.35, sizeMin: 16 });
    settle(index);
    const everything = bitsetOf(rows.keys());
    let found = 0;
    for (let i = 0; i < 100; i++) {
      const query = draw();
      const answer = index.search(query, 10, everything, rows.size, { recall });
      expect(answer.isExact).toBe(false);
      const nearest = searchModel('l2', rows, query, 10, everything);
      found += answer.distances.filter((distance) => distance <= nearest.at(-1)!.distance).length / 1_000;
    }
    expect(found).toBeGreaterThanOrEqual(recall);
  },
);

describe('queries that were asked', () => {
  const RECALL = 0.95;
  const chance = seededNumbers(7);
  const draw = FAMILIES.gaussian(32, chance);
  const centres = Array.from({ length: 100 }, draw);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(chance() * list.length)]!;
  /** Of one of the clusters that the rows lie in. */
  const inside = (): Float32Array => {
    const centre = pick(centres);
    return draw().map((x, i) => centre[i]! + 0.25 * x);
  };
  /** Anywhere between them, where no row is. */
  const between = (): Float32Array => draw().map((x) => 0.8 * x);
  const rows: Model = new Map(Array.from({ length: 4_000 }, (_, slot) => [slot, inside()]));
  const everything = bitsetOf(rows.keys());
  const row = (): Float32Array => rows.get(Math.floor(chance() * rows.size))!;

  const settled = (): ClusteredIndex => {
    const index = makeIndex('l2', rows, 32, { ...SMALL, startCount: 100, sizeFactor: 0.35, sizeMin: 16 });
    settle(index);
    return index;
  };
  const ask = (index: ClusteredIndex, query: Float32Array): Hit[] =>
    searchIndex(index, query, 10, everything, RECALL);
  const recallNow = (index: ClusteredIndex, draw: () => Float32Array): number => {
    const queries = Array.from({ length: 100 }, draw);
    const sum = queries.reduce(
      (sum, query) => sum + recallOf(ask(index, query), searchModel('l2', rows, query, 10, everything)),
      0,
    );
    return sum / queries.length;
  };

  test('raise the effort where they are harder than samples of the rows, and find what they ask for', () => {
    const index = settled();
    const before = index.statistics(RECALL).effort!;
    // Samples of the rows are not to be found where these queries are.
    expect(recallNow(index, between)).toBeLessThan(RECALL);
    for (let i = 0; i < 1_000; i++) ask(index, between());
    const { measuredCount } = index;
    settle(index);
    expect(index.measuredCount).toBe(measuredCount + 1);
    const { effort, measuredRecall } = index.statistics(RECALL);
    expect(effort).toBeGreaterThan(before);
    expect(measuredRecall).toBeGreaterThanOrEqual(RECALL);
    expect(recallNow(index, between)).toBeGreaterThanOrEqual(RECALL);
  });

  test('lower the effort where they are easier, but no further than samples of the rows allow', () => {
    const index = settled();
    const before = index.statistics(RECALL).effort!;
    for (let i = 0; i < 1_000; i++) ask(index, inside());
    settle(index);
    expect(index.statistics(RECALL).effort).toBeLessThan(before);
    expect(recallNow(index, inside)).toBeGreaterThanOrEqual(RECALL);
    const moved = (): Float32Array => {
      const [plus, minus] = [row(), row()];
      return row().map((x, i) => x + 0.75 * (plus[i]! - minus[i]!));
    };
    expect(recallNow(index, moved)).toBeGreaterThanOrEqual(RECALL - 0.02);
  });

  test('are measured once there are enough of them, and then with the rows', () => {
    const index = settled();
    const { measuredCount } = index;
    for (let i = 0; i < 255; i++) ask(index, inside());
    const once = inside();
    for (let i = 0; i < 255; i++) ask(index, once);
    settle(index);
    expect(index.measuredCount).toBe(measuredCount + 1);
    for (let i = 0; i < 1_000; i++) ask(index, inside());
    settle(index);
    expect(index.measuredCount).toBe(measuredCount + 1);
  });
});

test('cells without an allowed row are passed over', () => {
  const rows = makeRows('gaussian', 400, 8, 1);
  const index = makeIndex('l2', rows, 8);
  settle(index);
  const query = new Float32Array(8).fill(0.1);
  const allowed = bitsetOf([7, 70, 140, 210, 280]);
  const found = index.search(query, 3, allowed, 5, { recall: 0.9 });
  expect(found.isExact).toBe(false);
  expect(found.cellsVisited).toBeGreaterThan(0);
  expect(found.cellsVisited).toBeLessThanOrEqual(5);
  const hits = searchModel('l2', rows, query, 3, allowed);
  expect([...found.slots]).toEqual(hits.map(({ slot }) => slot));
});

test('a damaged cell is refused', () => {
  const rows = makeRows('gaussian', 200, 8, 1);
  const index = makeIndex('l2', rows, 8);
  settle(index);
  const { changed } = index.beginSaving();
  const encode = (cell: number) => index.encodeCell(cell, Number, () => 1);
  const cells = changed.map(encode).filter((bytes) => bytes !== undefined);
  expect(cells.length).toBeGreaterThan(5);
  fc.assert(
    fc.property(
      fc.nat(cells.length - 1),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (which, place, flip) => {
        const bytes = cells[which]!.slice();
        expect(decodeCell(bytes, 32)).toBeDefined();
        bytes[place % bytes.length]! ^= flip;
        expect(decodeCell(bytes, 32)).toBeUndefined();
        expect(decodeCell(cells[which]!.subarray(0, place % bytes.length), 32)).toBeUndefined();
        expect(decodeCell(cells[which]!, 64)).toBeUndefined();
      },
    ),
    { numRuns: 100 },
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
