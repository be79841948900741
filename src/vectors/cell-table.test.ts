import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { FAMILIES, FAMILY_NAMES } from '../../test/support/hard-vectors.ts';
import { Bitset, DatabaseError, seededNumbers } from '../base/index.ts';
import { Kernel } from '../kernel/index.ts';
import { CANDIDATES_MAX } from './cell-layout.ts';
import { OUTSIDE, type SlotPlaces } from './cell-request.ts';
import { CellTable } from './cell-table.ts';
import { ESTIMATE_DEVIATION } from './effort.ts';
import { makeRotation } from './rotation.ts';

/** Families whose lengths the codes can express. */
const FAMILIES_THAT_FIT = FAMILY_NAMES.filter((name) => name !== 'huge' && name !== 'denormal');
const EVERYTHING = 1e30;

/** Makes a vector the current row of a table. */
function load(table: CellTable, vector: Float32Array): void {
  table.rows.raw(0).set(vector);
  table.rows.setScale(0, 1);
  table.rows.load(1);
  table.current = 0;
}

/** Adds a vector to a cell of a table of squared distances. */
function add(table: CellTable, cell: number, slot: number, vector: Float32Array): number {
  load(table, vector);
  return table.add(cell, slot, -table.rows.squareOf(0) / 2);
}

interface Scene {
  readonly table: CellTable;
  readonly rows: readonly Float32Array[];
  readonly cellOf: readonly number[];
  readonly query: Float32Array;
}

/**
 * A table whose cells have random rows as centres and the rows nearest to them, or simply any, as entries.
 */
function makeScene(seed: number, family: (typeof FAMILY_NAMES)[number], dimension: number): Scene {
  const chance = seededNumbers(seed);
  const draw = FAMILIES[family](dimension, chance);
  const table = new CellTable(dimension, makeRotation(dimension, chance), true);
  const rows = Array.from({ length: 150 }, draw);
  for (const row of rows.slice(0, 5)) {
    load(table, row);
    table.createCell(table.rows.at(0).slice());
  }
  const cellOf = rows.map((row, slot) => {
    load(table, row);
    const cell = slot % 3 === 0 ? Math.floor(chance() * 5) : table.rows.nearest(1)[0]!;
    table.add(cell, slot, -table.rows.squareOf(0) / 2);
    return cell;
  });
  return { table, rows, cellOf, query: draw() };
}

const squared = (vector: Float32Array): number => vector.reduce((sum, x) => sum + x * x, 0);

function search(
  { table, query }: Pick<Scene, 'table' | 'query'>,
  request: { k: number; slack: number; doubt: number; mask?: Uint32Array; places?: SlotPlaces },
): { slots: number[]; visited: number; scanned: number; unread: readonly number[] } {
  table.query.set(query);
  const found = table.search({ mask: undefined, places: undefined, spread: 0, reach: 0, ...request }, 1);
  return { ...found, slots: [...found.slots.subarray(0, found.count)] };
}

/** The estimates by their formula: the sums of the table replaced by products of signs and query. */
function estimate({ table, query }: Scene): Map<number, number> {
  load(table, query);
  const rotated = Float64Array.from(table.rows.at(0));
  const estimates = new Map<number, number>();
  for (let cell = 0; cell < table.cellCount; cell++) {
    const { centre, slots, base, slope, codes } = table.entriesOf(cell);
    const common = centre.reduce((sum, x, d) => sum + x * rotated[d]!, 0);
    slots.forEach((slot, i) => {
      const block = Math.floor(i / 32) * 4 * table.width;
      const product = rotated.reduce((sum, x, d) => {
        const byte = codes[block + (d >> 2) * 16 + (i % 16)]!;
        return sum + ((byte >> ((i % 32 >= 16 ? 4 : 0) + (d & 3))) & 1 ? x : -x);
      }, 0);
      estimates.set(slot, common + base[i]! + slope[i]! * product);
    });
  }
  return estimates;
}

const scenes = fc
  .tuple(fc.nat(), fc.constantFrom(...FAMILIES_THAT_FIT), fc.constantFrom(1, 3, 31, 32, 33, 100, 512))
  .map(([seed, family, dimension]) => makeScene(seed, family, dimension));

test('with slack for everything every entry is looked at, and none is a candidate twice', () => {
  fc.assert(
    fc.property(scenes, (scene) => {
      const { slots, visited, scanned } = search(scene, { k: 3, slack: EVERYTHING, doubt: EVERYTHING });
      expect(new Set(slots).size).toBe(slots.length);
      expect(slots.length).toBeGreaterThanOrEqual(3);
      expect(scanned).toBe(150);
      expect(visited).toBe(new Set(scene.cellOf).size);
    }),
  );
});

