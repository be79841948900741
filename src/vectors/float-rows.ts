/** A few vectors as they were given, in one array that doubles: a collection of a few records stays small. */
import { assert } from '../base/index.ts';

const FIRST_ROWS = 8;

/**
 * Rows of `dimension` floats each, numbered from 0. Rows never written are zeros. Growing copies them all, so
 * that it is not for many.
 */
export class FloatRows {
  readonly #dimension: number;
  #floats = new Float32Array(0);

  constructor(dimension: number) {
    this.#dimension = dimension;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#floats.byteLength;
  }

  /** Makes room for the rows below `count`. */
  reserve(count: number): void {
    if (count * this.#dimension <= this.#floats.length) return;
    const rows = Math.max(FIRST_ROWS, 2 ** Math.ceil(Math.log2(count)));
    const grown = new Float32Array(rows * this.#dimension);
    grown.set(this.#floats);
    this.#floats = grown;
  }

  /** Drops all rows. */
  clear(): void {
    this.#floats = new Float32Array(0);
  }

  /** A view of one row, valid until the next `reserve`. The row must have been reserved. */
  row(slot: number): Float32Array {
    const start = slot * this.#dimension;
    assert(start < this.#floats.length, 'A row beyond those reserved was asked for.');
    return this.#floats.subarray(start, start + this.#dimension);
  }
}
