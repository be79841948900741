/** Two centres for the rows of a cell, by a few rounds of Lloyd's algorithm, and the plane between them. */
import type { CellRows } from './cell-rows.ts';

const ROUNDS = 6;

/** Two centres, and the plane between: rows whose product with `direction` exceeds `threshold` are right. */
export interface TwoMeans {
  readonly left: Float32Array;
  readonly right: Float32Array;
  readonly direction: Float32Array;
  readonly threshold: number;
}

/** Centres of the two halves of the first `count` rows, at least one, begun with two that are far apart. */
export function twoMeans(rows: CellRows, count: number): TwoMeans {
  const { left, right } = rows.halves;
  left.set(rows.at(0));
  right.set(rows.at(farthestFromFirst(rows, count)));
  for (let round = 0; ; round++) {
    const { sides, middle } = rows.projectBetween(count);
    const threshold = thresholdOf(sides, middle);
    if (round === ROUNDS) {
      return { left: left.slice(), right: right.slice(), direction: rows.direction.slice(), threshold };
    }
    rows.moveHalves(count, threshold);
  }
}

function farthestFromFirst(rows: CellRows, count: number): number {
  const products = rows.project(rows.at(0), count);
  let farthest = 0;
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const distance = rows.squareOf(i) - 2 * products[i]!;
    if (distance > most) {
      most = distance;
      farthest = i;
    }
  }
  return farthest;
}

/**
 * The plane in the middle, moved so far that neither side has less than a quarter of the sample, rows on
 * the border with it; who gives those to both sides in turns leaves neither less than an eighth. Without it,
 * a split might leave one cell as it was and the other empty, for ever.
 */
function thresholdOf(sides: Float32Array, middle: number): number {
  let below = 0;
  let above = 0;
  for (let i = 0; i < sides.length; i++) {
    if (sides[i]! < middle) below++;
    else if (sides[i]! > middle) above++;
  }
  const quarter = sides.length >> 2;
  if (below >= quarter && above >= quarter) return middle;
  const sorted = sides.slice().sort();
  return Math.min(Math.max(middle, sorted[quarter]!), sorted[sides.length - 1 - quarter]!);
}
