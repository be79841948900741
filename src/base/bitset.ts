/**
 * A set of small non-negative integers ("slots"), one bit each.
 *
 * Words are 32 bits because V8 keeps 32-bit integer arithmetic unboxed. The capacity grows on `add`; a slot
 * beyond the capacity is simply absent. Operations that combine two sets treat the shorter one as padded with
 * zeros.
 */
export class Bitset {
  words: Uint32Array;

  constructor(capacity = 0) {
    this.words = new Uint32Array((capacity + 31) >>> 5);
  }

  /** The set {0, …, count − 1}. */
  static full(count: number): Bitset {
    const set = new Bitset(count);
    set.words.fill(0xffffffff);
    const rest = count & 31;
    if (rest !== 0) set.words[set.words.length - 1] = (1 << rest) - 1;
    return set;
  }

  add(slot: number): void {
    const word = slot >>> 5;
    if (word >= this.words.length) this.#grow(word + 1);
    this.words[word]! |= 1 << (slot & 31);
  }

  delete(slot: number): void {
    const word = slot >>> 5;
    if (word < this.words.length) this.words[word]! &= ~(1 << (slot & 31));
  }

  has(slot: number): boolean {
    const word = slot >>> 5;
    return word < this.words.length && (this.words[word]! & (1 << (slot & 31))) !== 0;
  }

  /** How many members. O(capacity / 32). */
  count(): number {
    // By index: an iterator takes three times as long, and every query counts.
    const { words } = this;
    let total = 0;
    for (let i = 0; i < words.length; i++) total += popcount(words[i]!);
    return total;
  }

  clone(): Bitset {
    const copy = new Bitset();
    copy.words = this.words.slice();
    return copy;
  }

  /** Keeps the members that `other` has too. */
  and(other: Bitset): this {
    const shared = Math.min(this.words.length, other.words.length);
    for (let i = 0; i < shared; i++) this.words[i]! &= other.words[i]!;
    this.words.fill(0, shared);
    return this;
  }

  /** Takes in the members of `other`. */
  or(other: Bitset): this {
    if (other.words.length > this.words.length) this.#grow(other.words.length);
    for (let i = 0; i < other.words.length; i++) this.words[i]! |= other.words[i]!;
    return this;
  }

  /** Drops the members that `other` has. */
  andNot(other: Bitset): this {
    const shared = Math.min(this.words.length, other.words.length);
    for (let i = 0; i < shared; i++) this.words[i]! &= ~other.words[i]!;
    return this;
  }

  /** Calls `visit` for every member, ascending. */
  forEach(visit: (slot: number) => void): void {
    for (let i = 0; i < this.words.length; i++) {
      let word = this.words[i]!;
      while (word !== 0) {
        const low = word & -word;
        visit((i << 5) + (31 - Math.clz32(low)));
        word ^= low;
      }
    }
  }

  /** The members, ascending. */
  toArray(): Uint32Array {
    const slots = new Uint32Array(this.count());
    let next = 0;
    this.forEach((slot) => {
      slots[next++] = slot;
    });
    return slots;
  }

  #grow(wordCount: number): void {
    const grown = new Uint32Array(Math.max(wordCount, this.words.length * 2, 4));
    grown.set(this.words);
    this.words = grown;
  }
}

/** Bits set in a 32-bit word (Hacker's Delight, section 5-1). */
function popcount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
