/**
 * The rows that may be among the k nearest, by their bounds.
 *
 * The k-th smallest upper bound seen so far limits the answer: a row whose lower bound lies beyond it
 * cannot be in it. The limit only falls, so rows are refused against the limit of the moment, and once more
 * at the end against the last.
 */
import { lowerBoundLimit } from './bounds.ts';
import { NearestHeap } from './nearest-heap.ts';

const START_CAPACITY = 256;

/** Candidates in the order of their lower bounds, then of their slots. */
export interface Candidates {
  readonly slots: Uint32Array;
  readonly lowerBounds: Float64Array;
}

/** Collects candidates for the `k` nearest of the rows that are shown to it. */
export class Shortlist {
  #uppers: NearestHeap;
  #slots = new Uint32Array(START_CAPACITY);
  #lowers = new Float64Array(START_CAPACITY);
  #count = 0;
  #limit = Number.POSITIVE_INFINITY;

  constructor(k: number) {
    this.#uppers = new NearestHeap(k);
  }

  /**
   * Begins anew, for the `k` nearest of other rows, in the memory that is there. Rows beyond `farthest`, a
   * distance, are not asked for; by default all are.
   */
  restart(k: number, farthest: number = Number.POSITIVE_INFINITY): void {
    if (this.#uppers.capacity === k) this.#uppers.clear();
    else this.#uppers = new NearestHeap(k);
    this.#count = 0;
    this.#limit = lowerBoundLimit(farthest);
  }

  /** A row with a lower bound beyond this cannot be among the k nearest. Falls as rows are kept. */
  get limit(): number {
    return this.#limit;
  }

  /**
   * Notes a row whose distance lies between `centre − margin`, which is not beyond the limit, and `centre +
   * margin`. Returns the limit, lowered if the row's upper bound is among the k smallest.
   */
  keep(slot: number, centre: number, margin: number): number {
    if (this.#count === this.#slots.length) this.#grow();
    this.#slots[this.#count] = slot;
    this.#lowers[this.#count] = centre - margin;
    this.#count++;
    const uppers = this.#uppers;
    if (uppers.push(centre + margin, slot) && uppers.isFull) {
      this.#limit = Math.min(this.#limit, lowerBoundLimit(uppers.worstKey));
    }
    return this.#limit;
  }

  /** Notes a row of which nothing is known but that it has a distance. */
  keepAlways(slot: number): void {
    if (this.#count === this.#slots.length) this.#grow();
    this.#slots[this.#count] = slot;
    this.#lowers[this.#count] = Number.NEGATIVE_INFINITY;
    this.#count++;
  }

  /** The rows within the final limit. O(m log m) for m of them. */
  candidates(): Candidates {
    const lowers = this.#lowers;
    let kept = 0;
    for (let i = 0; i < this.#count; i++) if (lowers[i]! <= this.#limit) kept++;
    const order = new Uint32Array(kept);
    let next = 0;
    for (let i = 0; i < this.#count; i++) if (lowers[i]! <= this.#limit) order[next++] = i;
    order.sort((a, b) => lowers[a]! - lowers[b]! || this.#slots[a]! - this.#slots[b]!);
    const slots = new Uint32Array(kept);
    const lowerBounds = new Float64Array(kept);
    for (let i = 0; i < kept; i++) {
      slots[i] = this.#slots[order[i]!]!;
      lowerBounds[i] = lowers[order[i]!]!;
    }
    return { slots, lowerBounds };
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
