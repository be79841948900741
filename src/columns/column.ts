/**
 * One metadata key: what each slot holds under it, whatever its type. A key may hold different types in
 * different records.
 */

import type { Scalar, WhereNode } from '../api/index.ts';
import { assert, Bitset, Double, type JsonValue } from '../base/index.ts';
import { ArrayValues } from './array-values.ts';
import { NumberValues } from './number-values.ts';
import { grownLength } from './slot-arrays.ts';
import { StringValues } from './string-values.ts';

/** A condition on one metadata key. */
export type MetadataCondition = Extract<WhereNode, { kind: 'compare' | 'in' | 'contains' }>;

// What a slot holds, so that only one of the parts has to be told when it changes.
const NOTHING = 0;
const NUMBER = 1;
const STRING = 2;
const BOOL = 3;
const ARRAY = 4;

/** See the top of this file. Its parts are made when the first value of their type comes. */
export class Column {
  #kinds = new Uint8Array(0);
  #numbers: NumberValues | null = null;
  #strings: StringValues | null = null;
  #arrays: ArrayValues | null = null;
  readonly #trueSlots = new Bitset();
  readonly #falseSlots = new Bitset();
  /** Slots that there is room for from the start; more come by and by. */
  readonly #slotCount: number;

  constructor(slotCount: number) {
    this.#slotCount = slotCount;
  }

  get bytes(): number {
    const parts = (this.#numbers?.bytes ?? 0) + (this.#strings?.bytes ?? 0) + (this.#arrays?.bytes ?? 0);
    const bools = this.#trueSlots.words.byteLength + this.#falseSlots.words.byteLength;
    return this.#kinds.byteLength + parts + bools;
  }

  /** Replaces what the slot holds. `undefined`, `null` and objects stand for nothing. */
  set(slot: number, value: JsonValue | undefined): void {
    this.clear(slot);
    // By type, without an object for each value: a third of the time of loading all columns.
    switch (typeof value) {
      case 'string':
        this.#strings ??= new StringValues(this.#slotCount);
        this.#strings.set(slot, value);
        this.#mark(slot, STRING);
        return;
      case 'boolean':
        (value ? this.#trueSlots : this.#falseSlots).add(slot);
        this.#mark(slot, BOOL);
        return;
      case 'number':
      case 'bigint':
        this.#setNumber(slot, value);
        return;
      default:
        if (value instanceof Double) this.#setNumber(slot, value.value);
        else if (Array.isArray(value)) this.#setArray(slot, value);
    }
  }

  #setNumber(slot: number, value: number | bigint): void {
    this.#numbers ??= new NumberValues(this.#slotCount);
    this.#numbers.set(slot, value);
    this.#mark(slot, NUMBER);
  }

  #setArray(slot: number, value: readonly JsonValue[]): void {
    this.#arrays ??= new ArrayValues();
    this.#arrays.set(
      slot,
      value.map(toScalar).filter((element) => element !== null),
    );
    this.#mark(slot, ARRAY);
  }

  /** Whether the slot holds what `set` would put there. */
  holds(slot: number, value: JsonValue | undefined): boolean {
    const kind = this.#kinds[slot] ?? NOTHING;
    if (Array.isArray(value)) {
      const elements = value.map(toScalar).filter((element) => element !== null);
      return kind === ARRAY && this.#arrays!.holds(slot, elements);
    }
    const scalar = toScalar(value);
    if (scalar === null) return kind === NOTHING;
    if (scalar.type === 'string') return kind === STRING && this.#strings!.holds(slot, scalar.value);
    if (scalar.type !== 'bool') return kind === NUMBER && this.#numbers!.holds(slot, scalar.value);
    return kind === BOOL && (scalar.value ? this.#trueSlots : this.#falseSlots).has(slot);
  }

  clear(slot: number): void {
    switch (this.#kinds[slot] ?? NOTHING) {
      case NOTHING:
        return;
      case NUMBER:
        this.#numbers!.clear(slot);
        break;
      case STRING:
        this.#strings!.clear(slot);
        break;
      case BOOL:
        this.#trueSlots.delete(slot);
        this.#falseSlots.delete(slot);
        break;
      default:
        this.#arrays!.clear(slot);
    }
    this.#kinds[slot] = NOTHING;
  }

  /**
   * The slots of `live` that meet the condition, as a new set. A negated operator is the complement of the
   * plain one.
   */
  evaluate(condition: MetadataCondition, live: Bitset): Bitset {
    const found = new Bitset(live.words.length * 32);
    switch (condition.kind) {
      case 'compare':
        this.#matchComparison(condition.operator, condition.operand, live, found);
        break;
      case 'in':
        this.#matchAny(condition.operands, live, found);
        break;
      case 'contains':
        this.#arrays?.matchElement(condition.operand, live, found);
    }
    const isNegated =
      condition.operator === '$ne' || condition.operator === '$nin' || condition.operator === '$not_contains';
    return isNegated ? live.clone().andNot(found) : found;
  }

  #matchComparison(
    operator: Extract<WhereNode, { kind: 'compare' }>['operator'],
    operand: Scalar,
    live: Bitset,
    into: Bitset,
  ): void {
    if (operand.type === 'string' || operand.type === 'bool') {
      assert(operator === '$eq' || operator === '$ne', `${operator} has no meaning for a ${operand.type}.`);
      this.#matchAny([operand], live, into);
    } else {
      this.#numbers?.matchComparison(operator === '$ne' ? '$eq' : operator, operand.value, live, into);
    }
  }

  #matchAny(operands: readonly Scalar[], live: Bitset, into: Bitset): void {
    const strings: string[] = [];
    const numbers: (number | bigint)[] = [];
    const bools = new Set<boolean>();
    for (const { type, value } of operands) {
      if (type === 'string') strings.push(value);
      else if (type === 'bool') bools.add(value);
      else numbers.push(value);
    }
    if (strings.length > 0) this.#strings?.matchAny(strings, live, into);
    if (numbers.length > 0) this.#numbers?.matchAny(numbers, live, into);
    if (bools.has(true)) into.or(this.#trueSlots.clone().and(live));
    if (bools.has(false)) into.or(this.#falseSlots.clone().and(live));
  }

  #mark(slot: number, kind: number): void {
    if (slot >= this.#kinds.length) {
      const grown = new Uint8Array(grownLength(this.#kinds.length, slot, this.#slotCount));
      grown.set(this.#kinds);
      this.#kinds = grown;
    }
    this.#kinds[slot] = kind;
  }
}

/** A stored value with its type as `parseJson` tells it, or `null` for what is no scalar. */
function toScalar(value: JsonValue | undefined): Scalar | null {
  switch (typeof value) {
    case 'string':
      return { type: 'string', value };
    case 'boolean':
      return { type: 'bool', value };
    case 'number':
      return { type: Number.isInteger(value) ? 'int' : 'float', value };
    case 'bigint':
      return { type: 'int', value };
    default:
      return value instanceof Double ? { type: 'float', value: value.value } : null;
  }
}
