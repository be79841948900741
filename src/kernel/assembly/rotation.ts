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

/** Hadamard transform of `span` floats in place, in the natural order, without scaling. */
// @ts-ignore: decorator
@inline
function transform(at: usize, span: u32): void {
  const end = at + (span << 2);
  // The first two levels stay within one register.
  for (let p = at; p < end; p += 16) {
    let v = v128.load(p);
    const even = f32x4.shuffle(v, v, 0, 0, 2, 2);
    const odd = f32x4.shuffle(v, v, 1, 1, 3, 3);
    v = f32x4.add(even, v128.xor(odd, i32x4(0, 0x80000000, 0, 0x80000000)));
    const low = f32x4.shuffle(v, v, 0, 1, 0, 1);
    const high = f32x4.shuffle(v, v, 2, 3, 2, 3);
    v128.store(p, f32x4.add(low, v128.xor(high, i32x4(0, 0, 0x80000000, 0x80000000))));
  }
  for (let half: usize = 16; half < <usize>span << 2; half <<= 1) {
    for (let base = at; base < end; base += half << 1) {
      const middle = base + half;
      for (let p = base; p < middle; p += 16) {
        const a = v128.load(p);
        const b = v128.load(p + half);
        v128.store(p, f32x4.add(a, b));
        v128.store(p + half, f32x4.sub(a, b));
      }
    }
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