test('without doubt the candidates are the best by the formula of the estimate', () => {
  fc.assert(
    fc.property(scenes, fc.integer({ min: 1, max: 20 }), (scene, k) => {
      const estimates = estimate(scene);
      const { slots } = search(scene, { k, slack: EVERYTHING, doubt: 0 });
      const ordered = [...estimates.values()].sort((a, b) => b - a);
      load(scene.table, scene.query);
      // What the rounding of the table and of float32 may do to an estimate.
      const sizes = scene.rows.map((row) => Math.sqrt(squared(row)));
      const norm = Math.sqrt(scene.table.rows.squareOf(0)) + Math.max(...sizes);
      const margin = 0.12 * norm * norm + 1e-30;
      expect(slots.length).toBeGreaterThanOrEqual(k);
      for (const slot of slots) expect(estimates.get(slot)).toBeGreaterThanOrEqual(ordered[k - 1]! - margin);
    }),
  );
});

test('a mask admits its slots and no others, and cells are visited until k of them are found', () => {
  fc.assert(
    fc.property(scenes, fc.uniqueArray(fc.nat(149), { minLength: 1, maxLength: 40 }), (scene, members) => {
      const mask = new Bitset();
      for (const slot of members) mask.add(slot);
      scene.table.reserveMask(150);
      const all = search(scene, { k: members.length, slack: 0, doubt: 0, mask: mask.words });
      expect(all.slots.sort((a, b) => a - b)).toEqual(members.toSorted((a, b) => a - b));
      const one = search(scene, { k: 1, slack: 0, doubt: 0, mask: mask.words });
      expect(one.slots.length).toBeGreaterThanOrEqual(1);
      for (const slot of one.slots) expect(mask.has(slot)).toBe(true);
    }),
  );
});

test('removed entries are found no more, the others still are, and their space is used again', () => {
  fc.assert(
    fc.property(
      scenes,
      fc.infiniteStream(fc.nat()),
      fc.integer({ min: 1, max: 150 }),
      (scene, picks, count) => {
        const { table } = scene;
        const bytes = table.bytes;
        const left = new Set(scene.rows.keys());
        for (let i = 0; i < count; i++) {
          const cells = [...new Array(5).keys()].filter((cell) => table.countOf(cell) > 0);
          const cell = cells[picks.next().value % cells.length]!;
          const entries: number[] = [];
          const slots = table.slotsOf(cell, entries);
          const at = picks.next().value % slots.length;
          table.remove(cell, entries[at]!);
          left.delete(slots[at]!);
        }
        const kept = [...new Array(5).keys()].flatMap((cell) => table.slotsOf(cell)).sort((a, b) => a - b);
        expect(kept).toEqual([...left]);
        if (left.size > 0) {
          const { slots } = search(scene, { k: left.size, slack: 0, doubt: 0 });
          expect(slots.sort((a, b) => a - b)).toEqual([...left]);
        }
        for (const [slot, row] of scene.rows.entries()) {
          if (left.has(slot)) continue;
          add(table, scene.cellOf[slot]!, slot, row);
        }
        expect(table.bytes).toBe(bytes);
      },
    ),
  );
});

test('more candidates than there is room for: the better ones are kept', () => {
  const dimension = 32;
  const chance = seededNumbers(1);
  const table = new CellTable(dimension, makeRotation(dimension, chance), true);
  const cell = table.createCell(new Float32Array(dimension));
  const count = 3 * CANDIDATES_MAX;
  for (let slot = 0; slot < count; slot++) {
    // In a mixed order, the larger the slot, the farther from the query.
    const mixed = (slot * 7919) % count;
    const row = new Float32Array(dimension);
    row[0] = 1 + mixed / count;
    add(table, cell, mixed, row);
  }
  table.query.fill(0);
  table.query[0] = 0.1;
  const found = table.search(
    { k: 10, slack: EVERYTHING, doubt: 1000, spread: 0, reach: 0, mask: undefined, places: undefined },
    1,
  );
  const slots = [...found.slots.subarray(0, found.count)];
  expect(found.scanned).toBe(count);
  expect(slots.length).toBeGreaterThanOrEqual(CANDIDATES_MAX / 2);
  expect(new Set(slots).size).toBe(slots.length);
  expect(Math.max(...slots)).toBeLessThan(count * 0.7);
});

