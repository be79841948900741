/**
 * The arrays of one key: all elements, as codes, in one pool; each slot knows where its part begins and how
 * long it is.
 *
 *   starts   slot → first element in the pool      pool   …│ 7 2 9 │ 2 │ (garbage) │ 7 7 │…
 *   lengths  slot → number of elements
 *
 * Elements are coded with their type, since `$contains` tells the integer 1 from the float 1.0. A part that
 * is given up stays as garbage until there is more garbage than content; then the pool is written anew.
 */

import type { Scalar } from '../api/index.ts';
import type { Bitset } from '../base/index.ts';
import { Dictionary } from './dictionary.ts';
import { grownLength, matchWords } from './slot-arrays.ts';

/** Garbage below this count of elements is not worth a rewrite. */
const GARBAGE_COUNT_MIN = 4_096;

/** See the top of this file. */
export class ArrayValues {
  readonly #dictionary = new Dictionary();
  #starts = new Uint32Array(0);
  #lengths = new Uint32Array(0);
  #pool = new Uint32Array(0);
  #poolEnd = 0;
  #garbageCount = 0;

  get bytes(): number {
    const arrays = this.#starts.byteLength + this.#lengths.byteLength + this.#pool.byteLength;
    return arrays + this.#dictionary.bytes;
  }

  set(slot: number, elements: readonly Scalar[]): void {
    if (slot >= this.#starts.length) {
      const length = grownLength(this.#starts.length, slot);
      this.#starts = copyOf(this.#starts, length);
      this.#lengths = copyOf(this.#lengths, length);
    }
    const end = this.#poolEnd + elements.length;
    if (end > this.#pool.length) this.#pool = copyOf(this.#pool, grownLength(this.#pool.length, end));
    this.#starts[slot] = this.#poolEnd;
    this.#lengths[slot] = elements.length;
    for (const element of elements) this.#pool[this.#poolEnd++] = this.#dictionary.acquire(spell(element));
  }

  /** Whether the slot has these elements, in this order. */
  holds(slot: number, elements: readonly Scalar[]): boolean {
    const start = this.#starts[slot]!;
    return (
      this.#lengths[slot] === elements.length &&
      elements.every((element, i) => this.#pool[start + i] === this.#dictionary.codeOf(spell(element)))
    );
  }

  clear(slot: number): void {
    const start = this.#starts[slot]!;
    const length = this.#lengths[slot]!;
    for (let i = start; i < start + length; i++) this.#dictionary.release(this.#pool[i]!);
    this.#lengths[slot] = 0;
    this.#garbageCount += length;
    if (this.#garbageCount > Math.max(GARBAGE_COUNT_MIN, this.#poolEnd / 2)) this.#rewritePool();
  }

  /** Adds the slots of `within` whose array has an element of this type and value. */
  matchElement(element: Scalar, within: Bitset, into: Bitset): void {
    const wanted = this.#dictionary.codeOf(spell(element));
    if (wanted === 0) return;
    const [starts, lengths, pool] = [this.#starts, this.#lengths, this.#pool];
    matchWords(within.words, into.words, starts.length, (firstSlot) => {
      let bits = 0;
      for (let bit = 0; bit < 32; bit++) {
        const start = starts[firstSlot + bit]!;
        const end = start + lengths[firstSlot + bit]!;
        for (let i = start; i < end; i++) bits |= +(pool[i] === wanted) << bit;
      }
      return bits;
    });
  }

  #rewritePool(): void {
    const pool = new Uint32Array(grownLength(0, this.#poolEnd - this.#garbageCount));
    let end = 0;
    for (let slot = 0; slot < this.#starts.length; slot++) {
      const start = this.#starts[slot]!;
      const length = this.#lengths[slot]!;
      pool.set(this.#pool.subarray(start, start + length), end);
      this.#starts[slot] = end;
      end += length;
    }
    this.#pool = pool;
    this.#poolEnd = end;
    this.#garbageCount = 0;
  }
}

function copyOf(source: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const copy = new Uint32Array(length);
  copy.set(source);
  return copy;
}

/**
 * An element's type and value as one string. Integers read the same whether they come as number or as
 * `bigint`.
 */
function spell(element: Scalar): string {
  return element.type[0] + String(element.value);
}
