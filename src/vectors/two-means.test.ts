import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FAMILIES, FAMILY_NAMES } from '../../test/support/hard-vectors.ts';
import { seededNumbers } from '../base/index.ts';
import type { CellRows } from './cell-rows.ts';
import { CellTable } from './cell-table.ts';
import { makeRotation } from './rotation.ts';
import { type TwoMeans, twoMeans } from './two-means.ts';

/** Families whose lengths the codes can express, as in cell-table.test.ts. */
const FAMILIES_THAT_FIT = FAMILY_NAMES.filter((name) => name !== 'huge' && name !== 'denormal');

/** A batch of loaded rows. */
function rowsOf(dimension: number, vectors: readonly Float32Array[]): CellRows {
  const { rows } = new CellTable(dimension, makeRotation(dimension, seededNumbers(1)), true);
  vectors.forEach((vector, i) => {
    rows.raw(i).set(vector);
    rows.setScale(i, 1);
  });
  rows.load(vectors.length);
  return rows;
}

/** On which side of the plane each row is: −1, 0 for the border itself, 1. */
function sidesOf(rows: CellRows, count: number, { direction, threshold }: TwoMeans): number[] {
  return Array.from(rows.project(direction, count), (product) => Math.sign(product - threshold));
}

describe('two centres', () => {
  test('divide two clusters, however many rows each has from a quarter on, and are their means', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 16, max: 48 }), (seed, rightCount) => {
        const chance = seededNumbers(seed);
        const [dimension, count] = [48, 64];
        const draw = FAMILIES.gaussian(dimension, chance);
        const far = draw().map((x) => 20 * x);
        const vectors = Array.from({ length: count }, (_, i) => {
          return draw().map((x, d) => x + (i < rightCount ? far[d]! : 0));
        });
        const rows = rowsOf(dimension, vectors);
        const found = twoMeans(rows, count);
        const sides = sidesOf(rows, count, found);
        expect(new Set(sides.slice(0, rightCount)).size).toBe(1);
        expect(new Set(sides.slice(rightCount)).size).toBe(1);
        expect(sides[0]).toBe(-sides.at(-1)!);
        const centre = sides[0] === 1 ? found.right : found.left;
        for (let d = 0; d < dimension; d++) {
          let sum = 0;
          for (let i = 0; i < rightCount; i++) sum += rows.at(i)[d]!;
          expect(centre[d]).toBeCloseTo(sum / rightCount, 3);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('leave neither side less than a quarter, and on the border what may go to either', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.constantFrom(...FAMILIES_THAT_FIT),
        fc.integer({ min: 1, max: 100 }),
        (seed, family, count) => {
          const draw = FAMILIES[family](33, seededNumbers(seed));
          const rows = rowsOf(33, Array.from({ length: count }, draw));
          const sides = sidesOf(rows, count, twoMeans(rows, count));
          const quarter = Math.floor(count / 4);
          for (const side of [-1, 1]) {
            expect(sides.filter((other) => other === side || other === 0).length).toBeGreaterThanOrEqual(
              quarter,
            );
          }
        },
      ),
    );
  });

  test('put one far row and a quarter of the others on its side, and equal rows on the border', () => {
    const near = Array.from({ length: 32 }, FAMILIES.gaussian(8, seededNumbers(3)));
    const far = near[0]!.map(() => 1_000);
    const rows = rowsOf(8, [...near.slice(1), far]);
    const sides = sidesOf(rows, 32, twoMeans(rows, 32));
    expect(sides.filter((side) => side === sides.at(-1)).length).toBe(8);
    expect(sides.filter((side) => side === 0).length).toBe(1);
    const equal = rowsOf(8, new Array<Float32Array>(16).fill(far));
    expect(new Set(sidesOf(equal, 16, twoMeans(equal, 16)))).toEqual(new Set([0]));
  });
});