test('cells outgrow the room they start with, and each is found by its centre', () => {
  for (const dimension of [1, 3, 8, 100, 512]) {
    const chance = seededNumbers(2);
    const table = new CellTable(dimension, makeRotation(dimension, chance), true);
    const draw = FAMILIES.gaussian(dimension, chance);
    const rows = Array.from({ length: 300 }, draw);
    rows.forEach((row, slot) => {
      load(table, row);
      const cell = table.createCell(table.rows.at(0).slice());
      add(table, cell, slot, row);
      table.reserveMask(40_000 + slot * 300);
    });
    rows.forEach((row, slot) => {
      expect(table.slotsOf(slot)).toEqual([slot]);
      load(table, row);
      const nearest = table.rows.nearest(1)[0]!;
      // In a few dimensions other centres are nearer than the rounding of codes is fine.
      if (dimension < 8) expect(distanceTo(table, nearest, 0)).toBeLessThan(0.05);
      else expect(nearest).toBe(slot);
    });
  }
});

/** Squared distance of a loaded row from the centre of a cell. */
function distanceTo(table: CellTable, cell: number, row: number): number {
  const centre = table.centreOf(cell);
  return table.rows.at(row).reduce((sum, x, d) => sum + (x - centre[d]!) ** 2, 0);
}

test('the nearest cells of rows and cells are those of a plain search, but for the rounding of codes', () => {
  const cases = fc.tuple(
    fc.nat(),
    fc.constantFrom(...FAMILIES_THAT_FIT),
    fc.constantFrom(1, 2, 31, 33, 100, 512),
    fc.integer({ min: 1, max: 150 }),
  );
  // Centres that an estimate holds to be too far are not compared, and it may be wrong (`CENTRE_DOUBT`).
  let rowCount = 0;
  let missedCount = 0;
  fc.assert(
    fc.property(cases, ([seed, family, dimension, count]) => {
      const chance = seededNumbers(seed);
      const draw = FAMILIES[family](dimension, chance);
      const table = new CellTable(dimension, makeRotation(dimension, chance), true);
      for (let i = 0; i < count + 5; i++) {
        load(table, draw());
        table.createCell(table.rows.at(0).slice());
      }
      for (let cell = 0; cell < 5; cell++) table.freeCell(cell * Math.floor((count + 5) / 5));
      for (let i = 0; i < 8; i++) {
        table.rows.raw(i).set(draw());
        table.rows.setScale(i, 1);
      }
      table.rows.load(8);
      const live = Array.from({ length: table.cellCount }, (_, cell) => cell).filter(
        (cell) => !table.isFree(cell),
      );
      const some = live.filter((_, i) => i % 2 === 0);
      const all = table.rows.nearest(8).slice();
      const listed = table.rows.nearest(8, Uint32Array.from(some)).slice();
      for (let i = 0; i < 8; i++) {
        const distance = (cell: number): number => distanceTo(table, cell, i);
        const size = Math.max(...live.map(distance)) + table.rows.squareOf(i);
        expect(live).toContain(all[i]);
        expect(some).toContain(listed[i]);
        rowCount++;
        if (distance(all[i]!) > Math.min(...live.map(distance)) + 0.05 * size) missedCount++;
        expect(distance(listed[i]!)).toBeLessThanOrEqual(Math.min(...some.map(distance)) + 0.02 * size);
      }
      const own = live[0]!;
      const neighbours = [...table.neighboursOf(own, 6)];
      expect(neighbours).toHaveLength(Math.min(6, live.length));
      expect(new Set(neighbours).size).toBe(neighbours.length);
      for (const cell of neighbours) expect(live).toContain(cell);
    }),
  );
  expect(missedCount / rowCount).toBeLessThan(1 / 250);
});

/** A table for points of equal components, and cells around some of them. */
function onALine(): { table: CellTable; point: (x: number) => Float32Array; cellAt: (x: number) => number } {
  const dimension = 64;
  const table = new CellTable(dimension, makeRotation(dimension, seededNumbers(5)), true);
  const point = (x: number): Float32Array => new Float32Array(dimension).fill(x);
  const cellAt = (x: number): number => {
    load(table, point(x));
    return table.createCell(table.rows.at(0).slice());
  };
  return { table, point, cellAt };
}

