/**
 * From a vector of floats to small integers; what it means is said at `quantise` in scalar.ts, whose bits
 * this gives.
 *
 * All arithmetic but the search for the largest component, which is exact, is float64, where no float32 input
 * overflows or underflows. `width` is the length in floats, a multiple of 8; the caller pads with zeros.
 */

// @ts-ignore: decorator
@inline
function lesserDigits(value: v128, code: v128, scale: v128): v128 {
  const residual = f64x2.sub(value, f64x2.mul(scale, code));
  return f64x2.mul(residual, residual);
}

// @ts-ignore: decorator
@inline
function integers(low: v128, high: v128): v128 {
  return i32x4.shuffle(i32x4.trunc_sat_f64x2_s_zero(low), i32x4.trunc_sat_f64x2_s_zero(high), 0, 1, 4, 5);
}

/**
 * Writes the codes of `vector`, i16 if `isWide`, i8 otherwise, and to `out` the scale and the norm of the
 * residual (f64).
 */
export function quantise(
  vector: usize,
  width: u32,
  levels: f64,
  codes: usize,
  isWide: bool,
  out: usize,
): void {
  const end = vector + (<usize>width << 2);
  let most = f32x4.splat(0);
  for (let at = vector; at < end; at += 32) {
    most = f32x4.pmax(most, f32x4.abs(v128.load(at)));
    most = f32x4.pmax(most, f32x4.abs(v128.load(at, 16)));
  }
  const largest: f64 = max(
    max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
  );
  const scale: f64 = largest / levels;
  const scales = f64x2.splat(scale);
  const inverse = f64x2.splat(largest == 0 ? 0 : levels / largest);
  let a = f64x2.splat(0);
  let b = f64x2.splat(0);
  let c = f64x2.splat(0);
  let d = f64x2.splat(0);
  for (; vector < end; vector += 32) {
    const v0 = f64x2.promote_low_f32x4(v128.load64_zero(vector));
    const v1 = f64x2.promote_low_f32x4(v128.load64_zero(vector, 8));
    const v2 = f64x2.promote_low_f32x4(v128.load64_zero(vector, 16));
    const v3 = f64x2.promote_low_f32x4(v128.load64_zero(vector, 24));
    const c0 = f64x2.nearest(f64x2.mul(v0, inverse));
    const c1 = f64x2.nearest(f64x2.mul(v1, inverse));
    const c2 = f64x2.nearest(f64x2.mul(v2, inverse));
    const c3 = f64x2.nearest(f64x2.mul(v3, inverse));
    a = f64x2.add(a, lesserDigits(v0, c0, scales));
    b = f64x2.add(b, lesserDigits(v1, c1, scales));
    c = f64x2.add(c, lesserDigits(v2, c2, scales));
    d = f64x2.add(d, lesserDigits(v3, c3, scales));
    const words = i16x8.narrow_i32x4_s(integers(c0, c1), integers(c2, c3));
    if (isWide) {
      v128.store(codes, words);
      codes += 16;
    } else {
      v128.store64_lane(codes, i8x16.narrow_i16x8_s(words, words), 0);
      codes += 8;
    }
  }
  const lanes = f64x2.add(f64x2.add(a, b), f64x2.add(c, d));
  store<f64>(out, scale);
  store<f64>(out, sqrt<f64>(f64x2.extract_lane(lanes, 0) + f64x2.extract_lane(lanes, 1)), 8);
}
