/**
 * Where every slot is: in one cell, waiting for one, or apart for good.
 *
 * The three are one partition of the live slots, and each slot knows its place in its part. That is the
 * invariant that keeps rows reachable: whatever moves an entry goes through here, and a slot leaves one
 * part in the same call in which it enters another.
 */
import { assert, type Bitset } from '../base/index.ts';
import { NO_ENTRY, OUTSIDE, type SlotPlaces } from './cell-request.ts';
import type { CellTable } from './cell-table.ts';
import type { SlotsOf } from './clustered-types.ts';
import { SlotList } from './slot-list.ts';

const ABSENT = -1;
const WAITING = -2;
const APART = -3;

/** The rows of a kept cell in the order of its entries, and the checksums of their vectors. */
export interface KeptRows {
  readonly cell: number;
  readonly rows: Float64Array;
  readonly checksums: Uint32Array;
}

/** The first `count` of some slots. */
export interface FoundSlots {
  readonly slots: Uint32Array;
  readonly count: number;
}

/** See the top of this file. */
export class CellMembers {
  /** Slots that no cell has yet. */
  readonly waiting: SlotList = new SlotList();
  /** Slots whose vectors the codes cannot express; searched exactly for ever. */
  readonly apart: SlotList = new SlotList();
  #cells: Int32Array = new Int32Array(0);
  /** Entries of slots in cells; of the others `OUTSIDE` and their place in the list. */
  #places = new Uint32Array(0);
  #liveCount = 0;
  #peakCount = 0;
  /** Slots that have entered cells while that is noted. */
  #entered: Set<number> | undefined;
  #candidates = new Uint32Array(0);

  get liveCount(): number {
    return this.#liveCount;
  }

  /** The most slots that there ever were. */
  get peakCount(): number {
    return this.#peakCount;
  }

  get bytes(): number {
    const outside = this.waiting.bytes + this.apart.bytes + this.#candidates.byteLength;
    return this.#cells.byteLength + this.#places.byteLength + outside;
  }

  /** One more than the largest slot there is room for. */
  get capacity(): number {
    return this.#cells.length;
  }

