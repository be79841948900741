import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { distance, FAMILIES, FAMILY_NAMES, type FamilyName } from '../../test/support/hard-vectors.ts';
import type { Space } from '../api/index.ts';
import { AssertionError, Bitset, seededNumbers } from '../base/index.ts';
import { FlatIndex, type FlatTuning } from './flat-index.ts';

const SPACES: readonly Space[] = ['l2', 'ip', 'cosine'];
/** Codes from the first row on, read in runs, from lists, or as the share decides; and no codes at all. */
const TUNINGS: Readonly<Record<string, FlatTuning>> = {
  runs: { plainSlotsMax: 0, plainFloatsMax: 0, runShareMin: 0 },
  lists: { plainSlotsMax: 0, plainFloatsMax: 0, runShareMin: 2 },
  'codes half way': { plainSlotsMax: 20, plainFloatsMax: 1e9, runShareMin: 0.6 },
  plain: { plainSlotsMax: 1e9, plainFloatsMax: 1e9, runShareMin: 0.6 },
};

interface Found {
  readonly slots: number[];
  readonly distances: number[];
}

function searchNaively(
  space: Space,
  rows: readonly (Float32Array | undefined)[],
  query: Float32Array,
  k: number,
  allowed: Bitset,
): Found {
  const all: { slot: number; distance: number }[] = [];
  rows.forEach((row, slot) => {
    if (row !== undefined && allowed.has(slot)) all.push({ slot, distance: distance(space, row, query) });
  });
  // Written with comparisons, since the difference of two infinities is NaN.
  all.sort((a, b) => (a.distance < b.distance ? -1 : a.distance > b.distance ? 1 : a.slot - b.slot));
  const best = all.slice(0, k);
  return { slots: best.map((hit) => hit.slot), distances: best.map((hit) => hit.distance) };
}

function searchIndex(index: FlatIndex, query: Float32Array, k: number, allowed: Bitset): Found {
  const found = index.search(query, k, allowed, allowed.count());
  return { slots: [...found.slots], distances: [...found.distances] };
}

interface Scene {
  readonly dimension: number;
  readonly rows: (Float32Array | undefined)[];
  readonly query: Float32Array;
  readonly k: number;
  readonly allowed: Bitset;
}

/**
 * Rows of one or two families, a few never set; a query from a family or among the rows; a mask of some
 * share.
 */
function makeScene(
  seed: number,
  dimension: number,
  families: readonly [FamilyName, FamilyName, FamilyName],
  sizes: { readonly count: number; readonly k: number; readonly share: number },
): Scene {
  const chance = seededNumbers(seed);
  const sources = families.map((name) => FAMILIES[name](dimension, chance));
  const rows = Array.from({ length: sizes.count }, (_, slot) => {
    const isHole = slot < sizes.count - 1 && chance() < 0.05;
    return isHole ? undefined : sources[chance() < 0.5 ? 0 : 1]!();
  });
  const present = rows.filter((row) => row !== undefined);
  const query =
    chance() < 0.3 && present.length > 0 ? present[Math.floor(chance() * present.length)]! : sources[2]!();
  const allowed = new Bitset(sizes.count);
  rows.forEach((row, slot) => {
    if (row !== undefined && chance() < sizes.share) allowed.add(slot);
  });
  return { dimension, rows, query, k: sizes.k, allowed };
}

const familyNames = fc.constantFrom(...FAMILY_NAMES);
const scenes = fc
  .record({
    seed: fc.integer(),
    dimension: fc.oneof(
      { weight: 20, arbitrary: fc.integer({ min: 1, max: 70 }) },
      { weight: 1, arbitrary: fc.constant(512) },
    ),
    families: fc.oneof(
      familyNames.map((name) => [name, name, name] as const),
      fc.tuple(familyNames, familyNames, familyNames),
    ),
    sizes: fc.record({
      count: fc.oneof(fc.integer({ min: 0, max: 90 }), fc.constantFrom(1024, 1025, 2100)),
      k: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 3000 })),
      share: fc.constantFrom(0, 0.02, 0.3, 0.7, 1),
    }),
  })
  .map(({ seed, dimension, families, sizes }) => makeScene(seed, dimension, families, sizes));

