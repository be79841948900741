/**
 * Product of rows and a matrix of weights: what an encoder spends nine tenths of its time on.
 *
 * Four rows times eight columns are summed at a time, in eight registers. More of either does not fit into the
 * sixteen that V8 has without relaxed SIMD: of 4 × 8, 5 × 8, 6 × 8, 4 × 12, 3 × 12, 3 × 16 and 2 × 16, measured
 * on Node 20, the first and the last gave 64 and 61 GFLOP/s on one core of an AMD EPYC (Zen 5) and all others
 * spilled registers and gave 10 to 25.
 *
 * The weights lie in panels of eight columns: panel p holds, row after row, the columns 8p to 8p + 7. So they
 * are read one after the other, and a panel stays in the first-level cache for all rows.
 *
 * Each element is bias + Σ row·column, added up in the order of the rows of the matrix, one rounding a
 * multiplication and one an addition: the same bits in every batch, on every engine, and in scalar-encoder.ts.
 *
 * `count` is a multiple of 4 and `columns` of 8.
 */

/** Sets the output. */
const SET: u32 = 0;
/** Sets the output, with 0 in place of what is negative. */
const RECTIFY: u32 = 1;

// @ts-ignore: decorator
@inline
function put(at: usize, low: v128, high: v128, mode: u32): void {
  if (mode == SET) {
    v128.store(at, low);
    v128.store(at, high, 16);
  } else if (mode == RECTIFY) {
    v128.store(at, f32x4.max(low, f32x4.splat(0)));
    v128.store(at, f32x4.max(high, f32x4.splat(0)), 16);
  } else {
    v128.store(at, f32x4.add(v128.load(at), low));
    v128.store(at, f32x4.add(v128.load(at, 16), high), 16);
  }
}

/**
 * out = rows · weights + bias, of `count` rows of `width` floats; `mode` says whether the result is set, set and
 * rectified, or added to what is there.
 */
export function multiply(
  rows: usize,
  count: u32,
  width: u32,
  weights: usize,
  columns: u32,
  bias: usize,
  out: usize,
  mode: u32,
): void {
  const rowBytes = <usize>width << 2;
  const outBytes = <usize>columns << 2;
  const second = rowBytes;
  const third = rowBytes << 1;
  const fourth = third + rowBytes;
  for (let column: usize = 0; column < outBytes; column += 32) {
    let row = rows;
    let target = out + column;
    for (let r: u32 = 0; r < count; r += 4) {
      let a0 = v128.load(bias + column);
      let a1 = v128.load(bias + column, 16);
      let b0 = a0;
      let b1 = a1;
      let c0 = a0;
      let c1 = a1;
      let d0 = a0;
      let d1 = a1;
      let panel = weights;
      const end = row + rowBytes;
      for (let at = row; at < end; at += 4) {
        const low = v128.load(panel);
        const high = v128.load(panel, 16);
        const a = v128.load32_splat(at);
        a0 = f32x4.add(a0, f32x4.mul(a, low));
        a1 = f32x4.add(a1, f32x4.mul(a, high));
        const b = v128.load32_splat(at + second);
        b0 = f32x4.add(b0, f32x4.mul(b, low));
        b1 = f32x4.add(b1, f32x4.mul(b, high));
        const c = v128.load32_splat(at + third);
        c0 = f32x4.add(c0, f32x4.mul(c, low));
        c1 = f32x4.add(c1, f32x4.mul(c, high));
        const d = v128.load32_splat(at + fourth);
        d0 = f32x4.add(d0, f32x4.mul(d, low));
        d1 = f32x4.add(d1, f32x4.mul(d, high));
        panel += 32;
      }
      put(target, a0, a1, mode);
      put(target + outBytes, b0, b1, mode);
      put(target + (outBytes << 1), c0, c1, mode);
      put(target + (outBytes << 1) + outBytes, d0, d1, mode);
      row += rowBytes << 2;
      target += outBytes << 2;
    }
    weights += rowBytes << 3;
  }
}
