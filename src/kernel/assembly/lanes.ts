/** Sums over the lanes of registers. */

/** The sum of all sixteen lanes of four registers of f32. */
// @ts-ignore: decorator
@inline
export function sumLanes(a: v128, b: v128, c: v128, d: v128): f32 {
  return sumRegister(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
}

/** The sum of the lanes of a register of f32. */
// @ts-ignore: decorator
@inline
export function sumRegister(lanes: v128): f32 {
  return (
    f32x4.extract_lane(lanes, 0) +
    f32x4.extract_lane(lanes, 1) +
    (f32x4.extract_lane(lanes, 2) + f32x4.extract_lane(lanes, 3))
  );
}
