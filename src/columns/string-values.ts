/** The strings of one key: a code by slot, so that comparing strings is comparing integers. */
import type { Bitset } from '../base/index.ts';
import { Dictionary } from './dictionary.ts';
import { grownLength, matchWords } from './slot-arrays.ts';

/** See the top of this file. */
export class StringValues {
  readonly #dictionary = new Dictionary();
  /** 0 where the slot has no string. */
  #codes = new Uint32Array(0);

  /** Slots that there is room for once there is a value. */
  readonly #slotCount: number;

  constructor(slotCount: number) {
    this.#slotCount = slotCount;
  }

  get bytes(): number {
    return this.#codes.byteLength + this.#dictionary.bytes;
  }

  set(slot: number, value: string): void {
    if (slot >= this.#codes.length) {
      const grown = new Uint32Array(grownLength(this.#codes.length, slot, this.#slotCount));
      grown.set(this.#codes);
      this.#codes = grown;
    }
    this.#codes[slot] = this.#dictionary.acquire(value);
  }

  /** Whether the slot has this string. */
  holds(slot: number, value: string): boolean {
    const code = this.#dictionary.codeOf(value);
    return code !== 0 && this.#codes[slot] === code;
  }

  clear(slot: number): void {
    this.#dictionary.release(this.#codes[slot]!);
    this.#codes[slot] = 0;
  }

  /** Adds the slots of `within` whose string is one of the operands. */
  matchAny(operands: readonly string[], within: Bitset, into: Bitset): void {
    const wanted = operands.map((operand) => this.#dictionary.codeOf(operand)).filter((code) => code !== 0);
    if (wanted.length === 0) return;
    const codes = this.#codes;
    if (wanted.length === 1) {
      const code = wanted[0]!;
      matchWords(within.words, into.words, codes.length, (firstSlot) => {
        let bits = 0;
        for (let bit = 0; bit < 32; bit++) bits |= +(codes[firstSlot + bit] === code) << bit;
        return bits;
      });
      return;
    }
    const isWanted = new Uint8Array(this.#dictionary.codeEnd);
    for (const code of wanted) isWanted[code] = 1;
    matchWords(within.words, into.words, codes.length, (firstSlot) => {
      let bits = 0;
      for (let bit = 0; bit < 32; bit++) bits |= isWanted[codes[firstSlot + bit]!]! << bit;
      return bits;
    });
  }
}
