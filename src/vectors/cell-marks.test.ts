import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FAMILIES } from '../../test/support/hard-vectors.ts';
import { Bitset, seededNumbers } from '../base/index.ts';
import { OUTSIDE, type SlotPlaces } from './cell-request.ts';
import { CellTable } from './cell-table.ts';
import { makeRotation } from './rotation.ts';

const EVERYTHING = 1e30;
const ROWS = 600;
const DIMENSION = 64;

/** Four cells of rows, which are where `places` says. */
class Scene {
  readonly table = new CellTable(DIMENSION, makeRotation(DIMENSION, seededNumbers(5)), true);
  readonly places = { cells: new Int32Array(ROWS).fill(-1), entries: new Uint32Array(ROWS).fill(OUTSIDE) };
  readonly query: Float32Array;
  readonly #draw: () => Float32Array;

  constructor(seed: number) {
    this.#draw = FAMILIES.gaussian(DIMENSION, seededNumbers(seed));
    for (let cell = 0; cell < 4; cell++) {
      this.#load();
      this.table.createCell(this.table.rows.at(0).slice());
    }
    for (let slot = 0; slot < ROWS; slot++) this.add(slot, slot % 4);
    this.table.reserveMask(ROWS);
    this.query = this.#draw();
  }

  add(slot: number, cell: number): void {
    this.#load();
    this.places.entries[slot] = this.table.add(cell, slot, -this.table.rows.squareOf(0) / 2);
    this.places.cells[slot] = cell;
  }

  remove(slot: number): void {
    const entry = this.places.entries[slot]!;
    this.places.entries[this.table.remove(this.places.cells[slot]!, entry)] = entry;
    [this.places.cells[slot], this.places.entries[slot]] = [-1, OUTSIDE];
  }

  /** The `k` best by their estimates; all that are allowed where none may be missed. */
  find(mask: Uint32Array, k: number, places: SlotPlaces | undefined = this.places): number[] {
    this.table.query.set(this.query);
    const doubt = k === ROWS ? EVERYTHING : 0;
    const request = { k, slack: EVERYTHING, doubt, spread: 0, reach: 0, mask, places };
    const { slots, count } = this.table.search(request, 1);
    return [...slots.subarray(0, count)].sort((a, b) => a - b);
  }

  #load(): void {
    this.table.rows.raw(0).set(this.#draw());
    this.table.rows.setScale(0, 1);
    this.table.rows.load(1);
    this.table.current = 0;
  }
}

function maskOf(slots: Iterable<number>): Uint32Array {
  const mask = new Bitset(ROWS);
  for (const slot of slots) mask.add(slot);
  return mask.words;
}

test('a search by lists finds what one by the mask alone does, in either half of a block and in both', () => {
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0.003, max: 0.7, noNaN: true }), (seed, share) => {
      const scene = new Scene(seed);
      const chance = seededNumbers(seed + 1);
      const mask = maskOf(Array.from({ length: ROWS }, (_, slot) => slot).filter(() => chance() < share));
      for (const k of [1, 5, ROWS]) {
        expect(scene.find(mask, k)).toEqual(scene.find(mask, k, undefined));
      }
    }),
    { numRuns: 40 },
  );
});

test('masks in turns: from its second turn on a mask need not be looked through again', () => {
  const scene = new Scene(1);
  const [even, few] = [maskOf([0, 2, 4, 300, 598]), maskOf([1, 77, 599])];
  const nowhere = { cells: new Int32Array(ROWS).fill(-1), entries: new Uint32Array(ROWS).fill(OUTSIDE) };
  for (let turn = 0; turn < 2; turn++) {
    expect(scene.find(even, ROWS)).toEqual([0, 2, 4, 300, 598]);
    expect(scene.find(few, ROWS)).toEqual([1, 77, 599]);
  }
  expect(scene.find(even, ROWS, nowhere)).toEqual([0, 2, 4, 300, 598]);
  expect(scene.find(few, ROWS, nowhere)).toEqual([1, 77, 599]);
});

