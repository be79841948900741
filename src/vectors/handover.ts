/**
 * The source of vectors while they pass from one holder to another: those that the former holder still has
 * come from there, the others from where all come from.
 */
import type { Bitset } from '../base/index.ts';
import { NearestHeap } from './nearest-heap.ts';
import { VectorCache } from './vector-cache.ts';
import type { NearestSlots, VectorCacheOptions, VectorRows, VectorSource } from './vector-rows.ts';

/** See the top of this file. */
export class Handover implements VectorSource {
  #former: VectorRows | undefined;
  readonly #slots: Bitset;
  readonly #source: VectorSource;

  /** `slots` are those whose vectors `former` has; they are given over. */
  constructor(former: VectorRows, slots: Bitset, source: VectorSource) {
    this.#former = former;
    this.#slots = slots;
    this.#source = source;
  }

  get bytes(): number {
    return this.#former?.bytes ?? 0;
  }

  /** Notes that a slot has another vector by now. */
  forget(slot: number): void {
    this.#slots.delete(slot);
  }

  /** Lets go of the former holder. */
  finish(): void {
    this.#former = undefined;
  }

  /**
   * The `k` slots of `allowed`, which has `allowedCount` members, nearest to `query`: the former holder,
   * which has codes, looks among those that it has, and `rows` among the others. Exact.
   */
  search(
    rows: VectorRows,
    query: Float32Array,
    k: number,
    allowed: Bitset,
    allowedCount: number,
  ): NearestSlots {
    const former = this.#former;
    if (former === undefined) return rows.search(query, k, allowed, allowedCount);
    const here = allowed.clone().and(this.#slots);
    const hereCount = here.count();
    const found = former.search(query, k, here, hereCount);
    if (hereCount === allowedCount) return found;
    return nearestOf(k, found, rows.search(query, k, allowed.clone().andNot(here), allowedCount - hereCount));
  }

  /** The same for the first `count` of `candidates`, all different: exact among them. */
  rank(
    rows: VectorRows,
    query: Float32Array,
    k: number,
    candidates: Uint32Array,
    count: number,
  ): NearestSlots {
    const former = this.#former;
    if (former === undefined) return rows.rank(query, k, candidates, count);
    const parted = new Uint32Array(count);
    let [hereCount, from] = [0, count];
    for (let i = 0; i < count; i++) {
      if (this.#slots.has(candidates[i]!)) parted[hereCount++] = candidates[i]!;
      else parted[--from] = candidates[i]!;
    }
    const found = former.rank(query, k, parted, hereCount);
    if (hereCount === count) return found;
    return nearestOf(k, found, rows.rank(query, k, parted.subarray(hereCount), count - hereCount));
  }

  read(slots: Uint32Array, count: number, visit: (index: number, embedding: Float32Array) => void): void {
    const former = this.#former;
    if (former === undefined) {
      this.#source.read(slots, count, visit);
      return;
    }
    const elsewhere = new Uint32Array(count);
    const indices: number[] = [];
    for (let i = 0; i < count; i++) {
      if (this.#slots.has(slots[i]!)) visit(i, former.embeddingOf(slots[i]!));
      else elsewhere[indices.push(i) - 1] = slots[i]!;
    }
    if (indices.length === 0) return;
    this.#source.read(elsewhere, indices.length, (i, embedding) => visit(indices[i]!, embedding));
  }
}

/** The `k` nearest of two answers that have no slot in common. */
function nearestOf(k: number, left: NearestSlots, right: NearestSlots): NearestSlots {
  const nearest = new NearestHeap(Math.max(1, Math.min(k, left.slots.length + right.slots.length)));
  for (const { slots, distances } of [left, right]) {
    slots.forEach((slot, i) => void nearest.push(distances[i]!, slot));
  }
  const { slots, keys } = nearest.drain();
  return {
    slots,
    distances: Float32Array.from(keys),
    scanned: left.scanned + right.scanned,
    reranked: left.reranked + right.reranked,
    read: left.read + right.read,
  };
}

/**
 * A cache that takes the place of `former` with its vectors, those of `live`: copied at once where nothing
 * else has them, and otherwise little by little, since that would keep queries waiting.
 */
export function handOver(
  former: VectorRows,
  live: Bitset,
  options: VectorCacheOptions,
): { readonly rows: VectorCache; readonly handover: Handover | undefined } {
  const { source } = options;
  const liveCount = live.count();
  const handover =
    source === undefined || liveCount === 0 ? undefined : new Handover(former, live.clone(), source);
  const rows = new VectorCache({ ...options, source: handover ?? source });
  rows.reserve(liveCount);
  live.forEach((slot) => {
    if (source === undefined) rows.set(slot, former.embeddingOf(slot));
    else rows.announce(slot);
  });
  return { rows, handover };
}
