/**
 * What a filter leaves of the cells: which of their blocks have an allowed entry, and which entries of those
 * are allowed.
 *
 * For each cell with allowed entries there is a list, drawn in kernel/assembly/request.ts, so that a search
 * comes to nothing else: neither to the other blocks nor to the slots of the other entries.
 *
 * The lists of the last mask stay where the kernels find them. When searches with different masks take turns,
 * the lists of each are kept beside it, from its second turn on, until an entry moves; they go when the mask
 * goes. Making lists takes 100 µs for 10,000 allowed of 100,000 rows, taking kept ones 9 (2026-11-30).
 */
import { ENTRIES, FACT_BYTES } from './cell-layout.ts';
import type { CellMemory } from './cell-memory.ts';
import { NO_ENTRY, type SlotPlaces } from './cell-request.ts';

/** Words of a fact, the one that says where the list of its cell is, and of the head of a list. */
const FACT_WORDS = FACT_BYTES / 4;
const LIST = 6;
const HEAD = 2;
/** Where the first list begins, in words, so that 0 stands for none. */
const FIRST = 1;

/** The lists of a mask, which was `mask`; `starts` says where that of each cell begins, 0 for none. */
interface KeptLists {
  readonly mask: Uint32Array;
  readonly lists: Uint32Array;
  readonly starts: Uint32Array;
}

/** Stands for a mask that has been listed once since an entry moved. */
const LISTED_ONCE = 'listed once';

/** See the top of this file. */
export class CellMarks {
  readonly #memory: CellMemory;
  /** Words of the mask in the memory, after which come zeros, and where it is. */
  #loaded = 0;
  #loadedAt = -1;
  /** Whether there are lists of every cell for the mask in the memory. */
  #isCurrent = false;
  #kept = new WeakMap<Uint32Array, KeptLists | typeof LISTED_ONCE>();
  #isAnyKept = false;
  /** Allowed entries by block, a bit each; zeros between two calls. */
  #lanes = new Uint32Array(0);
  /** Blocks with allowed entries, in the order of their first slots, and those. */
  #blocks = new Uint32Array(0);
  #firsts = new Uint32Array(0);
  /** By cell: how many of those are its own, then where the next one goes. */
  #places = new Uint32Array(0);
  /** By cell: allowed entries that were not read yet, then where its list begins. */
  #heads = new Uint32Array(0);
  #starts = new Uint32Array(0);

  constructor(memory: CellMemory) {
    this.#memory = memory;
  }

