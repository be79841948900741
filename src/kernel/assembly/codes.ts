/**
 * Integer dot products of rows of 8-bit codes with one query of 16-bit codes.
 *
 * `i32x4.dot_i16x8_s` multiplies eight pairs of 16-bit integers and adds neighbours, so eight codes are
 * widened while they are loaded and meet eight components of the query in one instruction. Two rows are
 * taken at a time, because the query's components, once loaded, then serve both: the loads are what bounds
 * a single row.
 *
 * `width` is the length of a row in codes, a multiple of 16 and at least 16; the caller pads with zeros.
 * Nothing here can overflow as long as 127 · max|query| · width < 2^31, which the caller sees to by its
 * choice of the query's scale.
 */

// @ts-ignore: decorator
@inline
function sumLanes(lanes: v128): i32 {
  const pairs = i32x4.add(lanes, i32x4.shuffle(lanes, lanes, 2, 3, 0, 1));
  return i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1);
}

// @ts-ignore: decorator
@inline
function dotOne(row: usize, query: usize, width: usize, out: usize): void {
  let low = i32x4.splat(0);
  let high = i32x4.splat(0);
  const end = row + width;
  while (row < end) {
    low = i32x4.add(low, i32x4.dot_i16x8_s(v128.load8x8_s(row), v128.load(query)));
    high = i32x4.add(high, i32x4.dot_i16x8_s(v128.load8x8_s(row, 8), v128.load(query, 16)));
    row += 16;
    query += 32;
  }
  store<i32>(out, sumLanes(i32x4.add(low, high)));
}

// @ts-ignore: decorator
@inline
function dotTwo(rowA: usize, rowB: usize, query: usize, width: usize, out: usize): void {
  let lowA = i32x4.splat(0);
  let lowB = i32x4.splat(0);
  let highA = i32x4.splat(0);
  let highB = i32x4.splat(0);
  const end = rowA + width;
  while (rowA < end) {
    const queryLow = v128.load(query);
    const queryHigh = v128.load(query, 16);
    lowA = i32x4.add(lowA, i32x4.dot_i16x8_s(v128.load8x8_s(rowA), queryLow));
    lowB = i32x4.add(lowB, i32x4.dot_i16x8_s(v128.load8x8_s(rowB), queryLow));
    highA = i32x4.add(highA, i32x4.dot_i16x8_s(v128.load8x8_s(rowA, 8), queryHigh));
    highB = i32x4.add(highB, i32x4.dot_i16x8_s(v128.load8x8_s(rowB, 8), queryHigh));
    rowA += 16;
    rowB += 16;
    query += 32;
  }
  store<i32>(out, sumLanes(i32x4.add(lowA, highA)));
  store<i32>(out, sumLanes(i32x4.add(lowB, highB)), 4);
}

/** Dots of the `count` rows that follow one another from `rows` on; i32 each, written to `out`. */
export function scanRun(rows: usize, count: usize, width: usize, query: usize, out: usize): void {
  const pairsEnd = out + ((count & ~1) << 2);
  while (out < pairsEnd) {
    dotTwo(rows, rows + width, query, width, out);
    rows += width << 1;
    out += 8;
  }
  if (count & 1) dotOne(rows, query, width, out);
}

/** Listed rows that are brought into the cache together. */
const AHEAD: u32 = 32;

/**
 * Reads a word of every 64 bytes of `count` listed rows, so that the processor fetches them all at once
 * instead of each when its turn comes; returns something that depends on all of them.
 */
// @ts-ignore: decorator
@inline
function fetch(rows: usize, slots: usize, count: u32, width: usize): u32 {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    let at = rows + <usize>load<u32>(slots + (i << 2)) * width;
    const end = at + width;
    for (; at < end; at += 64) sum += load<u32>(at);
  }
  return sum;
}

/** Dots of the `count` rows whose slots (u32) stand at `slots`; slot 0 is the row at `rows`. */
export function scanList(
  rows: usize,
  slots: usize,
  count: usize,
  width: usize,
  query: usize,
  out: usize,
): void {
  const pairsEnd = out + ((count & ~1) << 2);
  let fetched = out;
  while (out < pairsEnd) {
    if (out == fetched) {
      const batch = min(AHEAD, <u32>((pairsEnd - out) >> 2));
      store<u32>(out, fetch(rows, slots, batch, width));
      fetched += <usize>batch << 2;
    }
    const rowA = rows + <usize>load<u32>(slots) * width;
    const rowB = rows + <usize>load<u32>(slots, 4) * width;
    dotTwo(rowA, rowB, query, width, out);
    slots += 8;
    out += 8;
  }
  if (count & 1) dotOne(rows + <usize>load<u32>(slots) * width, query, width, out);
}
