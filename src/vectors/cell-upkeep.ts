/**
 * The life of cells: rows are taken in, cells that grew too large are split, small ones dissolved, and rows
 * at the borders given to whatever centre is nearest by now (as SPFresh, SOSP 2023, does for posting lists).
 *
 * Every operation is one small step that leaves the index whole, so that a search may come between any two.
 */
import type { Space } from '../api/index.ts';
import { assert } from '../base/index.ts';
import { SAMPLE_ROWS } from './cell-layout.ts';
import type { CellMembers } from './cell-members.ts';
import type { CellTable } from './cell-table.ts';
import type { FlatIndex } from './flat-index.ts';

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

const MEANS_ROUNDS = 6;

/** The steps; what is due when is decided by the caller. */
export class CellUpkeep {
  readonly #space: Space;
  readonly #flat: FlatIndex;
  readonly #members: CellMembers;
  readonly #table: CellTable;
  readonly #tuning: CellTuning;
  readonly #random: () => number;
  /** Cells that may have become too large or too small. */
  readonly #suspects = new Set<number>();

  constructor(
    parts: { space: Space; flat: FlatIndex; members: CellMembers; table: CellTable },
    tuning: CellTuning,
    random: () => number,
  ) {
    this.#space = parts.space;
    this.#flat = parts.flat;
    this.#members = parts.members;
    this.#table = parts.table;
    this.#tuning = tuning;
    this.#random = random;
  }

