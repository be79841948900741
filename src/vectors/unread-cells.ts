/**
 * Kept cells of which an index knows the centre and the rows, and has not read the entries yet.
 *
 * A cell is read when a search comes to it, when one of its rows leaves it, or when nothing else is to do;
 * nothing else is done to cells before all are read. Its rows are members of it all the while, so the index
 * is whole. What a cell turns out not to have, since it is damaged or gone from the file, waits for a cell as
 * new rows do, and is searched exactly until then.
 */
import { assert, Bitset } from '../base/index.ts';
import type { CellMembers } from './cell-members.ts';
import type { CellTable } from './cell-table.ts';
import type { CellReader, SlotsOf } from './clustered-types.ts';

/** Cells that are read in one step: a millisecond at 100,000 rows of 512 dimensions. */
const STEP_CELLS = 8;

/** See the top of this file. */
export class UnreadCells {
  readonly #table: CellTable;
  readonly #members: CellMembers;
  readonly #read: CellReader;
  readonly #slotsOf: SlotsOf;
  readonly #cells = new Set<number>();
  #lostCount = 0;

  /** `read` reads the entries of a cell of `table`, `slotsOf` gives their slots. */
  constructor(table: CellTable, members: CellMembers, read: CellReader, slotsOf: SlotsOf) {
    this.#table = table;
    this.#members = members;
    this.#read = read;
    this.#slotsOf = slotsOf;
  }

  /** Puts slots into the cells, all of which are unread: `cells` has the cell of each, −1 for none. */
  begin(cells: Int32Array, live: Bitset): void {
    const table = this.#table;
    const counts = new Uint32Array(table.cellCount);
    const isUsed = Uint8Array.from(counts, (_, cell) => (table.isFree(cell) ? 0 : 1));
    const others: number[] = [];
    for (let slot = 0; slot < cells.length; slot++) {
      const cell = cells[slot]!;
      if (isUsed[cell] === 1) counts[cell]!++;
      else others.push(slot);
    }
    live.or(Bitset.full(cells.length));
    for (const slot of others) {
      cells[slot] = -1;
      live.delete(slot);
    }
    for (let cell = 0; cell < counts.length; cell++) {
      if (isUsed[cell] === 0) continue;
      table.resizeSketch(cell, counts[cell]!);
      this.#cells.add(cell);
    }
    this.#members.begin(cells, cells.length - others.length);
  }

  /** Whether none is left. */
  get isDone(): boolean {
    return this.#cells.size === 0;
  }

  /** Rows that were not found in their cells. */
  get lostCount(): number {
    return this.#lostCount;
  }

  /** Reads cells that a search has come to. Errors: as `read`. */
  bring(cells: readonly number[]): void {
    for (const cell of cells) {
      assert(this.#cells.has(cell), 'A search came to a cell without entries that had been read.');
      this.read(cell);
    }
  }

  /**
   * Reads a cell, unless that was done; `leaving` is a slot that is about to leave it, and may have another
   * vector by now. Errors: `TESSERA_LIMIT_EXCEEDED`, those of SQLite but for damage.
   */
  read(cell: number, leaving: number = -1): void {
    if (!this.#cells.has(cell)) return;
    const expected = this.#table.countOf(cell);
    let found = 0;
    this.#read(cell, (content) => {
      if (content === undefined) {
        this.#table.loseEntries(cell);
        return;
      }
      this.#table.readEntries(cell, content);
      const { rows, checksums } = content;
      found = this.#members.adopt({ cell, rows, checksums }, this.#slotsOf, this.#table);
    });
    this.#cells.delete(cell);
    if (found < expected) this.#lostCount += this.#members.expel(cell, expected - found, leaving);
  }

  /** Reads a few of the cells that are left; false if there are none. Errors: as `read`. */
  step(): boolean {
    let rest = STEP_CELLS;
    for (const cell of this.#cells) {
      this.read(cell);
      if (--rest === 0) break;
    }
    return rest < STEP_CELLS;
  }
}