  /** Not to be changed, nor kept. */
  get slotPlaces(): SlotPlaces {
    return { cells: this.#cells, entries: this.#places };
  }

  has(slot: number): boolean {
    return slot < this.#cells.length && this.#cells[slot] !== ABSENT;
  }

  /** The cell of a slot, −1 if it is in none. */
  cellOf(slot: number): number {
    return Math.max(ABSENT, this.#cells[slot] ?? ABSENT);
  }

  /** The entry of a slot that is in a cell. */
  placeOf(slot: number): number {
    return this.#places[slot]!;
  }

  /** Makes room for the slots below `count`. */
  reserve(count: number): void {
    const had = this.#cells.length;
    if (count <= had) return;
    const capacity = Math.max(count, 64, Math.ceil(had * 1.5));
    const cells = new Int32Array(capacity).fill(ABSENT, had);
    cells.set(this.#cells);
    this.#cells = cells;
    const places = new Uint32Array(capacity).fill(OUTSIDE, had);
    places.set(this.#places);
    this.#places = places;
  }

  /** Takes in a slot that is nowhere. */
  add(slot: number, isApart: boolean): void {
    this.reserve(slot + 1);
    assert(this.#cells[slot] === ABSENT, 'A slot was added to the index twice.');
    this.#count(1);
    this.#cells[slot] = isApart ? APART : WAITING;
    this.#places[slot] = OUTSIDE + (isApart ? this.apart : this.waiting).push(slot);
  }

  /** Lets a slot go from wherever it is. */
  remove(slot: number, table: CellTable | undefined): void {
    assert(this.has(slot), `Slot ${slot} is not in the index.`);
    this.#leave(slot, table);
    this.#cells[slot] = ABSENT;
    this.#places[slot] = OUTSIDE;
    this.#liveCount--;
  }

  /**
   * Moves a slot into a cell; the table's loaded row is its vector and `own` as in `CellTable.add`. Errors:
   * `TESSERA_LIMIT_EXCEEDED`, with the slot where it was.
   */
  moveTo(slot: number, cell: number, table: CellTable, own: number): void {
    const entry = table.add(cell, slot, own);
    this.#leave(slot, table);
    this.#cells[slot] = cell;
    this.#places[slot] = entry;
    this.#entered?.add(slot);
  }

  /** Begins or ends to note which slots enter cells. */
  noteEntering(isNoted: boolean): void {
    this.#entered = isNoted ? new Set() : undefined;
  }

  /** Whether a slot has entered a cell since that is noted. */
  hasEntered(slot: number): boolean {
    return this.#entered?.has(slot) === true;
  }

  /**
   * Begins with `count` slots that are in cells, at entries that `adopt` tells; `cells` has the cell of each
   * slot, −1 for none, and is kept.
   */
  begin(cells: Int32Array, count: number): void {
    this.#cells = cells;
    this.#places = new Uint32Array(cells.length).fill(NO_ENTRY);
    this.#count(count);
  }

  /**
   * Tells the slots of a cell that was read their entries, and takes those of its entries out that are not
   * those of its slots: whose rows are gone, or have another vector. Returns how many slots it has.
   */
  adopt({ cell, rows, checksums }: KeptRows, slotsOf: SlotsOf, table: CellTable): number {
    const cells = this.#cells;
    const places = this.#places;
    const slots = slotsOf(rows, checksums);
    const entries = table.nameEntries(cell, slots);
    const refused: number[] = [];
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i]!;
      if (cells[slot] === cell && places[slot] === NO_ENTRY) places[slot] = entries[i]!;
      else refused.push(entries[i]!);
    }
    // The last one first, since the cell's last entry takes the place of one that is taken out.
    for (const entry of refused.reverse()) this.drop(cell, entry, table);
    return slots.length - refused.length;
  }

  /**
   * Moves the `missing` slots of a cell that have no entry in it to those that wait; returns how many beside
   * `leaving` there are. O(slots), unless that one is all.
   */
  expel(cell: number, missing: number, leaving: number): number {
    let rest = missing;
    const expelIfMissing = (slot: number): void => {
      if (this.#cells[slot] !== cell || this.#places[slot] !== NO_ENTRY) return;
      this.#cells[slot] = WAITING;
      this.#places[slot] = OUTSIDE + this.waiting.push(slot);
      rest--;
    };
    if (leaving !== -1) expelIfMissing(leaving);
    const count = rest;
    for (let slot = 0; rest > 0 && slot < this.#cells.length; slot++) expelIfMissing(slot);
    return count;
  }

  /** Moves a slot to those that wait for a cell, or to those that stay apart. */
  moveOut(slot: number, isApart: boolean, table: CellTable | undefined): void {
    this.#leave(slot, table);
    this.#cells[slot] = isApart ? APART : WAITING;
    this.#places[slot] = OUTSIDE + (isApart ? this.apart : this.waiting).push(slot);
  }

  /** Gives each slot the number that `slotOf` has for it; all that are in the index have one. */
  renumber(slotOf: Int32Array, slotCount: number, table: CellTable | undefined): void {
    const cells = new Int32Array(slotCount).fill(ABSENT);
    const places = new Uint32Array(slotCount);
    for (let slot = 0; slot < this.#cells.length; slot++) {
      if (this.#cells[slot] === ABSENT) continue;
      cells[slotOf[slot]!] = this.#cells[slot]!;
      places[slotOf[slot]!] = this.#places[slot]!;
    }
    this.#cells = cells;
    this.#places = places;
    if (this.#entered !== undefined) {
      this.#entered = new Set(Array.from(this.#entered, (slot) => slotOf[slot]!));
    }
    this.waiting.renumber(slotOf);
    this.apart.renumber(slotOf);
    table?.renumber(slotOf);
  }

  /** Takes an entry out of a cell that no slot knows of. */
  drop(cell: number, entry: number, table: CellTable): void {
    const isLast = entry === table.lastEntryOf(cell);
    const moved = table.remove(cell, entry);
    if (!isLast) this.#places[moved] = entry;
  }

  /**
   * Slots that were found in cells, and those outside cells, as far as `allowed` has them if it is given.
   * Overwritten by the next call.
   */
  withOutside(found: FoundSlots, allowed: Bitset | undefined): FoundSlots {
    const most = found.count + this.waiting.count + this.apart.count;
    if (most === found.count) return found;
    if (this.#candidates.length < most) this.#candidates = new Uint32Array(Math.ceil(most * 1.25));
    const slots = this.#candidates;
    let { count } = found;
    slots.set(found.slots.subarray(0, count));
    this.forEachOutside((slot) => {
      if (allowed === undefined || allowed.has(slot)) slots[count++] = slot;
    });
    return { slots, count };
  }

  /** Calls `visit` for the slots outside cells. */
  forEachOutside(visit: (slot: number) => void): void {
    for (let i = 0; i < this.waiting.count; i++) visit(this.waiting.at(i));
    for (let i = 0; i < this.apart.count; i++) visit(this.apart.at(i));
  }

  /** Slots of `live` that are not in exactly one place, or that their place does not know. */
  faults(live: Bitset, table: CellTable | undefined): number[] {
    const seen = new Map<number, number>();
    const note = (slot: number, cell: number, place: number): void => {
      const agrees = this.#cells[slot] === cell && this.#places[slot] === place;
      seen.set(slot, agrees && !seen.has(slot) ? 1 : 2);
    };
    for (let cell = 0; cell < (table?.cellCount ?? 0); cell++) {
      const entries: number[] = [];
      table!.slotsOf(cell, entries).forEach((slot, i) => {
        note(slot, cell, entries[i]!);
      });
    }
    for (let i = 0; i < this.waiting.count; i++) note(this.waiting.at(i), WAITING, OUTSIDE + i);
    for (let i = 0; i < this.apart.count; i++) note(this.apart.at(i), APART, OUTSIDE + i);
    const faults: number[] = [];
    live.forEach((slot) => {
      if (seen.get(slot) !== 1) faults.push(slot);
      seen.delete(slot);
    });
    for (const slot of seen.keys()) faults.push(slot);
    return faults;
  }

  /** Takes a slot out of its part without saying where it is now. */
  #leave(slot: number, table: CellTable | undefined): void {
    const cell = this.#cells[slot]!;
    const place = this.#places[slot]!;
    if (cell >= 0) {
      this.#places[table!.remove(cell, place)] = place;
      return;
    }
    const list = cell === WAITING ? this.waiting : this.apart;
    this.#places[list.removeAt(place - OUTSIDE)] = place;
  }

  #count(added: number): void {
    this.#liveCount += added;
    this.#peakCount = Math.max(this.#peakCount, this.#liveCount);
  }
}