  get bytes(): number {
    return 4 * 3 * (this.#lanes.length + this.#places.length);
  }

  /** Says that an entry has moved, come or gone. */
  forget(): void {
    this.#isCurrent = false;
    if (!this.#isAnyKept) return;
    this.#kept = new WeakMap();
    this.#isAnyKept = false;
  }

  /** Copies the mask of a search, unless it is that of the last one: queries of one call share a filter. */
  load(mask: Uint32Array): void {
    const { words, maskCapacity, mask: address } = this.#memory;
    const start = address / 4;
    const count = Math.min(maskCapacity, mask.length);
    const last = words.subarray(start, start + count);
    if (count === this.#loaded && address === this.#loadedAt && isSame(mask.subarray(0, count), last)) return;
    this.#isCurrent = false;
    [this.#loaded, this.#loadedAt] = [count, address];
    words.set(mask.subarray(0, count), start);
    words.fill(0, start + count, start + maskCapacity);
  }

  /**
   * Lists what the mask, which was loaded, allows of each of the cells, unless that is done; false where
   * there is no memory for it. O(cells + allowed slots).
   */
  list(mask: Uint32Array, places: SlotPlaces, cellCount: number): boolean {
    if (this.#isCurrent) return true;
    const kept = this.#kept.get(mask);
    if (kept !== undefined && kept !== LISTED_ONCE && isSame(kept.mask, mask)) {
      return this.#take(kept, cellCount);
    }
    this.#reserve(this.#memory.blockCount, cellCount);
    const blockCount = this.#gather(mask, places);
    // Making room may add blocks, which have no entries.
    this.#isCurrent = this.#memory.reserveMarks(FIRST + HEAD * (cellCount + blockCount));
    if (this.#isCurrent) {
      const end = this.#write(blockCount, cellCount, places.cells);
      this.#kept.set(mask, kept === undefined ? LISTED_ONCE : this.#copy(mask, end, cellCount));
      this.#isAnyKept = true;
    }
    for (let i = 0; i < blockCount; i++) this.#lanes[this.#blocks[i]!] = 0;
    return this.#isCurrent;
  }

  #copy(mask: Uint32Array, end: number, cellCount: number): KeptLists {
    const { words, marks } = this.#memory;
    const lists = words.slice(marks / 4, end);
    return { mask: mask.slice(), lists, starts: this.#starts.slice(0, cellCount) };
  }

  #take({ lists, starts }: KeptLists, cellCount: number): boolean {
    if (!this.#memory.reserveMarks(lists.length)) return false;
    const { words, cells, marks } = this.#memory;
    words.set(lists, marks / 4);
    for (let cell = 0; cell < cellCount; cell++) {
      const start = starts[cell] ?? 0;
      words[cells.facts / 4 + cell * FACT_WORDS + LIST] = start === 0 ? 0 : marks + 4 * start;
    }
    this.#isCurrent = true;
    return true;
  }

  /**
   * Notes the blocks of the allowed slots; returns how many they are. Whether a block was met before cannot
   * be foreseen, and is known only when the entry comes from memory: a branch on it would wait for each.
   */
  #gather(mask: Uint32Array, { cells, entries }: SlotPlaces): number {
    const [lanes, blocks, firsts] = [this.#lanes, this.#blocks, this.#firsts];
    let blockCount = 0;
    for (let word = 0; word < mask.length; word++) {
      for (let bits = mask[word]! | 0; bits !== 0; bits &= bits - 1) {
        const slot = (word << 5) + 31 - Math.clz32(bits & -bits);
        // No slot beyond these is in a cell.
        if (slot >= entries.length) break;
        const entry = entries[slot]! | 0;
        if (entry < 0) {
          if (entry === (NO_ENTRY | 0)) this.#heads[cells[slot]!]!++;
          continue;
        }
        const block = entry >>> 5;
        const marked = lanes[block]! | 0;
        lanes[block] = marked | (1 << (entry & (ENTRIES - 1)));
        blocks[blockCount] = block;
        firsts[blockCount] = slot;
        blockCount += ((marked | -marked) >>> 31) ^ 1;
      }
    }
    for (let i = 0; i < blockCount; i++) this.#places[cells[firsts[i]!]!]!++;
    return blockCount;
  }

  /** Writes the lists; returns the word after the last of them. */
  #write(blockCount: number, cellCount: number, cellOf: Int32Array): number {
    const { words, cells, marks } = this.#memory;
    const [places, heads, lanes] = [this.#places, this.#heads, this.#lanes];
    let at = marks / 4 + FIRST;
    for (let cell = 0; cell < cellCount; cell++) {
      const fact = cells.facts / 4 + cell * FACT_WORDS;
      const isListed = places[cell]! + heads[cell]! > 0;
      words[fact + LIST] = isListed ? 4 * at : 0;
      this.#starts[cell] = isListed ? at - marks / 4 : 0;
      if (!isListed) continue;
      words[at] = places[cell]!;
      words[at + 1] = heads[cell]!;
      heads[cell] = at;
      places[cell] = at + HEAD;
      at += HEAD + 2 * words[at]!;
    }
    for (let i = 0; i < blockCount; i++) {
      const block = this.#blocks[i]!;
      const cell = cellOf[this.#firsts[i]!]!;
      const place = places[cell]!;
      places[cell] = place + 2;
      words[place] = block;
      words[place + 1] = lanes[block]!;
      words[heads[cell]! + 1]! += countOnes(lanes[block]!);
    }
    return at;
  }

  #reserve(blockCount: number, cellCount: number): void {
    if (this.#lanes.length < blockCount) {
      // One more is written to than there are.
      const capacity = Math.ceil(blockCount * 1.25) + 1;
      this.#lanes = new Uint32Array(capacity);
      this.#blocks = new Uint32Array(capacity);
      this.#firsts = new Uint32Array(capacity);
    }
    if (this.#places.length < cellCount) {
      this.#places = new Uint32Array(Math.ceil(cellCount * 1.25));
      this.#heads = new Uint32Array(this.#places.length);
      this.#starts = new Uint32Array(this.#places.length);
    }
    this.#places.fill(0);
    this.#heads.fill(0);
  }
}

function isSame(a: Uint32Array, b: Uint32Array): boolean {
  const [first, second] = [a, b].map(
    (words) => new Uint8Array(words.buffer, words.byteOffset, words.byteLength),
  );
  return Buffer.compare(first!, second!) === 0;
}

function countOnes(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
