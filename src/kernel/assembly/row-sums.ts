/**
 * Dot products and squared distances of one float32 vector with many, accumulated in float32: four times as
 * fast as in float64 (floats.ts), for choosing the rows that deserve the latter.
 *
 * Each result is the sum of 16 partial sums of width / 16 terms. So its error is at most (width / 16 + 6)
 * roundings of the sum of the terms' absolute values (Higham, Accuracy and Stability of Numerical
 * Algorithms, section 4.2). Values that overflow give an infinity or NaN.
 *
 * `width` is the length in floats, a multiple of 8; the caller pads with zeros. `places` (u32 × count) says
 * which rows: place p is the row of `width` floats at `rows + 4·width·p`.
 */
import { sumLanes } from './lanes';

/** Rows that are brought into the cache together. */
const AHEAD: u32 = 16;

/** Reads a word of every 64 bytes of listed rows, so that the processor fetches them all at once. */
// @ts-ignore: decorator
@inline
function fetch(rows: usize, places: usize, count: u32, bytes: usize): u32 {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    let at = rows + <usize>load<u32>(places + (i << 2)) * bytes;
    const end = at + bytes;
    for (; at < end; at += 64) sum += load<u32>(at);
  }
  return sum;
}

// @ts-ignore: decorator
@inline
function squaredDifference(row: usize, query: usize): v128 {
  const difference = f32x4.sub(v128.load(row), v128.load(query));
  return f32x4.mul(difference, difference);
}

function dotRow(row: usize, query: usize, width: usize): f32 {
  let a = f32x4.splat(0);
  let b = f32x4.splat(0);
  let c = f32x4.splat(0);
  let d = f32x4.splat(0);
  const end = row + ((width & ~15) << 2);
  while (row < end) {
    a = f32x4.add(a, f32x4.mul(v128.load(row), v128.load(query)));
    b = f32x4.add(b, f32x4.mul(v128.load(row, 16), v128.load(query, 16)));
    c = f32x4.add(c, f32x4.mul(v128.load(row, 32), v128.load(query, 32)));
    d = f32x4.add(d, f32x4.mul(v128.load(row, 48), v128.load(query, 48)));
    row += 64;
    query += 64;
  }
  if (width & 8) {
    a = f32x4.add(a, f32x4.mul(v128.load(row), v128.load(query)));
    b = f32x4.add(b, f32x4.mul(v128.load(row, 16), v128.load(query, 16)));
  }
  return sumLanes(a, b, c, d);
}

function squaredL2Row(row: usize, query: usize, width: usize): f32 {
  let a = f32x4.splat(0);
  let b = f32x4.splat(0);
  let c = f32x4.splat(0);
  let d = f32x4.splat(0);
  const end = row + ((width & ~15) << 2);
  while (row < end) {
    a = f32x4.add(a, squaredDifference(row, query));
    b = f32x4.add(b, squaredDifference(row + 16, query + 16));
    c = f32x4.add(c, squaredDifference(row + 32, query + 32));
    d = f32x4.add(d, squaredDifference(row + 48, query + 48));
    row += 64;
    query += 64;
  }
  if (width & 8) {
    a = f32x4.add(a, squaredDifference(row, query));
    b = f32x4.add(b, squaredDifference(row + 16, query + 16));
  }
  return sumLanes(a, b, c, d);
}

/** Σ row·query (f32) of the listed rows, to `out`. */
export function dotRows(
  rows: usize,
  places: usize,
  count: u32,
  width: usize,
  query: usize,
  out: usize,
): void {
  const bytes = width << 2;
  for (let i: u32 = 0; i < count; i++) {
    if (i % AHEAD == 0) {
      store<u32>(out + (i << 2), fetch(rows, places + (i << 2), min(AHEAD, count - i), bytes));
    }
    const row = rows + <usize>load<u32>(places + (i << 2)) * bytes;
    store<f32>(out + (i << 2), dotRow(row, query, width));
  }
}

/** Σ (row − query)² (f32) of the listed rows, to `out`. */
export function squaredL2Rows(
  rows: usize,
  places: usize,
  count: u32,
  width: usize,
  query: usize,
  out: usize,
): void {
  const bytes = width << 2;
  for (let i: u32 = 0; i < count; i++) {
    if (i % AHEAD == 0) {
      store<u32>(out + (i << 2), fetch(rows, places + (i << 2), min(AHEAD, count - i), bytes));
    }
    const row = rows + <usize>load<u32>(places + (i << 2)) * bytes;
    store<f32>(out + (i << 2), squaredL2Row(row, query, width));
  }
}
