/**
 * Queries that were asked, to measure recall on: no sample of the rows lies quite as queries do.
 *
 * Each has about the same chance of being among those kept (Vitter's reservoir), until there were `MEMORY`
 * times as many; from then on the chance of an older one falls, so that it is not the queries of long ago
 * that decide. One that is kept is not kept twice.
 */
import { isSameVector } from './vector-rows.ts';

/** Not tuned. */
const MEMORY = 16;

/** See the top of this file. */
export class AskedQueries {
  readonly #capacity: number;
  readonly #random: () => number;
  readonly #kept: Float32Array[] = [];
  #seen = 0;

  constructor(capacity: number, random: () => number) {
    this.#capacity = capacity;
    this.#random = random;
  }

  /** Bytes of memory held. */
  get bytes(): number {
    return this.#kept.length * (this.#kept[0]?.byteLength ?? 0);
  }

  /** Whether as many are kept as there is room for. */
  get isFull(): boolean {
    return this.#kept.length === this.#capacity;
  }

  /** Keeps a copy of a query, perhaps. */
  note(query: Float32Array): void {
    this.#seen = Math.min(this.#seen + 1, MEMORY * this.#capacity);
    const place = this.isFull ? Math.floor(this.#random() * this.#seen) : this.#kept.length;
    if (place >= this.#capacity || this.#kept.some((other) => isSameVector(other, query))) return;
    this.#kept[place] = query.slice();
  }

  /** Those kept. */
  list(): Float32Array[] {
    return this.#kept.slice();
  }
}
