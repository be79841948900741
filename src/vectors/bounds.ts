/**
 * What the integer dot product of two codes proves about the distance of the two vectors.
 *
 * A row is x = s·c + r and the query q = t·u + w, with integer codes c and u and residuals r and w. Then
 *
 *   x·q = s·t·(c·u) + s·c·w + r·q      and by Cauchy and Schwarz
 *   |x·q − s·t·(c·u)| ≤ (‖x‖ + ‖r‖)·‖w‖ + ‖r‖·‖q‖
 *
 * where c·u is exact, since integers do not round. Each distance is linear in x·q (l2: ‖x‖² + ‖q‖² − 2·x·q;
 * ip: 1 − x·q; cosine: the same with both vectors divided by their norms), so it has a centre and a margin,
 * and the true distance lies between centre − margin and centre + margin.
 *
 * Floats do round: the norms, the residuals, the centre and the exact distance itself. Sums of 16,384
 * products in float64 are off by at most 16,384 · 2^-53 ≈ 2e-12 of the product of the norms (Higham,
 * Accuracy and Stability of Numerical Algorithms, section 3.1); ROUNDING allows 500 times that.
 *
 * To make the loop over all rows the same for every space, the query is boiled down to coefficients:
 *
 *   centre = base + normSquared·n² − step·s·(c·u)
 *   margin = residual·‖r‖ + n·(norm + normSquaredMargin·n) + constant
 *
 * with n the norm of the row. In cosine space s and ‖r‖ are those of the normalised row and n plays no part.
 */
import type { Space } from '../api/index.ts';

const ROUNDING = 1e-9;
const FLOAT32_MAX = 3.4028234663852886e38;

/** The coefficients of centre and margin for one query. */
export interface BoundCoefficients {
  readonly base: number;
  readonly normSquared: number;
  readonly step: number;
  readonly residual: number;
  readonly norm: number;
  readonly normSquaredMargin: number;
  readonly constant: number;
}

/** Coefficients for a query with norm ‖q‖ `norm`, scale t `scale` and residual norm ‖w‖ `residual`. */
export function boundCoefficients(
  space: Space,
  query: { readonly norm: number; readonly scale: number; readonly residual: number },
): BoundCoefficients {
  const { norm, scale, residual } = query;
  if (space === 'l2') {
    return {
      base: norm * norm,
      normSquared: 1,
      step: 2 * scale,
      residual: 2 * (norm + residual),
      norm: 2 * residual,
      normSquaredMargin: 2 * ROUNDING,
      constant: 2 * ROUNDING * norm * norm,
    };
  }
  if (space === 'ip') {
    return {
      base: 1,
      normSquared: 0,
      step: scale,
      residual: norm + residual,
      norm: residual + ROUNDING * norm,
      normSquaredMargin: 0,
      constant: ROUNDING,
    };
  }
  const inverse = norm === 0 ? 0 : 1 / norm;
  return {
    base: 1,
    normSquared: 0,
    step: scale * inverse,
    // A query of zeros stays zeros when normalised: every distance is 1, and the bounds say so.
    residual: (norm + residual) * inverse,
    norm: 0,
    normSquaredMargin: 0,
    constant: residual * inverse + 4 * ROUNDING,
  };
}

/**
 * The largest lower bound that a row may have and still be in the answer, when k rows have upper bounds ≤
 * `upper`.
 *
 * Answers are ordered by distances rounded to float32, and rows with equal ones by slot. So a row a little
 * beyond `upper` may still tie with the k-th and win: the limit lies past every value that could round to
 * the same float32.
 */
export function lowerBoundLimit(upper: number): number {
  if (upper > FLOAT32_MAX) return Number.POSITIVE_INFINITY;
  if (upper < -FLOAT32_MAX) return -FLOAT32_MAX;
  return upper + Math.abs(upper) * 2 ** -22 + 2 ** -148;
}
