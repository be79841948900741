/**
 * Attention among the tokens of one text: each token's row becomes, head by head, the mean of all tokens'
 * values, weighted by the softmax of its query's dots with their keys.
 *
 * A row of the input holds the queries of all heads, then the keys, then the values, `heads · width` floats
 * each; a row of the output holds `heads · width` floats. For every head and row, the scores stand in `scores`
 * (room for `count` floats, rounded up to a multiple of 4).
 *
 * `width` is a multiple of 32.
 */

/** ln 2 in two parts, so that a multiple of the first is exact (Cody and Waite). */
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.12194440e-4;
const LOG2_E: f32 = 1.4426950408889634;
/** Below, exp is no normal float32; what is smaller than that weighs nothing beside the greatest, which is 1. */
const EXP_MIN: f32 = -87;

/**
 * exp of four numbers that are at most 0, to 2 units in the last place: 2ⁿ·exp(r) with |r| ≤ ln 2 / 2, and exp(r)
 * by its Taylor polynomial of degree 7, whose error there is below 2⁻²⁷.
 */
// @ts-ignore: decorator
@inline
function exp(x: v128): v128 {
  const bounded = f32x4.max(x, f32x4.splat(EXP_MIN));
  const n = f32x4.nearest(f32x4.mul(bounded, f32x4.splat(LOG2_E)));
  const high = f32x4.sub(bounded, f32x4.mul(n, f32x4.splat(LN2_HIGH)));
  const r = f32x4.sub(high, f32x4.mul(n, f32x4.splat(LN2_LOW)));
  let sum = f32x4.splat(1.0 / 5040.0);
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1.0 / 720.0));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1.0 / 120.0));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1.0 / 24.0));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1.0 / 6.0));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(0.5));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return f32x4.mul(sum, power);
}

/** The sums of the lanes of four registers, as one register. */
// @ts-ignore: decorator
@inline
function sumEach(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(f32x4.shuffle(a, b, 0, 4, 1, 5), f32x4.shuffle(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(f32x4.shuffle(c, d, 0, 4, 1, 5), f32x4.shuffle(c, d, 2, 6, 3, 7));
  return f32x4.add(
    f32x4.shuffle(ab, cd, 0, 1, 4, 5),
    f32x4.shuffle(ab, cd, 2, 3, 6, 7),
  );
}

/** Scaled dots of one query with the keys of all rows; beyond the last row, its dot again. */
// @ts-ignore: decorator
@inline
function scoreRows(
  query: usize,
  keys: usize,
  count: u32,
  bytes: usize,
  rowBytes: usize,
  scale: f32,
  scores: usize,
): void {
  const last = count - 1;
  for (let row: u32 = 0; row < count; row += 4) {
    let first = keys + <usize>row * rowBytes;
    let second = keys + <usize>min(row + 1, last) * rowBytes;
    let third = keys + <usize>min(row + 2, last) * rowBytes;
    let fourth = keys + <usize>min(row + 3, last) * rowBytes;
    let a = f32x4.splat(0);
    let b = a;
    let c = a;
    let d = a;
    for (let i: usize = 0; i < bytes; i += 16) {
      const q = v128.load(query + i);
      a = f32x4.add(a, f32x4.mul(q, v128.load(first + i)));
      b = f32x4.add(b, f32x4.mul(q, v128.load(second + i)));
      c = f32x4.add(c, f32x4.mul(q, v128.load(third + i)));
      d = f32x4.add(d, f32x4.mul(q, v128.load(fourth + i)));
    }
    v128.store(scores + (<usize>row << 2), f32x4.mul(sumEach(a, b, c, d), f32x4.splat(scale)));
  }
}

/** Makes weights of the scores, exp(score − greatest), and returns their sum. */
// @ts-ignore: decorator
@inline
function weigh(scores: usize, count: u32): f32 {
  const end = scores + (<usize>count << 2);
  let greatest = v128.load(scores);
  for (let at = scores; at < end; at += 16) greatest = f32x4.max(greatest, v128.load(at));
  const top = f32x4.splat(
    max(
      max(f32x4.extract_lane(greatest, 0), f32x4.extract_lane(greatest, 1)),
      max(f32x4.extract_lane(greatest, 2), f32x4.extract_lane(greatest, 3)),
    ),
  );
  for (let at = scores; at < end; at += 16) v128.store(at, exp(f32x4.sub(v128.load(at), top)));
  let sum: f32 = 0;
  for (let at = scores; at < end; at += 4) sum += load<f32>(at);
  return sum;
}

/** The weighted mean of the values of all rows, 32 floats at a time. */
// @ts-ignore: decorator
@inline
function mix(
  weights: usize,
  values: usize,
  count: u32,
  bytes: usize,
  rowBytes: usize,
  factor: f32,
  out: usize,
): void {
  const end = weights + (<usize>count << 2);
  for (let i: usize = 0; i < bytes; i += 128) {
    let a = f32x4.splat(0);
    let b = a;
    let c = a;
    let d = a;
    let e = a;
    let f = a;
    let g = a;
    let h = a;
    let value = values + i;
    for (let at = weights; at < end; at += 4) {
      const weight = v128.load32_splat(at);
      a = f32x4.add(a, f32x4.mul(weight, v128.load(value)));
      b = f32x4.add(b, f32x4.mul(weight, v128.load(value, 16)));
      c = f32x4.add(c, f32x4.mul(weight, v128.load(value, 32)));
      d = f32x4.add(d, f32x4.mul(weight, v128.load(value, 48)));
      e = f32x4.add(e, f32x4.mul(weight, v128.load(value, 64)));
      f = f32x4.add(f, f32x4.mul(weight, v128.load(value, 80)));
      g = f32x4.add(g, f32x4.mul(weight, v128.load(value, 96)));
      h = f32x4.add(h, f32x4.mul(weight, v128.load(value, 112)));
      value += rowBytes;
    }
    const share = f32x4.splat(factor);
    v128.store(out + i, f32x4.mul(a, share));
    v128.store(out + i, f32x4.mul(b, share), 16);
    v128.store(out + i, f32x4.mul(c, share), 32);
    v128.store(out + i, f32x4.mul(d, share), 48);
    v128.store(out + i, f32x4.mul(e, share), 64);
    v128.store(out + i, f32x4.mul(f, share), 80);
    v128.store(out + i, f32x4.mul(g, share), 96);
    v128.store(out + i, f32x4.mul(h, share), 112);
  }
}

/** Attention of `count` tokens in `heads` heads of `width` floats. */
export function attend(
  rows: usize,
  count: u32,
  heads: u32,
  width: u32,
  scale: f32,
  scores: usize,
  out: usize,
): void {
  const bytes = <usize>width << 2;
  const partBytes = bytes * heads;
  const rowBytes = partBytes * 3;
  for (let head: usize = 0; head < heads; head++) {
    const queries = rows + head * bytes;
    const keys = queries + partBytes;
    const values = keys + partBytes;
    for (let row: u32 = 0; row < count; row++) {
      scoreRows(queries + <usize>row * rowBytes, keys, count, bytes, rowBytes, scale, scores);
      const sum = weigh(scores, count);
      const target = out + <usize>row * partBytes + head * bytes;
      mix(scores, values, count, bytes, rowBytes, <f32>1 / sum, target);
    }
  }
}
