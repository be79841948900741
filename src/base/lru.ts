/** A map with a bound that hands back what was used longest ago once it is over the bound. */
export class LruMap<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #countMax: number;
  readonly #onEvict: (value: V, key: K) => void;
  #newestKey: K | undefined;

  /** `onEvict` is called for each entry that the bound pushes out, not for those removed by `delete`. */
  constructor(countMax: number, onEvict: (value: V, key: K) => void) {
    this.#countMax = countMax;
    this.#onEvict = onEvict;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The value, which becomes the most recently used. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined || key === this.#newestKey) return value;
    this.#putLast(key, value);
    return value;
  }

  /** The value, which stays as recently used as it was. */
  peek(key: K): V | undefined {
    return this.#entries.get(key);
  }

  set(key: K, value: V): void {
    this.#putLast(key, value);
    while (this.#entries.size > this.#countMax) {
      const [oldestKey, oldest] = this.#entries.entries().next().value!;
      this.#entries.delete(oldestKey);
      this.#onEvict(oldest, oldestKey);
    }
  }

  /** Removes an entry and returns it. */
  take(key: K): V | undefined {
    const value = this.#entries.get(key);
    this.#entries.delete(key);
    return value;
  }

  values(): MapIterator<V> {
    return this.#entries.values();
  }

  #putLast(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    this.#newestKey = key;
  }
}
