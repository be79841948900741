/**
 * Dot product and squared distance of two float32 vectors, accumulated in float64.
 *
 * Eight sums run side by side (four registers of two), because one addition has to wait for the one before
 * it in the same sum. The order of all additions is fixed and the same as in `scalar.ts`, so that both give
 * the same bits.
 *
 * `width` is the length in floats, a multiple of 8; the caller pads with zeros.
 */

// @ts-ignore: decorator
@inline
function product(left: v128, right: v128): v128 {
  return f64x2.mul(f64x2.promote_low_f32x4(left), f64x2.promote_low_f32x4(right));
}

// @ts-ignore: decorator
@inline
function squaredDifference(left: v128, right: v128): v128 {
  const difference = f64x2.sub(f64x2.promote_low_f32x4(left), f64x2.promote_low_f32x4(right));
  return f64x2.mul(difference, difference);
}

// @ts-ignore: decorator
@inline
function sumLanes(a: v128, b: v128, c: v128, d: v128): f64 {
  const lanes = f64x2.add(f64x2.add(a, b), f64x2.add(c, d));
  return f64x2.extract_lane(lanes, 0) + f64x2.extract_lane(lanes, 1);
}

/** Σ left·right. */
export function dot(left: usize, right: usize, width: usize): f64 {
  let a = f64x2.splat(0);
  let b = f64x2.splat(0);
  let c = f64x2.splat(0);
  let d = f64x2.splat(0);
  const end = left + (width << 2);
  while (left < end) {
    a = f64x2.add(a, product(v128.load64_zero(left), v128.load64_zero(right)));
    b = f64x2.add(b, product(v128.load64_zero(left, 8), v128.load64_zero(right, 8)));
    c = f64x2.add(c, product(v128.load64_zero(left, 16), v128.load64_zero(right, 16)));
    d = f64x2.add(d, product(v128.load64_zero(left, 24), v128.load64_zero(right, 24)));
    left += 32;
    right += 32;
  }
  return sumLanes(a, b, c, d);
}

/** Σ (left − right)². */
export function squaredL2(left: usize, right: usize, width: usize): f64 {
  let a = f64x2.splat(0);
  let b = f64x2.splat(0);
  let c = f64x2.splat(0);
  let d = f64x2.splat(0);
  const end = left + (width << 2);
  while (left < end) {
    a = f64x2.add(a, squaredDifference(v128.load64_zero(left), v128.load64_zero(right)));
    b = f64x2.add(b, squaredDifference(v128.load64_zero(left, 8), v128.load64_zero(right, 8)));
    c = f64x2.add(c, squaredDifference(v128.load64_zero(left, 16), v128.load64_zero(right, 16)));
    d = f64x2.add(d, squaredDifference(v128.load64_zero(left, 24), v128.load64_zero(right, 24)));
    left += 32;
    right += 32;
  }
  return sumLanes(a, b, c, d);
}
