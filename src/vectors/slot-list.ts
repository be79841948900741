/** A set of slots as a dense array: added at the end, removed by putting the last in the gap. */
export class SlotList {
  #slots = new Uint32Array(64);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#slots.byteLength;
  }

  at(position: number): number {
    return this.#slots[position]!;
  }

  /** Adds a slot and returns its position, which holds until a `removeAt`. */
  push(slot: number): number {
    if (this.#count === this.#slots.length) {
      const grown = new Uint32Array(this.#count * 2);
      grown.set(this.#slots);
      this.#slots = grown;
    }
    this.#slots[this.#count] = slot;
    return this.#count++;
  }

  /** Removes the slot at a position; returns the one that is there now, or the removed one if it was last. */
  removeAt(position: number): number {
    const moved = this.#slots[--this.#count]!;
    this.#slots[position] = moved;
    return moved;
  }

  /** Gives each slot the number that `slotOf` has for it. */
  renumber(slotOf: Int32Array): void {
    for (let i = 0; i < this.#count; i++) this.#slots[i] = slotOf[this.#slots[i]!]!;
  }
}
