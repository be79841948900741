/** The vector index by itself, without records around it, for benchmarks that compare it with libraries. */
import { Bitset, seededNumbers } from '../dist/base/index.js';
import { ClusteredIndex } from '../dist/vectors/index.js';
import { DIMENSION } from './dataset.mjs';
import { now } from './measure.mjs';

/** Length of the slices that the index is worked on in, as the engine does between queries. */
const SLICE_MS = 3;

/** An index over slots 0 to `capacity`, for cosines. Searches ask for `recall`, which may be set. */
export class OwnIndex {
  #index;
  #live;
  #liveCount = 0;
  recall = 0.99;

  constructor(capacity, seed) {
    this.#index = new ClusteredIndex({ space: 'cosine', dimension: DIMENSION, random: seededNumbers(seed) });
    this.#live = new Bitset(capacity);
  }

  set(slot, embedding) {
    this.#index.set(slot, embedding);
    if (!this.#live.has(slot)) this.#liveCount++;
    this.#live.add(slot);
  }

  remove(slot) {
    if (!this.#index.remove(slot)) return;
    this.#liveCount--;
    this.#live.delete(slot);
  }

  /** Takes in the rows that wait; with `isFinal` also does what is otherwise left to idle times. */
  absorb(isFinal) {
    while (this.#index.maintain(SLICE_MS, now)) {
      if (!isFinal && this.#index.statistics().tailCount === 0) break;
    }
  }

  /** Slots, nearest first. */
  search(query, k, allowed = this.#live, allowedCount = this.#liveCount) {
    return this.#index.search(query, k, allowed, allowedCount, { recall: this.recall }).slots;
  }

  statistics() {
    return this.#index.statistics();
  }
}

/** A set of slots with the number of its members, for `OwnIndex.search`. */
export function allow(slots, capacity) {
  const allowed = new Bitset(capacity);
  for (const slot of slots) allowed.add(slot);
  return { allowed, allowedCount: allowed.count() };
}
