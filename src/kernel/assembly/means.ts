/**
 * Arithmetic over rows of float32 for the making of cells. `width` is a multiple of 32.
 */
import { sumRegister } from './lanes';

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

/**
 * Writes to `direction` what leads from `left` to `right`, and to `sides` (f32) the dots of `count`
 * consecutive rows with it. Returns the dot that lies in the middle between the two.
 */
export function projectBetween(
  rows: usize,
  count: u32,
  width: u32,
  left: usize,
  right: usize,
  direction: usize,
  sides: usize,
): f32 {
  const bytes = <usize>width << 2;
  let squares = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const from = v128.load(left + i);
    const to = v128.load(right + i);
    v128.store(direction + i, f32x4.sub(to, from));
    squares = f32x4.add(squares, f32x4.sub(f32x4.mul(to, to), f32x4.mul(from, from)));
  }
  project(rows, count, width, direction, sides);
  return sumRegister(squares) * 0.5;
}

/**
 * Writes to `left` the mean of those of `count` consecutive rows whose number in `sides` (f32) is below
 * `threshold`, and to `right` that of the others. Of rows on the border every other one is left. A half that
 * has no row becomes zeros.
 */
export function meansOfHalves(
  rows: usize,
  count: u32,
  width: u32,
  sides: usize,
  threshold: f32,
  left: usize,
  right: usize,
): void {
  const bytes = <usize>width << 2;
  memory.fill(left, 0, bytes);
  memory.fill(right, 0, bytes);
  let leftCount: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const side = load<f32>(sides + (i << 2));
    const isLeft = side < threshold || (side == threshold && (i & 1) == 0);
    if (isLeft) leftCount++;
    addScaled(isLeft ? left : right, rows, width, 1);
    rows += bytes;
  }
  scale(left, width, 1 / <f32>max<u32>(1, leftCount));
  scale(right, width, 1 / <f32>max<u32>(1, count - leftCount));
}

function scale(vector: usize, width: u32, by: f32): void {
  const factor = f32x4.splat(by);
  for (const end = vector + (<usize>width << 2); vector < end; vector += 16) {
    v128.store(vector, f32x4.mul(v128.load(vector), factor));
  }
}
