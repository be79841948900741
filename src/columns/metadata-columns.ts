/**
 * The metadata of a collection in memory, as one column per key, for the keys that filters have asked for.
 *
 * Slots are dense: position in arrays and bits in bitmaps. Whoever owns the columns feeds them every record
 * when keys are added, and every change after that. They hold nothing that the records do not, and may be
 * dropped at any time.
 */
import { assert, type Bitset, type JsonValue, parseJson } from '../base/index.ts';
import { Column, type MetadataCondition } from './column.ts';

/** See the top of this file. */
export class MetadataColumns {
  readonly #columns = new Map<string, Column>();

  /** Bytes held, roughly. */
  get bytes(): number {
    let total = 0;
    for (const column of this.#columns.values()) total += column.bytes;
    return total;
  }

  /** Whether no key was added. */
  get isEmpty(): boolean {
    return this.#columns.size === 0;
  }

  hasKey(key: string): boolean {
    return this.#columns.has(key);
  }

  /**
   * Makes empty columns for new keys, with room for so many slots. They answer rightly once every record has
   * been `set`.
   */
  addKeys(keys: readonly string[], slotCount = 0): void {
    for (const key of keys) {
      if (!this.#columns.has(key)) this.#columns.set(key, new Column(slotCount));
    }
  }

  /**
   * Replaces what the slot holds, in all columns, by a record's metadata: canonical JSON, or `null` for none.
   *
   * The text is parsed once, whatever the number of columns.
   */
  set(slot: number, metadata: string | null): void {
    if (this.#columns.size === 0) return;
    if (metadata === null) {
      this.clear(slot);
      return;
    }
    const values = parseJson(metadata) as { [key: string]: JsonValue };
    for (const [key, column] of this.#columns) {
      column.set(slot, Object.hasOwn(values, key) ? values[key] : undefined);
    }
  }

  /** Whether all columns hold in a slot what `set` would put there. */
  holds(slot: number, metadata: string | null): boolean {
    if (this.#columns.size === 0) return true;
    const values = metadata === null ? {} : (parseJson(metadata) as { [key: string]: JsonValue });
    for (const [key, column] of this.#columns) {
      if (!column.holds(slot, Object.hasOwn(values, key) ? values[key] : undefined)) return false;
    }
    return true;
  }

  /** Empties the slot in all columns. */
  clear(slot: number): void {
    for (const column of this.#columns.values()) column.clear(slot);
  }

  /**
   * The slots of `live` that meet a condition, as a new set.
   *
   * A negated operator also takes the slots that lack the key, or hold a value of another type. O(slots),
   * about 1 ns a slot for numbers and strings.
   */
  evaluate(condition: MetadataCondition, live: Bitset): Bitset {
    const column = this.#columns.get(condition.key);
    assert(column !== undefined, `The column of the key "${condition.key}" was not loaded.`);
    return column.evaluate(condition, live);
  }
}
