/**
 * The vectors as they were given, in chunks, so that growing copies at most one chunk.
 *
 * A chunk holds a power of two of rows, about a megabyte. The first chunk starts with eight rows and
 * doubles up to that size, so that a collection of a few records stays small; every later chunk is made
 * whole (the system hands out its pages only when they are written).
 */
import { assert } from '../base/index.ts';

const CHUNK_FLOATS = 262_144;
const FIRST_ROWS = 8;

/**
 * Rows of `dimension` floats each, numbered from 0 without an upper bound. Rows never written are zeros.
 */
export class FloatRows {
  readonly #dimension: number;
  readonly #rowBits: number;
  readonly #chunks: Float32Array[] = [];
  #floatCount = 0;

  constructor(dimension: number) {
    this.#dimension = dimension;
    this.#rowBits = Math.floor(Math.log2(Math.max(FIRST_ROWS, CHUNK_FLOATS / dimension)));
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#floatCount * 4;
  }

  /** Makes room for the rows below `count`. */
  reserve(count: number): void {
    const rowsPerChunk = 2 ** this.#rowBits;
    if (this.#chunks.length <= 1 && count <= rowsPerChunk) {
      this.#growFirst(Math.min(rowsPerChunk, Math.max(FIRST_ROWS, 2 ** Math.ceil(Math.log2(count)))));
      return;
    }
    this.#growFirst(rowsPerChunk);
    while (this.#chunks.length * rowsPerChunk < count) this.#append(rowsPerChunk);
  }

  /** A view of one row, valid until the next `reserve`. The row must have been reserved. */
  row(slot: number): Float32Array {
    const chunk = this.#chunks[slot >>> this.#rowBits];
    const start = (slot & (2 ** this.#rowBits - 1)) * this.#dimension;
    assert(chunk !== undefined && start < chunk.length, 'A row beyond those reserved was asked for.');
    return chunk.subarray(start, start + this.#dimension);
  }

  #growFirst(rows: number): void {
    const first = this.#chunks[0];
    if (first === undefined) {
      this.#append(rows);
    } else if (first.length < rows * this.#dimension) {
      const grown = new Float32Array(rows * this.#dimension);
      grown.set(first);
      this.#chunks[0] = grown;
      this.#floatCount += grown.length - first.length;
    }
  }

  #append(rows: number): void {
    const chunk = new Float32Array(rows * this.#dimension);
    this.#chunks.push(chunk);
    this.#floatCount += chunk.length;
  }
}
