/**
 * The life of cells: rows are taken in, cells that grew too large are split, small ones dissolved, and rows
 * at the borders given to whatever centre is nearest by now (as SPFresh, SOSP 2023, does for posting lists).
 *
 * Every operation is made of small steps, each of which leaves the index whole, so that searches and changes
 * may come between any two. An operation that takes several holds on to cells, never to entries: it asks
 * anew what a cell holds.
 */
import type { Space } from '../api/index.ts';
import { assert } from '../base/index.ts';
import type { CellMembers } from './cell-members.ts';
import type { CellTable } from './cell-table.ts';
import { twoMeans } from './two-means.ts';
import type { VectorRows } from './vector-rows.ts';

/** Constants that shape the cells. */
export interface CellTuning {
  /** Rows from which on there are cells. */
  readonly startCount: number;
  /** A cell's mean number of rows grows as this times the root of the number of rows, from `sizeMin` on. */
  readonly sizeFactor: number;
  readonly sizeMin: number;
  /** Cells that are considered when the rows of one are given to their nearest. */
  readonly neighbourCount: number;
}

/** From this share of changed rows on, centres are refined. */
const CHANGED_SHARE = 0.5;
/** A cell is divided beyond so many times the mean size; while many rows wait for cells, beyond so many. */
const LARGE = 2;
const LARGE_PRESSED = 4;
/** Rows that a step takes in, or moves. */
const STEP_ROWS = 64;
/** Rows and floats that the mean is made of at most. */
const MEAN_ROWS = 512;
const MEAN_FLOATS = 2 ** 18;

/** The steps; what is due when is decided by the caller. */
export class CellUpkeep {
  readonly #space: Space;
  readonly #source: VectorRows;
  readonly #members: CellMembers;
  readonly #table: CellTable;
  readonly #tuning: CellTuning;
  readonly #isFit: (norm: number) => boolean;
  readonly #random: () => number;
  /** Cells that may have become too large or too small. */
  readonly #suspects = new Set<number>();
  #changesSinceRefining = 0;
  /** The cell whose turn it is in the pass under way. */
  #nextRefined: number | undefined;
  /** The operation under way. */
  #work: Generator<void, void> | undefined;

  constructor(
    parts: {
      space: Space;
      rows: VectorRows;
      members: CellMembers;
      table: CellTable;
      isFit: (norm: number) => boolean;
    },
    tuning: CellTuning,
    random: () => number,
  ) {
    this.#space = parts.space;
    this.#source = parts.rows;
    this.#members = parts.members;
    this.#table = parts.table;
    this.#isFit = parts.isFit;
    this.#tuning = tuning;
    this.#random = random;
  }

  /** Cells in use. */
  get liveCellCount(): number {
    return this.#table.liveCellCount;
  }