function fill(space: Space, tuning: FlatTuning | undefined, scene: Scene): FlatIndex {
  const index = new FlatIndex({ space, dimension: scene.dimension }, tuning);
  scene.rows.forEach((row, slot) => {
    if (row !== undefined) index.set(slot, row);
  });
  return index;
}

describe('the answer equals that of computing every distance', () => {
  for (const space of SPACES) {
    test.each(Object.keys(TUNINGS))(`${space}, %s`, (name) => {
      fc.assert(
        fc.property(scenes, (scene) => {
          const index = fill(space, TUNINGS[name], scene);
          const expected = searchNaively(space, scene.rows, scene.query, scene.k, scene.allowed);
          expect(searchIndex(index, scene.query, scene.k, scene.allowed)).toEqual(expected);
        }),
        { numRuns: 100 },
      );
    });

    test.each(FAMILY_NAMES)(`${space}, rows of the family "%s" in the default tuning`, (family) => {
      for (const [seed, dimension] of [1, 3, 16, 17, 70, 200].entries()) {
        const sizes = { count: 1100, k: 10, share: 0.9 };
        const scene = makeScene(seed, dimension, [family, family, family], sizes);
        const expected = searchNaively(space, scene.rows, scene.query, 10, scene.allowed);
        expect(searchIndex(fill(space, undefined, scene), scene.query, 10, scene.allowed)).toEqual(expected);
      }
    });
  }

  test('also after rows were overwritten', () => {
    fc.assert(
      fc.property(scenes, scenes, fc.constantFrom(...SPACES), (scene, other, space) => {
        const index = fill(space, TUNINGS['codes half way'], scene);
        const rows = scene.rows.slice();
        const source = FAMILIES.gaussian(scene.dimension, seededNumbers(other.rows.length));
        for (let slot = 0; slot < rows.length; slot += 3) {
          if (rows[slot] === undefined) continue;
          rows[slot] = source();
          index.set(slot, rows[slot]!);
        }
        const expected = searchNaively(space, rows, scene.query, scene.k, scene.allowed);
        expect(searchIndex(index, scene.query, scene.k, scene.allowed)).toEqual(expected);
      }),
    );
  });

  test.each(SPACES)('%s, at the largest dimension', (space) => {
    for (const family of ['gaussian', 'huge', 'denormal', 'one dominating component'] as const) {
      const scene = makeScene(7, 16_384, [family, family, family], { count: 40, k: 5, share: 1 });
      const expected = searchNaively(space, scene.rows, scene.query, 5, scene.allowed);
      expect(searchIndex(fill(space, undefined, scene), scene.query, 5, scene.allowed)).toEqual(expected);
    }
  });
});

describe('work', () => {
  test('clustered vectors need few exact distances', () => {
    const family = 'clustered unit vectors';
    const scene = makeScene(3, 64, [family, family, family], { count: 2000, k: 10, share: 1 });
    for (const space of SPACES) {
      const allowedCount = scene.allowed.count();
      const found = fill(space, undefined, scene).search(scene.query, 10, scene.allowed, allowedCount);
      expect(found.scanned).toBe(allowedCount);
      expect(found.reranked).toBeGreaterThanOrEqual(10);
      expect(found.reranked).toBeLessThan(allowedCount / 4);
    }
  });

  test('nothing is scanned when all allowed rows belong to the answer', () => {
    const scene = makeScene(4, 64, ['gaussian', 'gaussian', 'gaussian'], { count: 1500, k: 10, share: 0.01 });
    const allowedCount = scene.allowed.count();
    const found = fill('l2', undefined, scene).search(scene.query, 1000, scene.allowed, allowedCount);
    expect(found).toMatchObject({ scanned: 0, reranked: allowedCount });
  });

  test('copies of the query beyond the k-th are refused by their slots', () => {
    const scene = makeScene(6, 64, ['all equal', 'all equal', 'all equal'], { count: 1500, k: 10, share: 1 });
    const copies = scene.allowed.count();
    const found = fill('l2', undefined, scene).search(scene.rows.at(-1)!, 10, scene.allowed, copies);
    expect(found.reranked).toBe(10);
  });

  test('a query of zeros in cosine space computes no more distances than it returns', () => {
    const scene = makeScene(5, 64, ['gaussian', 'gaussian', 'gaussian'], { count: 1500, k: 10, share: 1 });
    const zero = new Float32Array(64);
    const found = fill('cosine', undefined, scene).search(zero, 10, scene.allowed, scene.allowed.count());
    expect([...found.distances]).toEqual(new Array(10).fill(1));
    expect(found.reranked).toBe(10);
  });
});

