/**
 * Exact distances: what `l2`, `ip` and `cosine` mean, from sums in float64 to the float32 that callers get.
 */
import type { Space } from '../api/index.ts';

/**
 * The distance that follows from `sum`, rounded to float32: the squared distance of the two vectors for
 * `l2`, their dot product for the other spaces.
 *
 * Never NaN. A distance beyond float32 becomes infinite. In cosine space a vector of zeros is at distance 1
 * from every vector, and rounding is kept from leaving [0, 2].
 */
export function distanceFromSum(space: Space, sum: number, norm: number, queryNorm: number): number {
  if (space === 'l2') return Math.fround(sum);
  if (space === 'ip') return Math.fround(1 - sum);
  if (norm === 0 || queryNorm === 0) return 1;
  return Math.fround(1 - Math.max(-1, Math.min(1, sum / (norm * queryNorm))));
}
