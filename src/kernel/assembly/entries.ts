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
  let widest: f32 = 0;
  let offset: f32 = 0;
  for (let q = query; q < end; q += 16) {
    const half = sum(f32x4.abs(v128.load(q)));
    widest = max(widest, half);
    offset -= half;
  }
  const step: f32 = widest == 0 ? 0 : (2 * widest) / levels;
  const inverse = f32x4.splat(widest == 0 ? 0 : levels / (2 * widest));
  for (let q = query; q < end; q += 16) {
    const v = v128.load(q);
    const half = f32x4.splat(sum(f32x4.abs(v)));
    const a = f32x4.splat(f32x4.extract_lane(v, 0));
    const b = f32x4.splat(f32x4.extract_lane(v, 1));
    const c = f32x4.splat(f32x4.extract_lane(v, 2));
    const d = f32x4.splat(f32x4.extract_lane(v, 3));
    // Bit 0 of an entry's number is the sign of the first dimension, set for plus.
    const ab = f32x4.add(
      v128.xor(a, i32x4(0x80000000, 0, 0x80000000, 0)),
      v128.xor(b, i32x4(0x80000000, 0x80000000, 0, 0)),
    );
    const first = round(f32x4.sub(f32x4.sub(ab, c), d), half, inverse);
    const second = round(f32x4.sub(f32x4.add(ab, c), d), half, inverse);
    const third = round(f32x4.add(f32x4.sub(ab, c), d), half, inverse);
    const fourth = round(f32x4.add(f32x4.add(ab, c), d), half, inverse);
    v128.store(
      table,
      i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(first, second), i16x8.narrow_i32x4_s(third, fourth)),
    );
    table += 16;
  }
  store<f32>(out, step);
  store<f32>(out, offset, 4);
}

// @ts-ignore: decorator
@inline
function round(value: v128, half: v128, inverse: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(f32x4.add(value, half), inverse)));
}
