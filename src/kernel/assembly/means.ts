/**
 * Arithmetic over rows of float32 for the making of cells. `width` is a multiple of 32.
 */

/** The dots (f32) of `count` consecutive rows with `direction`. */
export function project(rows: usize, count: u32, width: u32, direction: usize, out: usize): void {
  const bytes = <usize>width << 2;
  for (let i: u32 = 0; i < count; i++) {
    let a = f32x4.splat(0);
    let b = f32x4.splat(0);
    let c = f32x4.splat(0);
    let d = f32x4.splat(0);
    const end = rows + bytes;
    let other = direction;
    while (rows < end) {
      a = f32x4.add(a, f32x4.mul(v128.load(rows), v128.load(other)));
      b = f32x4.add(b, f32x4.mul(v128.load(rows, 16), v128.load(other, 16)));
      c = f32x4.add(c, f32x4.mul(v128.load(rows, 32), v128.load(other, 32)));
      d = f32x4.add(d, f32x4.mul(v128.load(rows, 48), v128.load(other, 48)));
      rows += 64;
      other += 64;
    }
    const lanes = f32x4.add(f32x4.add(a, b), f32x4.add(c, d));
    store<f32>(
      out,
      f32x4.extract_lane(lanes, 0) +
        f32x4.extract_lane(lanes, 1) +
        (f32x4.extract_lane(lanes, 2) + f32x4.extract_lane(lanes, 3)),
    );
    out += 4;
  }
}

/** target += scale · row. */
export function addScaled(target: usize, row: usize, width: u32, scale: f32): void {
  const factor = f32x4.splat(scale);
  const end = target + (<usize>width << 2);
  while (target < end) {
    v128.store(target, f32x4.add(v128.load(target), f32x4.mul(v128.load(row), factor)));
    target += 16;
    row += 16;
  }
}