  /** Cells in use. */
  get liveCellCount(): number {
    let count = 0;
    for (let cell = 0; cell < this.#table.cellCount; cell++) if (!this.#table.isFree(cell)) count++;
    return count;
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
    const table = this.#table;
    const { waiting } = this.#members;
    const sums = new Float64Array(table.width);
    const step = Math.max(1, Math.floor(waiting.count / 1024));
    let count = 0;
    for (let i = 0; i < waiting.count; i += step) {
      const slot = waiting.at(i);
      this.#flat.embeddingOf(slot, table.row);
      table.rotateRow(this.#scaleOf(slot));
      table.rotatedRow.forEach((x, d) => {
        sums[d]! += x;
      });
      count++;
    }
    table.mean.set(sums.map((sum) => sum / count));
    table.createCell(new Float32Array(table.width));
  }

  /** Gives one waiting row to the nearest cell. */
  absorb(): void {
    const { waiting } = this.#members;
    const slot = waiting.at(waiting.count - 1);
    this.#load(slot);
    this.#put(slot, this.#table.nearestCell());
  }

  /** Notes that an entry has left a cell. */
  noteRemoval(cell: number): void {
    this.#suspects.add(cell);
  }

  /** Splits or dissolves one cell that needs it; false if none does. */
  mend(): boolean {
    const size = this.#size();
    for (const cell of this.#suspects) {
      this.#suspects.delete(cell);
      if (this.#table.isFree(cell)) continue;
      const count = this.#table.countOf(cell);
      if (count > 2 * size) {
        this.#split(cell);
        return true;
      }
      if (count < size / 6 && this.liveCellCount > 1) {
        this.#dissolve(cell);
        return true;
      }
    }
    return false;
  }

  /** Makes every cell a suspect, for when the size asked for has changed. */
  suspectAll(): void {
    for (let cell = 0; cell < this.#table.cellCount; cell++) this.#suspects.add(cell);
  }

  /**
   * Gives each row of a cell to the nearest of the neighbouring cells, and the cell the mean of what stays
   * as its centre: one step of Lloyd's algorithm for one cell.
   */
  refine(cell: number): void {
    const table = this.#table;
    if (table.isFree(cell) || table.countOf(cell) === 0) return;
    const neighbours = table.listNeighbours(cell, this.#tuning.neighbourCount);
    const staying: number[] = [];
    table.takeSum();
    for (const slot of table.slotsOf(cell)) {
      this.#load(slot);
      const nearest = table.nearestListed(neighbours);
      if (nearest !== cell) {
        this.#put(slot, nearest);
        continue;
      }
      staying.push(slot);
      table.addToSum();
    }
    const centre = table.takeSum().map((sum) => sum / Math.max(1, staying.length));
    this.#suspects.add(cell);
    if (staying.length === 0) return;
    this.#moveAll(staying, table.createCell(centre));
    this.#free(cell);
  }

  #size(): number {
    const { sizeFactor, sizeMin } = this.#tuning;
    return Math.max(sizeMin, sizeFactor * Math.sqrt(this.#members.liveCount));
  }

  #scaleOf(slot: number): number {
    return this.#space === 'cosine' ? 1 / this.#flat.normOf(slot) : 1;
  }

  #load(slot: number): void {
    this.#flat.embeddingOf(slot, this.#table.row);
    this.#table.loadRow(this.#scaleOf(slot));
  }

  /** Moves a slot, whose row is loaded, to a cell. */
  #put(slot: number, cell: number): void {
    assert(cell !== -1, 'No cell is nearest to a row; its components are not finite.');
    const from = this.#members.cellOf(slot);
    let own = 0;
    if (this.#space !== 'ip') own = -squaredNorm(this.#table.rotatedRow) / 2;
    this.#members.moveTo(slot, cell, this.#table, own);
    if (from !== -1) this.noteRemoval(from);
    this.#suspects.add(cell);
  }

  #moveAll(slots: readonly number[], cell: number): void {
    for (const slot of slots) {
      this.#load(slot);
      this.#put(slot, cell);
    }
  }

  #free(cell: number): void {
    this.#table.freeCell(cell);
    this.#suspects.delete(cell);
  }

  /** Gives all rows of a cell to the other cells. */
  #dissolve(cell: number): void {
    const table = this.#table;
    const neighbours = table.listNeighbours(cell, this.#tuning.neighbourCount);
    const others = [...table.list.subarray(0, neighbours)].filter((other) => other !== cell);
    table.list.set(others);
    for (const slot of table.slotsOf(cell)) {
      this.#load(slot);
      this.#put(slot, table.nearestListed(others.length));
    }
    this.#free(cell);
  }

  /** Makes two cells of one by 2-means on a sample of its rows. */
  #split(cell: number): void {
    const table = this.#table;
    const slots = table.slotsOf(cell);
    const count = Math.min(SAMPLE_ROWS, slots.length);
    for (let i = 0; i < count; i++) {
      // The first `count` of a random order (Fisher and Yates).
      const j = i + Math.floor(this.#random() * (slots.length - i));
      [slots[i], slots[j]] = [slots[j]!, slots[i]!];
      this.#load(slots[i]!);
      table.sampleRow(i).set(table.rotatedRow);
    }
    const { left, right, direction, threshold } = this.#twoMeans(count);
    const sides = [table.createCell(left), table.createCell(right)];
    let turn = 0;
    for (const slot of slots) {
      this.#load(slot);
      const side = table.projectRow(direction) - threshold;
      // Rows on the border itself, as when all are equal, go to both sides in turns.
      this.#put(slot, sides[side === 0 ? turn++ % 2 : side > 0 ? 1 : 0]!);
    }
    this.#free(cell);
  }

  /** Centres of the two halves of the sample, and the plane between them. */
  #twoMeans(count: number): TwoMeans {
    const table = this.#table;
    let left: Float32Array = table.sampleRow(0).slice();
    let right: Float32Array = this.#farthestFrom(left, count);
    for (let round = 0; ; round++) {
      const direction = right.map((x, d) => x - left[d]!);
      const sides = table.projectSample(direction, count);
      // Neither half may have less than a quarter: a plane too far off is moved to that share. Without this,
      // a split might leave one cell as it was and the other empty, for ever.
      const sorted = sides.slice().sort();
      const quarter = count >> 2;
      const middle = (squaredNorm(right) - squaredNorm(left)) / 2;
      const threshold = Math.min(Math.max(middle, sorted[quarter]!), sorted[count - 1 - quarter]!);
      if (round === MEANS_ROUNDS) return { left, right, direction, threshold };
      const halves: [number[], number[]] = [[], []];
      for (let i = 0; i < count; i++) {
        const isRight = sides[i]! > threshold || (sides[i] === threshold && i % 2 === 1);
        halves[isRight ? 1 : 0].push(i);
      }
      left = table.meanOfSample(halves[0]);
      right = table.meanOfSample(halves[1]);
    }
  }

  /** The row of the sample whose product with the first, less half its square, is least: the farthest one. */
  #farthestFrom(row: Float32Array, count: number): Float32Array {
    const table = this.#table;
    const products = table.projectSample(row, count).slice();
    let farthest = 0;
    let most = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < count; i++) {
      const distance = squaredNorm(table.sampleRow(i)) - 2 * products[i]!;
      if (distance > most) {
        most = distance;
        farthest = i;
      }
    }
    return table.sampleRow(farthest).slice();
  }
}

/** Two centres, and the plane between: rows whose product with `direction` exceeds `threshold` are right. */
interface TwoMeans {
  readonly left: Float32Array;
  readonly right: Float32Array;
  readonly direction: Float32Array;
  readonly threshold: number;
}

function squaredNorm(vector: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < vector.length; i++) sum += vector[i]! * vector[i]!;
  return sum;
}
