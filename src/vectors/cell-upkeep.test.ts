import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FAMILIES, FAMILY_NAMES } from '../../test/support/hard-vectors.ts';
import type { Space } from '../api/index.ts';
import { Bitset, seededNumbers } from '../base/index.ts';
import { dot } from '../kernel/index.ts';
import { CellMembers } from './cell-members.ts';
import { CellTable } from './cell-table.ts';
import { CellUpkeep } from './cell-upkeep.ts';
import { FlatIndex } from './flat-index.ts';
import { makeRotation } from './rotation.ts';

const SPACES = ['l2', 'cosine', 'ip'] as const;
/** Families whose lengths the codes can express. */
const FAMILIES_THAT_FIT = FAMILY_NAMES.filter(
  (name) => name !== 'huge' && name !== 'denormal' && name !== 'zeros',
);
const TUNING = { startCount: 32, sizeFactor: 1, sizeMin: 8, neighbourCount: 4 };

interface Scene {
  readonly space: Space;
  readonly flat: FlatIndex;
  readonly members: CellMembers;
  readonly table: CellTable;
  readonly upkeep: CellUpkeep;
  readonly live: Bitset;
  /** Sets a slot to a new vector. */
  readonly set: (slot: number) => void;
  readonly remove: (slot: number) => void;
  readonly draw: () => Float32Array;
}

function makeScene(
  space: Space,
  family: (typeof FAMILY_NAMES)[number],
  dimension: number,
  seed: number,
): Scene {
  const chance = seededNumbers(seed);
  const source = FAMILIES[family](dimension, chance);
  const draw = (): Float32Array => {
    for (;;) {
      const vector = source();
      if (space !== 'cosine' || dot(vector, vector) > 0) return vector;
    }
  };
  const flat = new FlatIndex({ space, dimension });
  const members = new CellMembers();
  const table = new CellTable(dimension, makeRotation(dimension, chance), space !== 'ip');
  const upkeep = new CellUpkeep({ space, rows: flat, members, table, isFit: () => true }, TUNING, chance);
  const live = new Bitset();
  const remove = (slot: number): void => {
    const cell = members.cellOf(slot);
    members.remove(slot, table);
    live.delete(slot);
    if (cell >= 0) upkeep.noteRemoval(cell);
  };
  const set = (slot: number): void => {
    if (live.has(slot)) remove(slot);
    flat.set(slot, draw());
    members.add(slot, false);
    live.add(slot);
  };
  return { space, flat, members, table, upkeep, live, set, remove, draw };
}

/** Does one step of what is due; false if nothing is. */
function step({ upkeep, members }: Scene): boolean {
  if (upkeep.mend()) return true;
  if (members.waiting.count === 0) return false;
  upkeep.absorb();
  return true;
}

function expectWhole({ members, live, table }: Scene): void {
  expect(members.faults(live, table)).toEqual([]);
}

test.each([1, 2, 3, 31, 33, 1000, 16_383, 16_384])(
  'every row of dimension %i finds a cell, and a search for all of them finds them',
  (dimension) => {
    const isWide = dimension > 10_000;
    const cases = fc.tuple(
      fc.constantFrom(...SPACES),
      fc.constantFrom(...FAMILIES_THAT_FIT),
      fc.nat(),
      fc.integer({ min: 40, max: isWide ? 60 : 150 }),
    );
    fc.assert(
      fc.property(cases, ([space, family, seed, count]) => {
        const scene = makeScene(space, family, dimension, seed);
        const { table, upkeep, members } = scene;
        for (let slot = 0; slot < count; slot++) scene.set(slot);
        upkeep.start();
        while (step(scene));
        expect(members.waiting.count).toBe(0);
        for (let cell = table.cellCount - 1; cell >= 0; cell--) {
          upkeep.refine(cell);
          while (step(scene));
        }
        expectWhole(scene);
        table.query.set(scene.draw());
        const request = {
          k: count,
          slack: 0,
          doubt: 0,
          spread: 0,
          reach: 0,
          mask: undefined,
          places: undefined,
        };
        const found = table.search(request, 1);
        expect(found.scanned).toBe(count);
        expect([...found.slots.subarray(0, found.count)].sort((a, b) => a - b)).toEqual([
          ...new Array(count).keys(),
        ]);
        // What is kept of 60 rows of 64 KB each stays in proportion.
        if (isWide) expect(table.bytes).toBeLessThan(12 * 2 ** 20);
      }),
      { numRuns: isWide ? 4 : 40 },
    );
  },
);

test('changes and searches between any two steps leave every row in exactly one place', () => {
  const cases = fc.tuple(
    fc.constantFrom(...SPACES),
    fc.constantFrom(...FAMILIES_THAT_FIT),
    fc.nat(),
    fc.infiniteStream(fc.nat(999)),
  );
  fc.assert(
    fc.property(cases, ([space, family, seed, picks]) => {
      const scene = makeScene(space, family, 16, seed);
      const { table, upkeep } = scene;
      for (let slot = 0; slot < 600; slot++) scene.set(slot);
      upkeep.start();
      for (let turn = 0; turn < 120; turn++) {
        const slot = picks.next().value % 600;
        if (scene.live.has(slot) && turn % 3 > 0) scene.remove(slot);
        else scene.set(slot);
        table.query.set(scene.draw());
        table.search(
          { k: 5, slack: 0, doubt: 2, spread: 0, reach: 0, mask: undefined, places: undefined },
          1,
        );
        if (!step(scene)) upkeep.refine(picks.next().value % table.cellCount);
        if (turn % 20 === 0) expectWhole(scene);
      }
      while (step(scene));
      expectWhole(scene);
      const counts = [...new Array(table.cellCount).keys()].map((cell) => table.countOf(cell));
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(scene.live.count());
    }),
    { numRuns: 60 },
  );
});

test('equal rows are split among cells of the usual size', () => {
  const scene = makeScene('l2', 'all equal', 8, 1);
  for (let slot = 0; slot < 2000; slot++) scene.set(slot);
  scene.upkeep.start();
  while (step(scene));
  expectWhole(scene);
  for (let cell = 0; cell < scene.table.cellCount; cell++) {
    if (scene.table.isFree(cell)) continue;
    expect(scene.table.countOf(cell)).toBeLessThanOrEqual(2 * Math.sqrt(2000) + 64);
  }
});

test('vectors are asked for before they are read, many at a time', () => {
  const scene = makeScene('l2', 'gaussian', 8, 1);
  const loaded = new Set<number>();
  const { members, table } = scene;
  /** As the flat index, but that a vector must have been asked for. */
  class Source extends FlatIndex {
    override load(slots: readonly number[] = []): void {
      for (const slot of slots) loaded.add(slot);
    }

    override embeddingOf(slot: number, into?: Float32Array): Float32Array {
      expect(loaded.has(slot)).toBe(true);
      return scene.flat.embeddingOf(slot, into);
    }

    override normOf(slot: number): number {
      return scene.flat.normOf(slot);
    }
  }
  const rows = new Source({ space: 'l2', dimension: 8 });
  const parts = { space: 'l2', rows, members, table, isFit: () => true } as const;
  const upkeep = new CellUpkeep(parts, TUNING, seededNumbers(1));
  for (let slot = 0; slot < 500; slot++) scene.set(slot);
  upkeep.start();
  expect(loaded.size).toBeGreaterThan(0);
  while (step({ ...scene, upkeep }));
  expect(loaded.size).toBe(500);
});
