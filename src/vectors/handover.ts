/**
 * The source of vectors while they pass from one holder to another: those that the former holder still has
 * come from there, the others from where all come from.
 */
import type { Bitset } from '../base/index.ts';
import { VectorCache } from './vector-cache.ts';
import type { VectorCacheOptions, VectorRows, VectorSource } from './vector-rows.ts';

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
