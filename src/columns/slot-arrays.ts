/**
 * Arrays that are indexed by slot, and the one loop that turns them into bitmaps.
 *
 * The loop goes by words of 32 slots and skips words without candidates. What a column adds is a function of
 * 32 slots that must not branch on the values: on random values a mispredicted branch costs six times the
 * comparison (a million doubles: 1.0 ms without, 6.1 ms with a branch, Node 20).
 */

/**
 * How long an array must be to hold `slot`: at least doubled, so that growing is linear in all, and a
 * multiple of 32, so that a word of slots never ends outside it. `expected` is how many slots there will be,
 * where that is known.
 */
export function grownLength(length: number, slot: number, expected = 0): number {
  return Math.max(length * 2, (Math.max(slot + 1, expected) + 31) & ~31, 64);
}

/**
 * Adds to `into` the slots of `within` below `length` (a multiple of 32) that match.
 *
 * `matchWord` is given the first slot of a word and returns one bit a slot; bits of slots that are no
 * candidates may be anything.
 */
export function matchWords(
  within: Uint32Array,
  into: Uint32Array,
  length: number,
  matchWord: (firstSlot: number) => number,
): void {
  const wordCount = Math.min(within.length, length >>> 5);
  for (let word = 0; word < wordCount; word++) {
    const candidates = within[word]!;
    if (candidates !== 0) into[word]! |= candidates & matchWord(word << 5);
  }
}
