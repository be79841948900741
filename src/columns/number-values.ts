/**
 * The numbers of one key: doubles by slot, plus the few integers that no double equals.
 *
 * Filters compare integers and floats by mathematical value, and integers have 64 bits. A double holds every
 * integer up to 2^53 and some beyond; the others stand in a map beside the array and are compared as
 * `bigint`. Every comparison of doubles is a closed range [low, high], so that one loop serves all operators:
 * `> x` begins at the next double after x, and an operand that no double equals is rounded inwards.
 */
import { Bitset } from '../base/index.ts';
import { grownLength, matchWords } from './slot-arrays.ts';

/** Operators that a range can express. */
export type RangeOperator = '$eq' | '$gt' | '$gte' | '$lt' | '$lte';

/**
 * Up to so many operands of `$in` are answered range by range; beyond, each value is looked up among the
 * operands.
 */
const RANGE_COUNT_MAX = 8;

/** See the top of this file. */
export class NumberValues {
  #values = new Float64Array(0);
  readonly #present = new Bitset();
  /**
   * Slots whose value is no double. Their place in `#values` holds the nearest one, and they are absent in
   * `#present`.
   */
  readonly #inexact = new Map<number, bigint>();

  /** Slots that there is room for once there is a value. */
  readonly #slotCount: number;

  constructor(slotCount: number) {
    this.#slotCount = slotCount;
  }

  get bytes(): number {
    return this.#values.byteLength + this.#present.words.byteLength + this.#inexact.size * 64;
  }

  set(slot: number, value: number | bigint): void {
    if (typeof value === 'bigint' && !isDouble(value)) {
      this.#inexact.set(slot, value);
      return;
    }
    if (slot >= this.#values.length) {
      const grown = new Float64Array(grownLength(this.#values.length, slot, this.#slotCount));
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[slot] = Number(value);
    this.#present.add(slot);
  }

  /** Whether the slot has this number. */
  holds(slot: number, value: number | bigint): boolean {
    if (typeof value === 'bigint' && !isDouble(value)) return this.#inexact.get(slot) === value;
    return this.#present.has(slot) && this.#values[slot] === Number(value);
  }

  clear(slot: number): void {
    this.#present.delete(slot);
    this.#inexact.delete(slot);
  }

  /** Adds the slots of `within` whose number stands in this relation to the operand. */
  matchComparison(operator: RangeOperator, operand: number | bigint, within: Bitset, into: Bitset): void {
    const [low, high] = rangeOf(operator, operand);
    if (low <= high) this.#matchRange(low, high, this.#candidates(within), into);
    for (const [slot, value] of this.#inexact) {
      if (within.has(slot) && compareExactly(operator, value, operand)) into.add(slot);
    }
  }

  /** Adds the slots of `within` whose number is one of the operands. */
  matchAny(operands: readonly (number | bigint)[], within: Bitset, into: Bitset): void {
    const doubles = new Float64Array(operands.filter(isDouble).map(Number)).sort();
    const candidates = this.#candidates(within);
    if (doubles.length <= RANGE_COUNT_MAX) {
      for (const value of doubles) this.#matchRange(value, value, candidates, into);
    } else {
      candidates.forEach((slot) => {
        if (includesSorted(doubles, this.#values[slot]!)) into.add(slot);
      });
    }
    const integers = new Set(operands.filter((operand) => !isDouble(operand)));
    for (const [slot, value] of this.#inexact) {
      if (integers.has(value) && within.has(slot)) into.add(slot);
    }
  }

  #candidates(within: Bitset): Bitset {
    return within.clone().and(this.#present);
  }

  #matchRange(low: number, high: number, candidates: Bitset, into: Bitset): void {
    const values = this.#values;
    matchWords(candidates.words, into.words, values.length, (firstSlot) => {
      let bits = 0;
      for (let bit = 0; bit < 32; bit++) {
        const value = values[firstSlot + bit]!;
        bits |= (+(value >= low) & +(value <= high)) << bit;
      }
      return bits;
    });
  }
}

/**
 * The doubles that stand in this relation to the operand, as a closed range; empty when the first exceeds the
 * second.
 */
function rangeOf(operator: RangeOperator, operand: number | bigint): [low: number, high: number] {
  const nearest = Number(operand);
  const isExact = isDouble(operand);
  // Around an operand between two doubles, `above` and `below` are those two; otherwise they are its
  // neighbours.
  const above = isExact || nearest < operand ? doubleAfter(nearest) : nearest;
  const below = isExact || nearest > operand ? -doubleAfter(-nearest) : nearest;
  switch (operator) {
    case '$eq':
      return isExact ? [nearest, nearest] : [1, 0];
    case '$gt':
      return [above, Number.POSITIVE_INFINITY];
    case '$gte':
      return [isExact ? nearest : above, Number.POSITIVE_INFINITY];
    case '$lt':
      return [Number.NEGATIVE_INFINITY, below];
    case '$lte':
      return [Number.NEGATIVE_INFINITY, isExact ? nearest : below];
  }
}

/** JavaScript compares a `bigint` with a number by mathematical value, so these comparisons are exact. */
function compareExactly(operator: RangeOperator, value: bigint, operand: number | bigint): boolean {
  switch (operator) {
    case '$eq':
      return value === operand;
    case '$gt':
      return value > operand;
    case '$gte':
      return value >= operand;
    case '$lt':
      return value < operand;
    case '$lte':
      return value <= operand;
  }
}

/** Whether some double has this very value. */
function isDouble(value: number | bigint): boolean {
  return typeof value === 'number' || BigInt(Number(value)) === value;
}

/** The least double greater than a finite one: its bits counted up by one, away from or towards zero. */
function doubleAfter(value: number): number {
  if (value === 0) return Number.MIN_VALUE;
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  view.setBigInt64(0, view.getBigInt64(0) + (value > 0 ? 1n : -1n));
  return view.getFloat64(0);
}

function includesSorted(sorted: Float64Array, wanted: number): boolean {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const value = sorted[middle]!;
    if (value === wanted) return true;
    if (value < wanted) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}
