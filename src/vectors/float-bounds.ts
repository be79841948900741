/**
 * What a sum in float32 proves about a distance: the loop that every row passes through which is ranked by
 * its floats.
 *
 * A sum is off by at most as many roundings of the sum of its terms' absolute values as the terms of a part
 * of it, and a few for putting the parts together (kernel/assembly/row-sums.ts, together.ts). For products
 * that sum is at most ‖row‖·‖query‖, for squared differences it is the result itself. So the distance lies
 * between centre − margin and centre + margin.
 */
import type { Space } from '../api/index.ts';
import type { Shortlist } from './shortlist.ts';

const FLOAT32_EPSILON = 2 ** -24;
const FLOAT32_LEAST = 2 ** -149;
/** Margin for the few roundings in float64 that turn a sum into a distance. */
const ROUNDING = 1e-9;

/** Rows by their place in a batch: slots, norms and sums with the query. */
export interface SummedRows {
  readonly slots: Uint32Array;
  readonly norms: Float64Array;
  readonly sums: Float32Array;
}

/** Shows the rows of a batch to a shortlist. */
export class FloatBounds {
  readonly #space: Space;
  readonly #width: number;

  /** `width` is the number of terms of a sum. */
  constructor(space: Space, width: number) {
    this.#space = space;
    this.#width = width;
  }

  /** Shows the first `count` rows, whose sums from `offset` on were added up in `parts`. */
  show(
    { slots, norms, sums }: SummedRows,
    batch: { readonly count: number; readonly offset: number; readonly parts: number },
    queryNorm: number,
    shortlist: Shortlist,
  ): void {
    const { count, offset, parts } = batch;
    const slack = (this.#width / parts + 8) * FLOAT32_EPSILON;
    const isL2 = this.#space === 'l2';
    const isIp = this.#space === 'ip';
    const isQueryOrdinary = isOrdinary(queryNorm);
    let { limit } = shortlist;
    for (let i = 0; i < count; i++) {
      const norm = norms[i]!;
      let centre = sums[offset + i]!;
      let margin: number;
      if (isL2) {
        // Squares that vanish are off by less than the least float32 each.
        margin = slack * centre + this.#width * FLOAT32_LEAST;
      } else if (isIp) {
        margin = slack * norm * queryNorm + ROUNDING;
        centre = 1 - centre;
      } else {
        margin = slack + ROUNDING;
        const product = norm * queryNorm;
        centre = product === 0 ? 1 : 1 - centre / product;
      }
      // What overflowed, or nearly vanished, says nothing: such a row is always ranked exactly.
      if (!isQueryOrdinary || !isOrdinary(norm) || !Number.isFinite(centre + margin)) {
        shortlist.keepAlways(slots[i]!);
      } else if (centre - margin <= limit) limit = shortlist.keep(slots[i]!, centre, margin);
    }
  }
}

/** Whether squares of such a length neither overflow nor lose digits in float32. */
function isOrdinary(norm: number): boolean {
  return norm > 1e-15 && norm < 1e15;
}
