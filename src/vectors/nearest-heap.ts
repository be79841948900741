/**
 * The k smallest of a stream of (key, slot) pairs, in the order of key, then slot.
 *
 * A binary heap with the worst kept pair at the root: a pair that does not belong to the best k, as nearly
 * all in a long stream, is refused by one comparison. Keys may be infinite but never NaN.
 */
export class NearestHeap {
  readonly #keys: Float64Array;
  readonly #slots: Uint32Array;
  #count = 0;

  /** `capacity` is k, at least 1. */
  constructor(capacity: number) {
    this.#keys = new Float64Array(capacity);
    this.#slots = new Uint32Array(capacity);
  }

  /** Forgets all pairs. */
  clear(): void {
    this.#count = 0;
  }

  get capacity(): number {
    return this.#keys.length;
  }

  get isFull(): boolean {
    return this.#count === this.#keys.length;
  }

  /** The largest kept key; meaningful once the heap is full. */
  get worstKey(): number {
    return this.#keys[0]!;
  }

  /** Whether `push` would keep this pair. */
  accepts(key: number, slot: number): boolean {
    if (!this.isFull) return true;
    return key < this.#keys[0]! || (key === this.#keys[0]! && slot < this.#slots[0]!);
  }

  /** Keeps the pair if it is among the best k so far; says whether it did. O(log k). */
  push(key: number, slot: number): boolean {
    if (!this.isFull) {
      this.#rise(this.#count++, key, slot);
      return true;
    }
    if (!this.accepts(key, slot)) return false;
    this.#sink(key, slot);
    return true;
  }

  /** Empties the heap into arrays sorted ascending. O(k log k). */
  drain(): { slots: Uint32Array; keys: Float64Array } {
    const slots = new Uint32Array(this.#count);
    const keys = new Float64Array(this.#count);
    while (this.#count > 0) {
      const last = --this.#count;
      slots[last] = this.#slots[0]!;
      keys[last] = this.#keys[0]!;
      this.#sink(this.#keys[last]!, this.#slots[last]!);
    }
    return { slots, keys };
  }

  /** Puts the pair at the free leaf `at` and moves it up while it is worse than its parent. */
  #rise(at: number, key: number, slot: number): void {
    const keys = this.#keys;
    const slots = this.#slots;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (keys[parent]! > key || (keys[parent]! === key && slots[parent]! > slot)) break;
      keys[at] = keys[parent]!;
      slots[at] = slots[parent]!;
      at = parent;
    }
    keys[at] = key;
    slots[at] = slot;
  }

  /** Puts the pair in the place of the root and moves it down while a child is worse. */
  #sink(key: number, slot: number): void {
    const keys = this.#keys;
    const slots = this.#slots;
    const count = this.#count;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= count) break;
      const right = child + 1;
      if (
        right < count &&
        (keys[right]! > keys[child]! || (keys[right]! === keys[child]! && slots[right]! > slots[child]!))
      ) {
        child = right;
      }
      if (keys[child]! < key || (keys[child]! === key && slots[child]! < slot)) break;
      keys[at] = keys[child]!;
      slots[at] = slots[child]!;
      at = child;
    }
    keys[at] = key;
    slots[at] = slot;
  }
}
