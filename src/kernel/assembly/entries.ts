/**
 * Entries of cells: one bit per dimension, in blocks of 32 entries whose codes are transposed.
 *
 *   offset            field
 *   0                 codes    width / 4 groups of 16 bytes; byte j of group g holds the four bits of
 *                              dimensions 4g … 4g + 3 of entry j (low half) and of entry j + 16 (high half)
 *   4·width           base     f32 × 32
 *   4·width + 128     slope    f32 × 32
 *   4·width + 256     slot     u32 × 32
 *   4·width + 384     next     u32, the next block of the cell
 *
 * A bit says whether that component of the residual is not negative. `width` is a multiple of 32.
 */

// @ts-ignore: decorator
@inline
function sum(lanes: v128): f32 {
  return (
    f32x4.extract_lane(lanes, 0) +
    f32x4.extract_lane(lanes, 1) +
    (f32x4.extract_lane(lanes, 2) + f32x4.extract_lane(lanes, 3))
  );
}

/**
 * Writes the code of r = vector − centre as entry `lane` of `block`, and to `out` four floats: Σ|r|, Σr²,
 * Σ sign(r)·centre and Σ r·centre.
 */
export function encodeEntry(
  vector: usize,
  centre: usize,
  width: u32,
  block: usize,
  lane: u32,
  out: usize,
): void {
  const shift: u32 = (lane >> 4) << 2;
  const keep: u32 = 0xf0 >> shift;
  let at = block + (lane & 15);
  let size = f32x4.splat(0);
  let square = f32x4.splat(0);
  let signed = f32x4.splat(0);
  let product = f32x4.splat(0);
  const end = vector + (<usize>width << 2);
  while (vector < end) {
    const c = v128.load(centre);
    const r = f32x4.sub(v128.load(vector), c);
    const positive = f32x4.ge(r, f32x4.splat(0));
    store<u8>(at, (load<u8>(at) & keep) | (i32x4.bitmask(positive) << shift));
    size = f32x4.add(size, f32x4.abs(r));
    square = f32x4.add(square, f32x4.mul(r, r));
    signed = f32x4.add(signed, v128.xor(c, v128.andnot(i32x4.splat(0x80000000), positive)));
    product = f32x4.add(product, f32x4.mul(r, c));
    vector += 16;
    centre += 16;
    at += 16;
  }
  store<f32>(out, sum(size));
  store<f32>(out, sum(square), 4);
  store<f32>(out, sum(signed), 8);
  store<f32>(out, sum(product), 12);
}

/** Copies entry `fromLane` of block `from`, factors and slot included, over entry `toLane` of block `to`. */
export function moveEntry(from: usize, fromLane: u32, to: usize, toLane: u32, width: u32): void {
  const fromShift: u32 = (fromLane >> 4) << 2;
  const toShift: u32 = (toLane >> 4) << 2;
  const keep: u32 = 0xf0 >> toShift;
  let source = from + (fromLane & 15);
  let target = to + (toLane & 15);
  const bytes = <usize>width << 2;
  const end = source + bytes;
  while (source < end) {
    const bits: u32 = (load<u8>(source) >> fromShift) & 15;
    store<u8>(target, (load<u8>(target) & keep) | (bits << toShift));
    source += 16;
    target += 16;
  }
  const fromAt = from + bytes + (<usize>fromLane << 2);
  const toAt = to + bytes + (<usize>toLane << 2);
  store<u32>(toAt, load<u32>(fromAt));
  store<u32>(toAt, load<u32>(fromAt, 128), 128);
  store<u32>(toAt, load<u32>(fromAt, 256), 256);
}

/**
 * The table of a query for the codes: for each group of four dimensions the 16 sums ±a ±b ±c ±d, each
 * rounded to u8 as (sum − smallest of the group) / step with `step` = the widest range of a group / levels.
 * Writes to `out` two floats: the step, and the sum of the smallest of all groups. `levels` is at most 31
 * and such that levels · width / 4 fits into 16 bits.
 */
export function makeTable(query: usize, width: u32, levels: f32, table: usize, out: usize): void {
  const end = query + (<usize>width << 2);
  let widest = f32x4.splat(0);
  let halves = f32x4.splat(0);
  for (let q = query; q < end; q += 16) {
    const half = sumInAll(f32x4.abs(v128.load(q)));
    widest = f32x4.pmax(widest, half);
    halves = f32x4.add(halves, half);
  }
  const range: f32 = 2 * f32x4.extract_lane(widest, 0);
  const scale = f32x4.splat(range == 0 ? 0 : levels / range * 2);
  const zero = f32x4.splat(0);
  for (let q = query; q < end; q += 16) {
    // Beside the smallest sum, a bit that is set adds twice its component, in units of the step.
    const v = f32x4.mul(v128.load(q), scale);
    const least = sumInAll(f32x4.sub(zero, f32x4.pmin(v, zero)));
    const a = v128.and(f32x4.shuffle(v, v, 0, 0, 0, 0), i32x4(0, -1, 0, -1));
    const b = v128.and(f32x4.shuffle(v, v, 1, 1, 1, 1), i32x4(0, 0, -1, -1));
    const first = f32x4.add(f32x4.add(least, a), b);
    const c = f32x4.shuffle(v, v, 2, 2, 2, 2);
    const d = f32x4.shuffle(v, v, 3, 3, 3, 3);
    const second = f32x4.add(first, c);
    const low = lowBytes(integers(first), integers(second));
    const high = lowBytes(integers(f32x4.add(first, d)), integers(f32x4.add(second, d)));
    v128.store(table, i64x2.shuffle(low, high, 0, 2));
    table += 16;
  }
  store<f32>(out, range / levels);
  store<f32>(out, -f32x4.extract_lane(halves, 0), 4);
}

/** The sum of the four lanes, in every lane. */
// @ts-ignore: decorator
@inline
function sumInAll(lanes: v128): v128 {
  const pairs = f32x4.add(lanes, f32x4.shuffle(lanes, lanes, 1, 0, 3, 2));
  return f32x4.add(pairs, f32x4.shuffle(pairs, pairs, 2, 3, 0, 1));
}

/** Rounds to the nearest integer, which is in the low bits: floats of the size of 2^23 are integers. */
// @ts-ignore: decorator
@inline
function integers(value: v128): v128 {
  return f32x4.add(value, f32x4.splat(8388608));
}

// @ts-ignore: decorator
@inline
function lowBytes(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
}