test('many empty cells near to the query do not make a search look farther', () => {
  const { table, point, cellAt } = onALine();
  const far = cellAt(-20);
  const near = cellAt(3);
  const between = cellAt(-3);
  for (let i = 0; i < 40; i++) cellAt(1 + i / 1000);
  for (let slot = 0; slot < 10; slot++) add(table, far, slot, point(-20 - slot / 10));
  add(table, between, 20, point(-3));
  for (let slot = 10; slot < 20; slot++) add(table, near, slot, point(3 + slot / 1000));
  table.query.set(point(1));
  const found = table.search(
    { k: 1, slack: 0, doubt: 3, spread: 0, reach: 0, mask: undefined, places: undefined },
    1,
  );
  expect(found.visited).toBe(1);
  expect([...found.slots.subarray(0, found.count)]).toContain(10);
});

/** Searches all cells, but for what has no row of `members`, for as many. */
function searchAmong(
  table: CellTable,
  query: Float32Array,
  members: readonly number[],
  places: SlotPlaces,
): { slots: number[]; visited: number; scanned: number } {
  const mask = new Bitset(96);
  for (const slot of members) mask.add(slot);
  const request = { k: members.length, slack: EVERYTHING, doubt: EVERYTHING, mask: mask.words, places };
  return search({ table, query }, request);
}

test('cells without allowed rows are passed over, and a mask that comes again sees what has changed since', () => {
  const { table, point, cellAt } = onALine();
  const cells = [cellAt(-1), cellAt(0), cellAt(1)];
  const places = { cells: new Int32Array(96).fill(-1), entries: new Uint32Array(96).fill(OUTSIDE) };
  const put = (slot: number, cell: number): void => {
    places.entries[slot] = add(table, cells[cell]!, slot, point(cell - 1 + slot / 1000));
    places.cells[slot] = cells[cell]!;
  };
  for (let slot = 0; slot < 60; slot++) put(slot, slot % 3);
  table.reserveMask(96);
  const look = (members: readonly number[]): { slots: number[]; visited: number } => {
    const { slots, visited } = searchAmong(table, point(0), members, places);
    return { slots: slots.sort((a, b) => a - b), visited };
  };
  const wanted = [0, 3, 70];
  expect(look(wanted)).toEqual({ slots: [0, 3], visited: 1 });
  put(70, 2);
  expect(look(wanted)).toEqual({ slots: wanted, visited: 2 });
  expect(look(wanted)).toEqual({ slots: wanted, visited: 2 });
  expect(look([1, 2])).toEqual({ slots: [1, 2], visited: 2 });
  // What is 70 becomes 61 and the other way round: the allowed row is in another cell, under the same mask.
  put(61, 1);
  const slotOf = Int32Array.from({ length: 96 }, (_, slot) => slot);
  expect(look([70])).toEqual({ slots: [70], visited: 1 });
  [slotOf[61], slotOf[70]] = [70, 61];
  for (const each of [places.cells, places.entries]) [each[61], each[70]] = [each[70]!, each[61]!];
  table.renumber(slotOf);
  expect(look([70])).toEqual({ slots: [70], visited: 1 });
});

test('blocks without allowed rows are passed over, and one that gets an allowed row of another is not', () => {
  const { table, point, cellAt } = onALine();
  const cell = cellAt(0);
  const places = { cells: new Int32Array(96).fill(cell), entries: new Uint32Array(96) };
  for (let slot = 0; slot < 70; slot++) places.entries[slot] = add(table, cell, slot, point(slot / 1000));
  table.reserveMask(96);
  const look = (allowed: number): { slots: number[]; scanned: number } => {
    const { slots, scanned } = searchAmong(table, point(0), [allowed], places);
    return { slots, scanned };
  };
  // 70 entries are in blocks of 32, 32 and 6.
  // Of the second, one half has none either.
  expect(look(40)).toEqual({ slots: [40], scanned: 16 });
  expect(look(50)).toEqual({ slots: [50], scanned: 16 });
  expect(look(69)).toEqual({ slots: [69], scanned: 6 });
  expect(table.remove(cell, places.entries[3]!)).toBe(69);
  [places.entries[69], places.cells[3], places.entries[3]] = [places.entries[3]!, -1, OUTSIDE];
  expect(look(69)).toEqual({ slots: [69], scanned: 16 });
});