  /** Mean squared distance of an entry from the centre of its cell. */
  meanSpread(): number {
    let sum = 0;
    let count = 0;
    for (let cell = 0; cell < this.#table.cellCount; cell++) {
      if (this.#table.isFree(cell)) continue;
      sum += this.#table.spreadOf(cell) * this.#table.countOf(cell);
      count += this.#table.countOf(cell);
    }
    return sum / Math.max(1, count);
  }

  /** Sets the mean of the vectors from the waiting rows and makes the first cell around it. */
  start(): void {
    const { rows, mean, width } = this.#table;
    const { waiting } = this.#members;
    const most = Math.min(MEAN_ROWS, Math.max(64, Math.floor(MEAN_FLOATS / width)));
    const step = Math.max(1, Math.ceil(waiting.count / most));
    const slots: number[] = [];
    for (let i = 0; i < waiting.count; i += step) {
      if (this.#isFit(this.#source.normOf(waiting.at(i)))) slots.push(waiting.at(i));
    }
    for (let first = 0; first < slots.length; first += rows.capacity) {
      const part = slots.slice(first, first + rows.capacity);
      this.#load(part);
      part.forEach((_, i) => {
        rows.addToSum(i);
      });
    }
    this.#changesSinceRefining = this.#members.liveCount;
    mean.set(rows.takeSum().map((sum) => sum / Math.max(1, slots.length)));
    this.#table.createCell(new Float32Array(width));
  }

  /** Gives some waiting rows to the nearest cells, and sets apart those that none can take. Returns them. */
  absorb(): readonly number[] {
    const { waiting } = this.#members;
    const { rows } = this.#table;
    const count = Math.min(STEP_ROWS, rows.capacity, waiting.count);
    const taken = Array.from({ length: count }, (_, i) => waiting.at(waiting.count - 1 - i));
    this.#source.load(taken);
    const slots = taken.filter((slot) => {
      const isFit = this.#isFit(this.#source.normOf(slot));
      if (!isFit) this.#members.moveOut(slot, true, this.#table);
      return isFit;
    });
    if (slots.length === 0) return taken;
    this.#load(slots);
    const nearest = rows.nearest(slots.length).slice();
    slots.forEach((slot, i) => {
      this.#put(slot, i, nearest[i]!);
    });
    return taken;
  }

  /** Whether an operation is under way whose steps have to follow one another. */
  get isWorking(): boolean {
    return this.#work !== undefined;
  }

  /** Whether the entry of a slot that is in a cell is that of its vector. Not while `isWorking`. */
  agrees(slot: number): boolean {
    this.#load([slot]);
    this.#table.current = 0;
    return this.#table.agrees(this.#members.cellOf(slot), this.#members.placeOf(slot));
  }

  /** Notes that an entry has left a cell. */
  noteRemoval(cell: number): void {
    this.#suspects.add(cell);
  }

  /**
   * Goes on with what is under way, or splits or dissolves a cell that needs it, the very large ones alone if
   * there is something more `isPressing`; false if none does.
   */
  mend(isPressing = false): boolean {
    if (this.#work !== undefined) {
      this.#advance(this.#work);
      return true;
    }
    const size = this.#size();
    for (const cell of this.#suspects) {
      if (isPressing && this.#table.countOf(cell) <= LARGE_PRESSED * size) continue;
      this.#suspects.delete(cell);
      if (this.#table.isFree(cell)) continue;
      const count = this.#table.countOf(cell);
      if (count > LARGE * size) this.#advance(this.#split(cell));
      else if (count < size / 6 && this.liveCellCount > 1) this.#advance(this.#dissolve(cell));
      else continue;
      return true;
    }
    return false;
  }

  /** Makes every cell a suspect, for when the size asked for has changed. */
  suspectAll(): void {
    for (let cell = 0; cell < this.#table.cellCount; cell++) this.#suspects.add(cell);
  }

  /** Notes that a row has come or gone. */
  noteChange(): void {
    this.#changesSinceRefining++;
  }

  /** Refines the next cell of a pass that is under way or due; false if none is. */
  refineNext(): boolean {
    if (this.#nextRefined === undefined) {
      if (this.#changesSinceRefining <= this.#members.liveCount * CHANGED_SHARE) return false;
      this.#changesSinceRefining = 0;
      this.suspectAll();
      this.#nextRefined = this.#table.cellCount - 1;
    }
    this.refine(this.#nextRefined);
    this.#nextRefined = this.#nextRefined === 0 ? undefined : this.#nextRefined - 1;
    return true;
  }

  /**
   * Begins to give each row of a cell to the nearest of the neighbouring cells, and the cell the mean of
   * what stays as its centre: one step of Lloyd's algorithm for one cell. `mend` goes on with it.
   */
  refine(cell: number): void {
    assert(this.#work === undefined, 'A cell was to be refined while another was worked on.');
    if (this.#table.isFree(cell) || this.#table.countOf(cell) === 0) return;
    this.#advance(this.#refine(cell));
  }

  /** One step of an operation; what is thrown ends it, with the index whole. */
  #advance(work: Generator<void, void>): void {
    this.#work = undefined;
    if (!work.next().done) this.#work = work;
  }

  #size(): number {
    const { sizeFactor, sizeMin } = this.#tuning;
    return Math.max(sizeMin, sizeFactor * Math.sqrt(this.#members.liveCount));
  }

  /** Makes the vectors of these slots the rows under work. */
  #load(slots: readonly number[]): void {
    const { rows } = this.#table;
    this.#source.load(slots);
    slots.forEach((slot, i) => {
      this.#source.embeddingOf(slot, rows.raw(i));
      rows.setScale(i, this.#space === 'cosine' ? 1 / this.#source.normOf(slot) : 1);
    });
    rows.load(slots.length);
  }

  /** Moves a slot, whose vector is row `row`, to a cell. */
  #put(slot: number, row: number, cell: number): void {
    const table = this.#table;
    assert(cell < table.cellCount, 'No cell is nearest to a row; its components are not finite.');
    const from = this.#members.cellOf(slot);
    table.current = row;
    this.#members.moveTo(slot, cell, table, this.#space === 'ip' ? 0 : -table.rows.squareOf(row) / 2);
    if (from !== -1) this.noteRemoval(from);
    this.#suspects.add(cell);
  }

  /**
   * Empties a cell from its end, in steps: `choose` says for the loaded rows, `count` of them, where each
   * goes, in an array of its own. The cell is given back at the end.
   */
  *#empty(cell: number, choose: (count: number) => ArrayLike<number>): Generator<void, void> {
    const table = this.#table;
    const most = Math.min(STEP_ROWS, table.rows.capacity);
    while (table.countOf(cell) > 0) {
      const slots = table.slotsOf(cell).slice(-most).reverse();
      this.#load(slots);
      const targets = choose(slots.length);
      slots.forEach((slot, i) => {
        this.#put(slot, i, targets[i]!);
      });
      if (table.countOf(cell) > 0) yield;
    }
    this.#free(cell);
  }

  #free(cell: number): void {
    this.#table.freeCell(cell);
    this.#suspects.delete(cell);
  }

  /** Gives all rows of a cell to the other cells. */
  *#dissolve(cell: number): Generator<void, void> {
    const table = this.#table;
    const near = table.neighboursOf(cell, this.#tuning.neighbourCount + 1);
    const others = near.filter((other) => other !== cell);
    yield* this.#empty(cell, (count) => table.rows.nearest(count, others).slice());
  }

  /** See `refine`. */
  *#refine(cell: number): Generator<void, void> {
    const table = this.#table;
    const { rows } = table;
    const neighbours = table.neighboursOf(cell, this.#tuning.neighbourCount);
    const slots = table.slotsOf(cell);
    const sum = new Float64Array(table.width);
    let staying: { slot: number; row: number }[] = [];
    let stayingCount = 0;
    for (let first = 0; first < slots.length; first += rows.capacity) {
      if (first > 0) yield;
      // What has left the cell since the last step is not its business any more.
      const part = slots.slice(first, first + rows.capacity).filter((slot) => this.#isIn(slot, cell));
      this.#load(part);
      const nearest = rows.nearest(part.length, neighbours).slice();
      staying = [];
      part.forEach((slot, row) => {
        if (nearest[row] !== cell) this.#put(slot, row, nearest[row]!);
        else {
          staying.push({ slot, row });
          rows.addToSum(row);
        }
      });
      stayingCount += staying.length;
      rows.takeSum().forEach((x, d) => {
        sum[d]! += x;
      });
    }
    this.#suspects.add(cell);
    if (stayingCount === 0) return;
    const centred = table.createCell(Float32Array.from(sum, (x) => x / stayingCount));
    this.#suspects.add(centred);
    if (slots.length <= rows.capacity) {
      for (const { slot, row } of staying.reverse()) this.#put(slot, row, centred);
    }
    yield* this.#empty(cell, (count) => new Uint32Array(count).fill(centred));
  }

  #isIn(slot: number, cell: number): boolean {
    return this.#members.cellOf(slot) === cell;
  }

  /** Makes two cells of one by 2-means on a sample of its rows. */
  *#split(cell: number): Generator<void, void> {
    const table = this.#table;
    const { rows } = table;
    const slots = table.slotsOf(cell);
    const count = Math.min(rows.capacity, slots.length);
    for (let i = 0; i < count && count < slots.length; i++) {
      // The first `count` of a random order (Fisher and Yates).
      const j = i + Math.floor(this.#random() * (slots.length - i));
      [slots[i], slots[j]] = [slots[j]!, slots[i]!];
    }
    const sample = slots.slice(0, count).reverse();
    this.#load(sample);
    const { left, right, direction, threshold } = twoMeans(rows, count);
    const halves = [table.createCell(left), table.createCell(right)];
    for (const half of halves) this.#suspects.add(half);
    let turn = 0;
    const choose = (many: number): number[] => {
      const products = rows.project(direction, many);
      const chosen: number[] = [];
      for (let i = 0; i < many; i++) {
        // Rows on the border itself, as when all are equal, go to both sides in turns.
        const isRight = products[i] === threshold ? turn++ % 2 === 1 : products[i]! > threshold;
        chosen.push(halves[isRight ? 1 : 0]!);
      }
      return chosen;
    };
    const targets = choose(count);
    sample.forEach((slot, i) => {
      this.#put(slot, i, targets[i]!);
    });
    if (table.countOf(cell) > 0) yield;
    yield* this.#empty(cell, choose);
  }
}
