/**
 * The random rotation that the one-bit codes need: it spreads whatever a vector is made of evenly over all
 * components, so that signs alone say much about it, and makes the errors of the codes independent of the
 * data (Gao & Long, RaBitQ, SIGMOD 2024).
 *
 * A dense random rotation costs width² products a vector. Random signs followed by a Hadamard transform,
 * twice, are nearly as good at width · log2(width) (Ailon & Chazelle, STOC 2006). Widths that are no power
 * of two are covered by transforms of the leading and the trailing part in turns, twice each.
 */

/** What `Kernel.calls.rotate` takes. */
export interface Rotation {
  /** The dimension rounded up to a multiple of 32. */
  readonly width: number;
  /** The part that one round transforms: the largest power of two within the width. */
  readonly span: number;
  readonly rounds: number;
  /** `rounds` times `width` factors. */
  readonly factors: Float32Array;
}

/** The width of what is rotated, for vectors of `dimension`. */
export function widthFor(dimension: number): number {
  return Math.ceil(dimension / 32) * 32;
}

/** A rotation for vectors of `dimension`; the same numbers from `random` give the same rotation. */
export function makeRotation(dimension: number, random: () => number): Rotation {
  const width = widthFor(dimension);
  const span = 2 ** Math.floor(Math.log2(width));
  const rounds = span === width ? 2 : 4;
  const factors = new Float32Array(rounds * width);
  const inside = 1 / Math.sqrt(span);
  for (let round = 0; round < rounds; round++) {
    const start = round % 2 === 1 ? width - span : 0;
    for (let i = 0; i < width; i++) {
      const size = i >= start && i < start + span ? inside : 1;
      factors[round * width + i] = random() < 0.5 ? -size : size;
    }
  }
  return { width, span, rounds, factors };
}