describe('distances', () => {
  const one = (space: Space, row: number[], query: number[]): number => {
    const index = new FlatIndex({ space, dimension: row.length });
    index.set(0, Float32Array.from(row));
    return index.search(Float32Array.from(query), 1, Bitset.full(1), 1).distances[0]!;
  };

  test('are squared l2, 1 − dot and 1 − cosine', () => {
    expect(one('l2', [1, 2], [4, 6])).toBe(25);
    expect(one('ip', [1, 2], [4, 6])).toBe(-15);
    expect(one('cosine', [1, 0], [0, 5])).toBe(1);
    expect(one('cosine', [1, 1], [-3, -3])).toBeCloseTo(2, 6);
  });

  test('of a vector to itself in cosine space are at least 0 and next to it', () => {
    fc.assert(
      fc.property(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 }), (row) => {
        fc.pre(row.some((x) => x !== 0));
        const found = one('cosine', row, row);
        expect(found).toBeGreaterThanOrEqual(0);
        expect(found).toBeLessThan(1e-6);
      }),
    );
  });

  test('beyond float32 are infinite and still results', () => {
    expect(one('l2', [3e38, 3e38], [-3e38, 3e38])).toBe(Number.POSITIVE_INFINITY);
    expect(one('ip', [3e38, 3e38], [-3e38, -3e38])).toBe(Number.POSITIVE_INFINITY);
    expect(one('ip', [3e38, 3e38], [3e38, 3e38])).toBe(Number.NEGATIVE_INFINITY);
  });
});

describe('the store', () => {
  test('gives every vector back bit for bit, signs of zeros included', () => {
    const index = new FlatIndex({ space: 'cosine', dimension: 3 });
    const given = Float32Array.of(-0, 1e-45, 3.4e38);
    index.set(2000, given);
    const into = new Float32Array(3);
    expect(index.embeddingOf(2000, into)).toBe(into);
    expect(new Uint32Array(into.buffer)).toEqual(new Uint32Array(given.buffer));
    expect(index.slotCount).toBe(2001);
  });

  test('keeps its own copy', () => {
    const index = new FlatIndex({ space: 'l2', dimension: 2 });
    const given = Float32Array.of(1, 2);
    index.set(0, given);
    given.fill(9);
    index.embeddingOf(0).fill(7);
    expect([...index.embeddingOf(0)]).toEqual([1, 2]);
  });

  test('holds a few records in a few kilobytes and many in little more than their bytes', () => {
    const index = new FlatIndex({ space: 'cosine', dimension: 384 });
    const row = new Float32Array(384).fill(1);
    for (let slot = 0; slot < 8; slot++) index.set(slot, row);
    expect(index.bytes).toBeLessThan(16_384);
    for (let slot = 8; slot < 3000; slot++) index.set(slot, row);
    expect(index.bytes).toBeLessThan(1.3 * 3000 * 384 * 5);
  });

  test('asserts what its callers have checked', () => {
    const index = new FlatIndex({ space: 'l2', dimension: 2 });
    index.set(0, Float32Array.of(1, 2));
    expect(() => index.set(1, Float32Array.of(1, Number.NaN))).toThrow(AssertionError);
    expect(() => index.set(1, Float32Array.of(1))).toThrow(AssertionError);
    expect(() => index.embeddingOf(1)).toThrow(AssertionError);
    expect(() => index.search(Float32Array.of(1, 2), 2, Bitset.full(1), 2)).toThrow(AssertionError);
    expect(() => index.search(Float32Array.of(1, 2), 2, Bitset.full(2), 2)).toThrow(AssertionError);
    expect(index.slotCount).toBe(1);
  });
});

test('an index of few wide rows counts the memory that it writes to', () => {
  const flat = new FlatIndex({ space: 'l2', dimension: 16_384 });
  for (let slot = 0; slot < 5; slot++) flat.set(slot, new Float32Array(16_384).fill(slot));
  // Vectors, codes of one byte, and as much again.
  expect(flat.bytes).toBeLessThan(2 * 5 * 5 * 16_384);
});