test('masks in turns: what has changed since their last turn is seen', () => {
  const scene = new Scene(2);
  const [even, few] = [maskOf([0, 2, 4, 300, 598]), maskOf([1, 77, 599])];
  const takeTurns = (): void => {
    for (let turn = 0; turn < 3; turn++) for (const mask of [even, few]) scene.find(mask, ROWS);
  };
  takeTurns();
  scene.remove(300);
  expect(scene.find(even, ROWS)).toEqual([0, 2, 4, 598]);
  expect(scene.find(few, ROWS)).toEqual([1, 77, 599]);
  takeTurns();
  scene.add(300, 1);
  expect(scene.find(few, ROWS)).toEqual([1, 77, 599]);
  expect(scene.find(even, ROWS)).toEqual([0, 2, 4, 300, 598]);
  takeTurns();
  even[0] = 1 << 6;
  expect(scene.find(few, ROWS)).toEqual([1, 77, 599]);
  expect(scene.find(even, ROWS)).toEqual([6, 300, 598]);
});

test('lists that are kept hold after the cells have moved in memory', () => {
  const scene = new Scene(3);
  const [even, few] = [maskOf([0, 2, 4, 300, 598]), maskOf([1, 77, 599])];
  for (let turn = 0; turn < 3; turn++) for (const mask of [even, few]) scene.find(mask, ROWS);
  // Cells without entries, of which no list knows, until their region is another.
  for (let i = 0; i < 100; i++) scene.table.createCell(new Float32Array(scene.table.width).fill(i));
  expect(scene.find(even, ROWS)).toEqual([0, 2, 4, 300, 598]);
  expect(scene.find(few, ROWS)).toEqual([1, 77, 599]);
});

test('where allowed rows are far, cells with few of them in a block are not visited as far as others', () => {
  const table = new CellTable(DIMENSION, makeRotation(DIMENSION, seededNumbers(5)), true);
  const places = { cells: new Int32Array(ROWS).fill(-1), entries: new Uint32Array(ROWS).fill(OUTSIDE) };
  const mask = new Bitset(ROWS);
  let slot = 0;
  const load = (axis: number, distance: number, side: number): void => {
    const vector = new Float32Array(DIMENSION);
    vector[axis] = distance;
    vector[32 + side] = 0.01;
    table.rows.raw(0).set(vector);
    table.rows.setScale(0, 1);
    table.rows.load(1);
    table.current = 0;
  };
  /** A cell at a distance from the query with a block of rows, of which so many are allowed. */
  const addCell = (axis: number, distance: number, allowedCount: number): void => {
    load(axis, distance, 31);
    const cell = table.createCell(table.rows.at(0).slice());
    for (let i = 0; i < 32; i++, slot++) {
      load(axis, distance, i);
      places.entries[slot] = table.add(cell, slot, -table.rows.squareOf(0) / 2);
      places.cells[slot] = cell;
      if (i < allowedCount) mask.add(slot);
    }
  };
  // The fifth best row is in the second cell, so far that where the others end is said by their reach.
  [4, 5, 5.1, 5.11].forEach((distance, axis) => {
    addCell(axis, distance, axis === 0 ? 4 : 32);
  });
  addCell(4, 5.15, 1);
  addCell(5, 5.15, 2);
  addCell(6, 5.18, 32);
  addCell(7, 6, 32);
  table.reserveMask(ROWS);
  const visitedWith = (known: SlotPlaces | undefined): number => {
    table.query.set(new Float32Array(DIMENSION));
    const request = { k: 5, slack: -1e3, doubt: 0, spread: 1, reach: 0.3, mask: mask.words };
    return table.search({ ...request, places: known }, 1).visited;
  };
  expect(visitedWith(undefined)).toBe(7);
  expect(visitedWith(places)).toBe(5);
});