test('where there is no memory for lists, cells and blocks without allowed rows are looked at as others', () => {
  const { table, point, cellAt } = onALine();
  const cells = [cellAt(0), cellAt(5)];
  const places = { cells: new Int32Array(64), entries: new Uint32Array(64) };
  for (let slot = 0; slot < 64; slot++) {
    places.cells[slot] = cells[slot % 2]!;
    places.entries[slot] = add(table, cells[slot % 2]!, slot, point(slot / 1000));
  }
  table.reserveMask(96);
  const look = (): { slots: number[]; scanned: number } => {
    const { slots, scanned } = searchAmong(table, point(0), [5], places);
    return { slots, scanned };
  };
  const refused = vi.spyOn(Kernel.prototype, 'reserve').mockImplementation(() => {
    throw new DatabaseError('TESSERA_LIMIT_EXCEEDED', 'There is no more memory.');
  });
  expect(look()).toEqual({ slots: [5], scanned: 64 });
  refused.mockRestore();
  expect(look()).toEqual({ slots: [5], scanned: 16 });
});

test('the cells that changed are told, until the owner clears them', () => {
  const table = new CellTable(4, makeRotation(4, seededNumbers(1)), true);
  const first = table.createCell(new Float32Array(32));
  const second = table.createCell(new Float32Array(32).fill(1));
  expect([...table.changed]).toEqual([first, second]);
  table.changed.clear();
  add(table, second, 7, Float32Array.of(1, 2, 3, 4));
  expect([...table.changed]).toEqual([second]);
  table.changed.clear();
  table.remove(second, table.lastEntryOf(second));
  table.freeCell(first);
  expect([...table.changed].sort()).toEqual([first, second]);
  const kept = table.entriesOf(second);
  table.freeCell(second);
  table.changed.clear();
  const cell = { cell: second, centre: kept.centre, spread: kept.spread, count: kept.base.length };
  table.sketchCell(cell);
  table.readEntries(second, kept);
  expect([...table.changed]).toEqual([]);
  table.loseEntries(second);
  expect([...table.changed]).toEqual([second]);
});

test('a search comes to cells whose entries were not read, a few at a time, and then finds what it would have', () => {
  const draw = FAMILIES.gaussian(8, seededNumbers(41));
  const make = (): CellTable => new CellTable(8, makeRotation(8, seededNumbers(1)), true);
  const [filled, sketched] = [make(), make()];
  for (let cell = 0; cell < 64; cell++) {
    load(filled, draw());
    filled.createCell(filled.rows.at(0).slice());
  }
  for (let slot = 0; slot < 1_000; slot++) {
    const vector = draw();
    load(filled, vector);
    add(filled, filled.rows.nearest(1)[0]!, slot, vector);
  }
  for (let cell = 0; cell < 64; cell++) sketched.sketchCell(filled.sketchOf(cell));
  const read = new Set<number>();
  const asked = { k: 5, slack: 0, doubt: 1 };
  for (let i = 0; i < 30; i++) {
    const query = draw();
    const expected = search({ table: filled, query }, asked);
    let found = search({ table: sketched, query }, asked);
    for (; found.unread.length > 0; found = search({ table: sketched, query }, asked)) {
      expect(found.unread.length).toBeLessThanOrEqual(8);
      for (const cell of found.unread) {
        expect(read.has(cell)).toBe(false);
        read.add(cell);
        const entries = filled.entriesOf(cell);
        sketched.readEntries(cell, entries);
        sketched.nameEntries(cell, entries.slots);
      }
    }
    expect({ ...found, slots: found.slots.sort() }).toEqual({ ...expected, slots: expected.slots.sort() });
    if (i === 0) expect(read.size).toBeLessThan(48);
  }
});

test('a query in the very centre of a cell finds its nearest, whose estimates the table rounds', () => {
  const [dimension, count, k] = [128, 400, 10];
  const chance = seededNumbers(7);
  const missed: number[] = [];
  for (let cell = 0; cell < 20; cell++) {
    const table = new CellTable(dimension, makeRotation(dimension, chance), true);
    const query = Float32Array.from({ length: dimension }, () => chance() - 0.5);
    load(table, query);
    table.createCell(table.rows.at(0).slice());
    const rows = Array.from({ length: count }, () => query.map((x) => x + 0.2 * (chance() - 0.5)));
    for (const [slot, row] of rows.entries()) add(table, 0, slot, row);
    const { slots } = search(
      { table, query },
      { k, slack: EVERYTHING, doubt: (3 * ESTIMATE_DEVIATION) / Math.sqrt(dimension) },
    );
    const distances = rows.map((row) => squared(row.map((x, d) => x - query[d]!)));
    const nearest = [...rows.keys()].sort((a, b) => distances[a]! - distances[b]!).slice(0, k);
    missed.push(...nearest.filter((slot) => !slots.includes(slot)));
  }
  expect(missed.length).toBeLessThanOrEqual(2);
});
