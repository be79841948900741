/** From dots of codes to a shortlist: the loops that every row passes through, by the bounds of bounds.ts. */
import type { Bitset } from '../base/index.ts';
import type { BoundCoefficients } from './bounds.ts';
import type { Shortlist } from './shortlist.ts';

/**
 * What the bounds need to know of the rows: `factors` holds scale and residual of slot i at 2i and 2i + 1.
 */
export interface RowFactors {
  readonly factors: Float64Array;
  readonly norms: Float64Array;
}

/** Shows dots of codes to a shortlist. */
export class CodeScan {
  readonly #shortlist: Shortlist;
  readonly #coefficients: BoundCoefficients;
  readonly #rows: RowFactors;

  constructor(shortlist: Shortlist, coefficients: BoundCoefficients, rows: RowFactors) {
    this.#shortlist = shortlist;
    this.#coefficients = coefficients;
    this.#rows = rows;
  }

  /**
   * Looks at the slots from `first` on, `dots[i]` being that of `first + i`, skipping those not in
   * `allowed`.
   */
  addRun(dots: Int32Array, first: number, count: number, allowed: Bitset): void {
    const { base, normSquared, step, residual, norm, normSquaredMargin, constant } = this.#coefficients;
    const { factors, norms } = this.#rows;
    let { limit } = this.#shortlist;
    for (let i = 0; i < count; i++) {
      const slot = first + i;
      const n = norms[slot]!;
      const centre = base + normSquared * n * n - step * (factors[2 * slot]! * dots[i]!);
      const margin = residual * factors[2 * slot + 1]! + n * (norm + normSquaredMargin * n) + constant;
      // Membership is asked last: few rows get this far, and looking at every bit would cost as much as the
      // bounds.
      if (centre - margin <= limit && allowed.has(slot)) limit = this.#shortlist.keep(slot, centre, margin);
    }
  }

  /** Looks at the first `count` of `slots`, `dots[i]` being that of `slots[i]`. */
  addList(dots: Int32Array, slots: Uint32Array, count: number): void {
    const { base, normSquared, step, residual, norm, normSquaredMargin, constant } = this.#coefficients;
    const { factors, norms } = this.#rows;
    let { limit } = this.#shortlist;
    for (let i = 0; i < count; i++) {
      const slot = slots[i]!;
      const n = norms[slot]!;
      const centre = base + normSquared * n * n - step * (factors[2 * slot]! * dots[i]!);
      const margin = residual * factors[2 * slot + 1]! + n * (norm + normSquaredMargin * n) + constant;
      if (centre - margin <= limit) limit = this.#shortlist.keep(slot, centre, margin);
    }
  }
}
