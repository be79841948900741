/**
 * Layer normalisation: every row is brought to mean 0 and variance 1, then scaled and moved component by
 * component.
 *
 * Mean and variance are taken in two passes, since the sum of squares less the square of the sum cancels where
 * the mean is large. Four registers sum side by side. `width` is a multiple of 16.
 */
import { sumLanes } from '../lanes';

// @ts-ignore: decorator
@inline
function squaredDistance(at: usize, mean: v128): v128 {
  const difference = f32x4.sub(v128.load(at), mean);
  return f32x4.mul(difference, difference);
}

/** out = (row − mean) / √(variance + epsilon) · scale + bias, for `count` rows of `width` floats. */
export function normaliseRows(
  rows: usize,
  count: u32,
  width: u32,
  scale: usize,
  bias: usize,
  epsilon: f32,
  out: usize,
): void {
  const rowBytes = <usize>width << 2;
  const end = rows + <usize>count * rowBytes;
  for (; rows < end; rows += rowBytes) {
    const rowEnd = rows + rowBytes;
    let a = f32x4.splat(0);
    let b = a;
    let c = a;
    let d = a;
    for (let at = rows; at < rowEnd; at += 64) {
      a = f32x4.add(a, v128.load(at));
      b = f32x4.add(b, v128.load(at, 16));
      c = f32x4.add(c, v128.load(at, 32));
      d = f32x4.add(d, v128.load(at, 48));
    }
    const mean = f32x4.splat(sumLanes(a, b, c, d) / <f32>width);
    a = f32x4.splat(0);
    b = a;
    c = a;
    d = a;
    for (let at = rows; at < rowEnd; at += 64) {
      a = f32x4.add(a, squaredDistance(at, mean));
      b = f32x4.add(b, squaredDistance(at + 16, mean));
      c = f32x4.add(c, squaredDistance(at + 32, mean));
      d = f32x4.add(d, squaredDistance(at + 48, mean));
    }
    const variance = sumLanes(a, b, c, d) / <f32>width;
    const factor = f32x4.splat(<f32>1 / sqrt<f32>(variance + epsilon));
    for (let i: usize = 0; i < rowBytes; i += 16) {
      const moved = f32x4.mul(f32x4.sub(v128.load(rows + i), mean), factor);
      v128.store(out + i, f32x4.add(f32x4.mul(moved, v128.load(scale + i)), v128.load(bias + i)));
    }
    out += rowBytes;
  }
}
