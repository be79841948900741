/**
 * Vectors in one WebAssembly memory, where the kernels reach them: rows of floats, and before them the places
 * for queries and for what the kernels say of rows.
 *
 * A flat index has its vectors here once they have codes, and the cache that takes its place takes the memory
 * over as it is. To write 32,768 vectors of 512 dimensions anew is to touch 64 MB of new memory.
 *
 *   offset                       field
 *   0                            query             f32 × width
 *   4·width                      scores            f32 × BATCH
 *   4·width + 4·BATCH            places            u32 × BATCH
 *   4·width + 8·BATCH            row just read     f32 × width
 *   8·width + 8·BATCH            several queries   f32 × width × TOGETHER
 *   …                            rows              f32 × width for place 0, then place 1, …
 *
 * `width` is the dimension rounded up to a multiple of 8, and what lies beyond the dimension stays zero.
 */
import { assert } from '../base/index.ts';
import { Kernel, type KernelCalls, RESERVED_SHARE } from '../kernel/index.ts';

/** Rows for one call of a kernel. */
export const BATCH = 1024;
/** Queries that have a place at the same time. */
export const TOGETHER = 64;

/** See the top of this file. Views are replaced by `reserve`. */
export class RowMemory {
  readonly width: number;
  readonly calls: KernelCalls;
  /** Where place 0 is. */
  readonly rowsAt: number;
  query!: Float32Array;
  scores!: Float32Array;
  places!: Uint32Array;
  /** A row that has no place. */
  row!: Float32Array;
  #floats!: Float32Array;
  readonly #dimension: number;
  readonly #kernel: Kernel;

  constructor(dimension: number) {
    this.#dimension = dimension;
    this.width = Math.ceil(dimension / 8) * 8;
    this.rowsAt = (8 + 4 * TOGETHER) * this.width + 8 * BATCH;
    this.#kernel = new Kernel(this.rowsAt);
    this.calls = this.#kernel.calls;
    this.#bind();
  }

  /** Makes room for the places below `count`. Errors: `TESSERA_LIMIT_EXCEEDED`, with nothing changed. */
  reserve(count: number): void {
    const needed = this.addressOf(count);
    if (this.#kernel.reserve(needed, needed * (1 + RESERVED_SHARE))) this.#bind();
  }

  /** Bytes of so many places. */
  bytesOf(count: number): number {
    return 4 * count * this.width;
  }

  /** Where a place is: as many bytes lie before it. */
  addressOf(place: number): number {
    return this.rowsAt + this.bytesOf(place);
  }

  /** A view of the vector at a place. */
  at(place: number): Float32Array {
    const start = this.addressOf(place) / 4;
    return this.#floats.subarray(start, start + this.#dimension);
  }

  /** Writes the vector of a place that there is room for. */
  put(place: number, vector: Float32Array): void {
    this.#floats.set(vector, this.addressOf(place) / 4);
  }

  /** Makes the places from `first` up to `end` zeros. */
  clear(first: number, end: number): void {
    this.#floats.fill(0, this.addressOf(first) / 4, this.addressOf(end) / 4);
  }

  /** Length in float64 of the vector at an address. */
  normAt(address: number): number {
    const norm = Math.sqrt(this.calls.dot(address, address, this.width));
    assert(Number.isFinite(norm), 'A vector with a component that is not finite came as far as the index.');
    return norm;
  }

  /** Puts a query where the kernels find it; returns its length. */
  loadQuery(query: Float32Array): number {
    this.query.set(query);
    return this.normAt(0);
  }

  /** Puts a query at one of the places for several; returns its length. */
  loadQueryOf(query: Float32Array, i: number): number {
    this.#floats.set(query, this.queryAt(i) / 4);
    return this.normAt(this.queryAt(i));
  }

  /** Where one of several queries is. */
  queryAt(i: number): number {
    return 8 * this.width + 8 * BATCH + 4 * i * this.width;
  }

  /** Puts a row that has no place where the kernels find it; returns its length. */
  loadRow(row: Float32Array): number {
    this.row.set(row);
    return this.normAt(this.row.byteOffset);
  }

  #bind(): void {
    const { buffer } = this.#kernel;
    const width = this.width;
    this.query = new Float32Array(buffer, 0, this.#dimension);
    this.scores = new Float32Array(buffer, 4 * width, BATCH);
    this.places = new Uint32Array(buffer, 4 * width + 4 * BATCH, BATCH);
    this.row = new Float32Array(buffer, 4 * width + 8 * BATCH, this.#dimension);
    this.#floats = new Float32Array(buffer);
  }
}

/** Vectors by slot, slot i at place i, and their lengths: what one holder gives over to the next. */
export interface HeldRows {
  readonly memory: RowMemory;
  readonly norms: Float64Array;
  readonly slotCount: number;
}
