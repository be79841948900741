/**
 * The row number and the checksum of the embedding of every slot.
 *
 * Row numbers ascend with the slots and are nearly dense, so that the slot of a row is found by guessing
 * where it would be if they were evenly spread, and looking around there.
 */

/** See the top of this file. */
export class SlotRows {
  #rows: Float64Array;
  #checksums: Uint32Array;
  #count: number;

  /** Takes over arrays of equal length, the rows ascending. */
  constructor(rows: Float64Array, checksums: Uint32Array) {
    this.#rows = rows;
    this.#checksums = checksums;
    this.#count = rows.length;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#rows.byteLength + this.#checksums.byteLength;
  }

  rowAt(slot: number): number {
    return this.#rows[slot]!;
  }

  /** Checksum of the embedding that the record of a slot names. */
  checksumAt(slot: number): number {
    return this.#checksums[slot]!;
  }

  setChecksum(slot: number, checksum: number): void {
    this.#checksums[slot] = checksum;
  }

  /** Adds a row beyond all others and returns its slot. */
  push(row: number, checksum: number): number {
    if (this.#count === this.#rows.length) {
      const capacity = Math.max(16, Math.ceil(this.#count * 1.125));
      const rows = new Float64Array(capacity);
      rows.set(this.#rows);
      const checksums = new Uint32Array(capacity);
      checksums.set(this.#checksums);
      [this.#rows, this.#checksums] = [rows, checksums];
    }
    this.#rows[this.#count] = row;
    this.#checksums[this.#count] = checksum;
    return this.#count++;
  }

  /** The slot of a row, or −1 where the row has none. O(log slots), and mostly a few steps. */
  slotOf(row: number): number {
    const rows = this.#rows;
    let low = 0;
    let high = this.#count - 1;
    for (let step = 0; low <= high; step++) {
      const first = rows[low]!;
      const last = rows[high]!;
      if (row < first || row > last) return -1;
      // After a few guesses the rows are known to be uneven here, and halving is the safe way.
      const share = step < 4 && last > first ? (row - first) / (last - first) : 0.5;
      const guess = low + Math.floor(share * (high - low));
      const found = rows[guess]!;
      if (found === row) return guess;
      if (found < row) low = guess + 1;
      else high = guess - 1;
    }
    return -1;
  }

  /** The slots of rows, 2³² − 1 for those that have none, or one with another checksum. */
  slotsOf(rows: Float64Array, checksums: Uint32Array): Uint32Array {
    const slots = new Uint32Array(rows.length);
    for (let i = 0; i < slots.length; i++) {
      const slot = this.slotOf(rows[i]!);
      slots[i] = slot !== -1 && this.#checksums[slot] === checksums[i] ? slot : -1;
    }
    return slots;
  }

  /** The first slot whose row is larger than this one. O(log slots). */
  firstAfter(row: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#rows[middle]! <= row) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * Leaves out the slots without a member in `isKept`; the others move up. Returns the new slot of each, −1
   * for those left out. O(slots).
   */
  compact(isKept: (slot: number) => boolean): Int32Array {
    const slotOf = new Int32Array(this.#count).fill(-1);
    let next = 0;
    for (let slot = 0; slot < this.#count; slot++) {
      if (!isKept(slot)) continue;
      this.#rows[next] = this.#rows[slot]!;
      this.#checksums[next] = this.#checksums[slot]!;
      slotOf[slot] = next++;
    }
    this.#rows = this.#rows.slice(0, next);
    this.#checksums = this.#checksums.slice(0, next);
    this.#count = next;
    return slotOf;
  }
}
