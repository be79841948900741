/**
 * Rows under work: a batch of vectors, rotated and moved, that cells are asked for, or made of.
 *
 * Whoever fills the batch finds it so until the next fills it; searches leave it alone.
 */
import { FIELD, rowsFor } from './cell-layout.ts';
import type { CellMemory } from './cell-memory.ts';

/** See the top of this file. Rows are numbered from 0. */
export class CellRows {
  /** How many rows there may be. */
  readonly capacity: number;
  readonly #dimension: number;
  readonly #memory: CellMemory;
  /** What `raw` has given, while the memory is the same. */
  #raws: Float32Array[] = [];

  constructor(dimension: number, memory: CellMemory) {
    this.#dimension = dimension;
    this.#memory = memory;
    this.capacity = rowsFor(memory.width);
  }

  /** Where the caller of `load` puts row `index`, unrotated; valid until the memory grows. */
  raw(index: number): Float32Array {
    const { buffer } = this.#memory.floats;
    // To make a view takes as long as to copy a vector into it.
    if (this.#raws[0]?.buffer !== buffer) {
      const rows = Array.from({ length: this.capacity }, (_, i) => i);
      this.#raws = rows.map((row) => new Float32Array(buffer, this.addressOf(row), this.#dimension));
    }
    return this.#raws[index]!;
  }

  /** Says what row `index` is to be multiplied by. */
  setScale(index: number, scale: number): void {
    this.#memory.floats[this.#memory.at.scales / 4 + index] = scale;
  }

  /** Multiplies the first `count` rows by their scales, rotates them and moves them by the mean. */
  load(count: number): void {
    const { at, calls, rotation } = this.#memory;
    const { width, span, rounds } = rotation;
    this.#pad(count);
    calls.loadRows(at.rows, count, at.factors, width, span, rounds, at.mean, at.scales, at.squares);
  }

  /** Row `index`, loaded. */
  at(index: number): Float32Array {
    return this.#memory.vector(this.addressOf(index));
  }

  /** Squared norm of a loaded row. */
  squareOf(index: number): number {
    return this.#memory.floats[this.#memory.at.squares / 4 + index]!;
  }

  addressOf(index: number): number {
    return this.#memory.at.rows + 4 * this.#memory.width * index;
  }

  /**
   * The cell whose centre is nearest to each of the first `count` rows, among `cells`, at least one, if
   * given; 2³² − 1 where there is no cell. Valid until the next call.
   */
  nearest(count: number, cells?: Uint32Array): Uint32Array {
    const memory = this.#memory;
    const { at, calls } = memory;
    if (cells !== undefined) memory.words.set(cells, memory.words[at.request / 4 + FIELD.list]! / 4);
    calls.nearestCells(at.request, at.rows, count, cells?.length ?? 0, at.nearest);
    return new Uint32Array(memory.words.buffer, at.nearest, count);
  }

  /** Products of the first `count` rows with `direction`, valid until the next search or call. */
  project(direction: Float32Array, count: number): Float32Array {
    const { at, calls, width, floats } = this.#memory;
    this.#memory.vector(at.direction).set(direction);
    calls.project(at.rows, count, width, at.direction, at.best);
    return floats.subarray(at.best / 4, at.best / 4 + count);
  }

  /** Where two centres are between which rows are divided. */
  get halves(): { readonly left: Float32Array; readonly right: Float32Array } {
    const { at } = this.#memory;
    return { left: this.#memory.vector(at.left), right: this.#memory.vector(at.right) };
  }

  /** What leads from the left of the halves to the right. */
  get direction(): Float32Array {
    return this.#memory.vector(this.#memory.at.direction);
  }

  /**
   * Products of the first `count` rows with the direction from the left of the halves to the right, valid
   * until the next search or call, and the product that lies in the middle.
   */
  projectBetween(count: number): { readonly sides: Float32Array; readonly middle: number } {
    const { at, calls, width, floats } = this.#memory;
    const middle = calls.projectBetween(at.rows, count, width, at.left, at.right, at.direction, at.best);
    return { sides: floats.subarray(at.best / 4, at.best / 4 + count), middle };
  }

  /** Makes the halves the means of the rows on either side of `threshold`, by the last `projectBetween`. */
  moveHalves(count: number, threshold: number): void {
    const { at, calls, width } = this.#memory;
    calls.meansOfHalves(at.rows, count, width, at.best, threshold, at.left, at.right);
  }

  /** Adds a row to the sum that `takeSum` returns. */
  addToSum(index: number): void {
    const { at, calls, width } = this.#memory;
    calls.addScaled(at.sum, this.addressOf(index), width, 1);
  }

  /** The sum of the rows added since the last call, which is zeros again. */
  takeSum(): Float32Array {
    const view = this.#memory.vector(this.#memory.at.sum);
    const sum = view.slice();
    view.fill(0);
    return sum;
  }

  /** What lies beyond the dimension counts as zeros. */
  #pad(count: number): void {
    const { width } = this.#memory;
    if (this.#dimension === width) return;
    for (let i = 0; i < count; i++) this.at(i).fill(0, this.#dimension);
  }
}
