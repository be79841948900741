/**
 * The random rotation of a vector: rounds of random signs, each followed by a fast Hadamard transform.
 *
 * A transform needs a power of two. Where the width is none, the rounds transform the leading and the
 * trailing `span` floats in turns, span being the largest power of two within the width, and what lies
 * outside is only given signs. The factors of a round are ±1/√span inside the transformed part and ±1
 * outside, so every round is orthogonal and lengths are kept.
 *
 * `width` is a multiple of 32, `span` a power of two of at least 16.
 */

/** The transform of four floats within one register. */
// @ts-ignore: decorator
@inline
function transformFour(v: v128): v128 {
  const even = f32x4.shuffle(v, v, 0, 0, 2, 2);
  const odd = f32x4.shuffle(v, v, 1, 1, 3, 3);
  const pairs = f32x4.add(even, v128.xor(odd, i32x4(0, 0x80000000, 0, 0x80000000)));
  const low = f32x4.shuffle(pairs, pairs, 0, 1, 0, 1);
  const high = f32x4.shuffle(pairs, pairs, 2, 3, 2, 3);
  return f32x4.add(low, v128.xor(high, i32x4(0, 0, 0x80000000, 0x80000000)));
}

/** Two levels of the transform for four registers, written `stride` bytes apart from `at` on. */
// @ts-ignore: decorator
@inline
function storeCross(at: usize, stride: usize, a: v128, b: v128, c: v128, d: v128): void {
  const sumAb = f32x4.add(a, b);
  const sumCd = f32x4.add(c, d);
  const differenceAb = f32x4.sub(a, b);
  const differenceCd = f32x4.sub(c, d);
  v128.store(at, f32x4.add(sumAb, sumCd));
  v128.store(at + stride, f32x4.add(differenceAb, differenceCd));
  v128.store(at + 2 * stride, f32x4.sub(sumAb, sumCd));
  v128.store(at + 3 * stride, f32x4.sub(differenceAb, differenceCd));
}

/**
 * Hadamard transform of `span` floats in place, in the natural order, without scaling: four levels in one
 * pass over the floats, then two levels a pass, since loads and stores are what a level costs.
 */
// @ts-ignore: decorator
@inline
function transform(at: usize, span: u32): void {
  const bytes = <usize>span << 2;
  const end = at + bytes;
  for (let p = at; p < end; p += 64) {
    const a = transformFour(v128.load(p));
    const b = transformFour(v128.load(p, 16));
    const c = transformFour(v128.load(p, 32));
    const d = transformFour(v128.load(p, 48));
    storeCross(p, 16, a, b, c, d);
  }
  let stride: usize = 64;
  for (; stride << 1 < bytes; stride <<= 2) {
    for (let base = at; base < end; base += stride << 2) {
      const middle = base + stride;
      for (let p = base; p < middle; p += 16) {
        const a = v128.load(p);
        const b = v128.load(p + stride);
        const c = v128.load(p + 2 * stride);
        const d = v128.load(p + 3 * stride);
        storeCross(p, stride, a, b, c, d);
      }
    }
  }
  if (stride == bytes) return;
  const middle = at + stride;
  for (let p = at; p < middle; p += 16) {
    const a = v128.load(p);
    const b = v128.load(p + stride);
    v128.store(p, f32x4.add(a, b));
    v128.store(p + stride, f32x4.sub(a, b));
  }
}

/**
 * Rotates the `width` floats at `vector` in place, after multiplying them by `scale`. `factors` holds
 * `rounds` times `width` floats.
 */
export function rotate(
  vector: usize,
  factors: usize,
  width: u32,
  span: u32,
  rounds: u32,
  scale: f32,
): void {
  const bytes = <usize>width << 2;
  let size = f32x4.splat(scale);
  for (let round: u32 = 0; round < rounds; round++) {
    for (let i: usize = 0; i < bytes; i += 16) {
      const scaled = f32x4.mul(v128.load(vector + i), size);
      v128.store(vector + i, f32x4.mul(scaled, v128.load(factors + i)));
    }
    factors += bytes;
    size = f32x4.splat(1);
    transform(round & 1 ? vector + bytes - (<usize>span << 2) : vector, span);
  }
}
