/**
 * The rows that may be among the k nearest, by their bounds.
 *
 * The k-th smallest upper bound seen so far limits the answer: a row whose lower bound lies beyond it
 * cannot be in it. The limit only falls, so rows are refused against the limit of the moment, and once more
 * at the end against the last.
 */
import type { Bitset } from '../base/index.ts';
import { type BoundCoefficients, lowerBoundLimit } from './bounds.ts';
import { NearestHeap } from './nearest-heap.ts';

const START_CAPACITY = 256;

/**
 * What the bounds need to know of the rows: `factors` holds scale and residual of slot i at 2i and 2i + 1.
 */
export interface RowFactors {
  readonly factors: Float64Array;
  readonly norms: Float64Array;
}

/** Candidates in the order of their lower bounds, then of their slots. */
export interface Candidates {
  readonly slots: Uint32Array;
  readonly lowerBounds: Float64Array;
}

/** Collects candidates for the `k` nearest of the rows that are shown to it. */
export class Shortlist {
  readonly #coefficients: BoundCoefficients;
  readonly #rows: RowFactors;
  readonly #uppers: NearestHeap;
  #slots = new Uint32Array(START_CAPACITY);
  #lowers = new Float64Array(START_CAPACITY);
  #count = 0;
  #limit = Number.POSITIVE_INFINITY;

  constructor(k: number, coefficients: BoundCoefficients, rows: RowFactors) {
    this.#coefficients = coefficients;
    this.#rows = rows;
    this.#uppers = new NearestHeap(k);
  }

  /**
   * Looks at the slots from `first` on, `dots[i]` being that of `first + i`, skipping those not in
   * `allowed`.
   */
  addRun(dots: Int32Array, first: number, count: number, allowed: Bitset): void {
    const { base, normSquared, step, residual, norm, normSquaredMargin, constant } = this.#coefficients;
    const { factors, norms } = this.#rows;
    let limit = this.#limit;
    for (let i = 0; i < count; i++) {
      const slot = first + i;
      const n = norms[slot]!;
      const centre = base + normSquared * n * n - step * (factors[2 * slot]! * dots[i]!);
      const margin = residual * factors[2 * slot + 1]! + n * (norm + normSquaredMargin * n) + constant;
      // Membership is asked last: few rows get this far, and looking at every bit would cost as much as the
      // bounds.
      if (centre - margin <= limit && allowed.has(slot)) limit = this.#keep(slot, centre, margin);
    }
  }

  /** Looks at the first `count` of `slots`, `dots[i]` being that of `slots[i]`. */
  addList(dots: Int32Array, slots: Uint32Array, count: number): void {
    const { base, normSquared, step, residual, norm, normSquaredMargin, constant } = this.#coefficients;
    const { factors, norms } = this.#rows;
    let limit = this.#limit;
    for (let i = 0; i < count; i++) {
      const slot = slots[i]!;
      const n = norms[slot]!;
      const centre = base + normSquared * n * n - step * (factors[2 * slot]! * dots[i]!);
      const margin = residual * factors[2 * slot + 1]! + n * (norm + normSquaredMargin * n) + constant;
      if (centre - margin <= limit) limit = this.#keep(slot, centre, margin);
    }
  }

  /** The rows within the final limit. O(m log m) for m of them. */
  candidates(): Candidates {
    const lowers = this.#lowers;
    let kept = 0;
    for (let i = 0; i < this.#count; i++) if (lowers[i]! <= this.#limit) kept++;
    const order = new Uint32Array(kept);
    let next = 0;
    for (let i = 0; i < this.#count; i++) if (lowers[i]! <= this.#limit) order[next++] = i;
    // Rows were shown in the order of their slots, so the index settles ties of the bound.
    order.sort((a, b) => lowers[a]! - lowers[b]! || a - b);
    const slots = new Uint32Array(kept);
    const lowerBounds = new Float64Array(kept);
    for (let i = 0; i < kept; i++) {
      slots[i] = this.#slots[order[i]!]!;
      lowerBounds[i] = lowers[order[i]!]!;
    }
    return { slots, lowerBounds };
  }

  /** Notes a row and returns the limit, lowered if the row's upper bound is among the k smallest. */
  #keep(slot: number, centre: number, margin: number): number {
    if (this.#count === this.#slots.length) this.#grow();
    this.#slots[this.#count] = slot;
    this.#lowers[this.#count] = centre - margin;
    this.#count++;
    const uppers = this.#uppers;
    if (uppers.push(centre + margin, slot) && uppers.isFull) this.#limit = lowerBoundLimit(uppers.worstKey);
    return this.#limit;
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    const lowers = new Float64Array(slots.length);
    slots.set(this.#slots);
    lowers.set(this.#lowers);
    this.#slots = slots;
    this.#lowers = lowers;
  }
}
