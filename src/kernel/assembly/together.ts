/**
 * Dot products and squared distances of four float32 vectors with many, accumulated in float32: what passes
 * over all rows for several queries is bound by reading, and here a row is read once for four of them.
 *
 * Each result is the sum of 4 partial sums of width / 4 terms. So its error is at most (width / 4 + 4)
 * roundings of the sum of the terms' absolute values, as in row-sums.ts, where rows, places and width are
 * explained.
 */
import { sumRegister } from './lanes';

// @ts-ignore: decorator
@inline
function addTerm(sum: v128, row: v128, query: v128, isDot: bool): v128 {
  if (isDot) return f32x4.add(sum, f32x4.mul(row, query));
  const difference = f32x4.sub(row, query);
  return f32x4.add(sum, f32x4.mul(difference, difference));
}

/** Two rows with four queries that follow one another, to `out` and, for the second row, `out + 4`. */
// @ts-ignore: decorator
@inline
function sumTwo(a: usize, b: usize, queries: usize, bytes: usize, out: usize, step: usize, isDot: bool): void {
  let a0 = f32x4.splat(0);
  let a1 = f32x4.splat(0);
  let a2 = f32x4.splat(0);
  let a3 = f32x4.splat(0);
  let b0 = f32x4.splat(0);
  let b1 = f32x4.splat(0);
  let b2 = f32x4.splat(0);
  let b3 = f32x4.splat(0);
  const second = bytes;
  const third = bytes * 2;
  const fourth = bytes * 3;
  for (const end = a + bytes; a < end; a += 16, b += 16, queries += 16) {
    const x = v128.load(a);
    const y = v128.load(b);
    let query = v128.load(queries);
    a0 = addTerm(a0, x, query, isDot);
    b0 = addTerm(b0, y, query, isDot);
    query = v128.load(queries + second);
    a1 = addTerm(a1, x, query, isDot);
    b1 = addTerm(b1, y, query, isDot);
    query = v128.load(queries + third);
    a2 = addTerm(a2, x, query, isDot);
    b2 = addTerm(b2, y, query, isDot);
    query = v128.load(queries + fourth);
    a3 = addTerm(a3, x, query, isDot);
    b3 = addTerm(b3, y, query, isDot);
  }
  store<f32>(out, sumRegister(a0));
  store<f32>(out + step, sumRegister(a1));
  store<f32>(out + 2 * step, sumRegister(a2));
  store<f32>(out + 3 * step, sumRegister(a3));
  store<f32>(out + 4, sumRegister(b0));
  store<f32>(out + step + 4, sumRegister(b1));
  store<f32>(out + 2 * step + 4, sumRegister(b2));
  store<f32>(out + 3 * step + 4, sumRegister(b3));
}

// @ts-ignore: decorator
@inline
function sumAll(
  rows: usize,
  places: usize,
  count: u32,
  width: usize,
  queries: usize,
  out: usize,
  isDot: bool,
): void {
  const bytes = width << 2;
  const step = <usize>count << 2;
  for (const end = places + step; places < end; places += 8, out += 8) {
    const a = rows + <usize>load<u32>(places) * bytes;
    const b = rows + <usize>load<u32>(places, 4) * bytes;
    sumTwo(a, b, queries, bytes, out, step, isDot);
  }
}

/**
 * Σ row·query (f32) of the listed rows with four queries that follow one another: `count` of the first to
 * `out`, then those of the second, and so on. `count` is even.
 */
export function dotRowsOfFour(
  rows: usize,
  places: usize,
  count: u32,
  width: usize,
  queries: usize,
  out: usize,
): void {
  sumAll(rows, places, count, width, queries, out, true);
}

/** Σ (row − query)² (f32) of the same. */
export function squaredL2RowsOfFour(
  rows: usize,
  places: usize,
  count: u32,
  width: usize,
  queries: usize,
  out: usize,
): void {
  sumAll(rows, places, count, width, queries, out, false);
}
