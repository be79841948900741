/**
 * Approximate search in memory that measures itself, over vectors that come and go.
 *
 *   set, remove ──► CellMembers: each live slot is waiting, or in one cell, or apart
 *   maintain ─────► CellUpkeep: waiting rows into cells, cells split, dissolved, refined; RecallMeter
 *   search ───────► CellTable: candidates by one-bit codes ─┐
 *                   rows outside cells ─────────────────────┴─► FlatIndex.rank: exact distances, the k best
 *
 * The flat index holds every vector and does all ranking, so distances are exact, and what approximation
 * there is lies in which rows are candidates. Rows outside cells always are. The answer of a search for
 * recall 1, of few allowed rows, for very many results, or where no effort reaches the recall asked for, is
 * that of the flat index. See docs/adr/0010.
 */
import type { Space } from '../api/index.ts';
import { assert, Bitset, seededNumbers } from '../base/index.ts';
import { dot } from '../kernel/index.ts';
import { type CellBytes, decodeCell, encodeCell, type StoredCell } from './cell-codec.ts';
import { CELL_K_MAX } from './cell-layout.ts';
import { CellMembers } from './cell-members.ts';
import { CellTable } from './cell-table.ts';
import { type CellTuning, CellUpkeep } from './cell-upkeep.ts';
import { ESTIMATE_DEVIATION, effortOf } from './effort.ts';
import { FlatIndex, type NearestSlots } from './flat-index.ts';
import { RecallMeter } from './recall-meter.ts';
import { makeRotation } from './rotation.ts';

/** Constants that change how fast a search is and how its recall is reached, never what is reachable. */
export interface ClusteredTuning extends CellTuning {
  /** Up to this number of allowed rows their distances are computed exactly. */
  readonly exactCountMax: number;
}

/** Measured at 100,000 × 512 on real embeddings (docs/adr/0010). */
const TUNING: ClusteredTuning = {
  startCount: 32_768,
  sizeFactor: 0.35,
  sizeMin: 64,
  neighbourCount: 24,
  exactCountMax: 1500,
};

/**
 * Lengths of vectors that cells take: float32 sums of their squares neither overflow nor vanish; in cosine
 * space, their inverse is a float32.
 */
const NORMS: Readonly<Record<Space, { readonly min: number; readonly max: number }>> = {
  l2: { min: 1e-12, max: 1e12 },
  ip: { min: 1e-12, max: 1e12 },
  cosine: { min: 1e-30, max: 1e30 },
};

/** From this share of changed rows on, centres are refined and the recall is measured again. */
const CHANGED_SHARE = 0.5;
const DEFAULT_RECALL = 0.99;
const NO_SLOT = 0xffffffff;

/** How an index is made. */
export interface ClusteredIndexOptions {
  readonly space: Space;
  /** Components of every vector and query, at most `LIMITS.dimensionMax`. */
  readonly dimension: number;
  /** Numbers in [0, 1), seeded where a run is to be repeatable. */
  readonly random: () => number;
}

/** The answer of a search: exact distances, ascending, equal ones by slot; and what the search took. */
export interface ClusteredNearest extends NearestSlots {
  /** Cells whose codes were looked at. */
  readonly cellsVisited: number;
  /** Rows ranked after the estimates: those of cells that remained, and all outside cells. */
  readonly candidateCount: number;
  /** Whether the answer is known to be that of exact search. */
  readonly isExact: boolean;
}

/**
 * What all cells of an index share: the seed of the rotation, and the rotated mean that rows are moved by.
 */
export interface CellsHeader {
  readonly rotationSeed: number;
  readonly mean: Float32Array;
}

/** The state of an index, for people and for tests. */
export interface ClusteredStatistics {
  readonly liveCount: number;
  readonly cellCount: number;
  /** Rows that no cell has yet. */
  readonly tailCount: number;
  /** Rows that stay outside cells, because float32 sums of their squares overflow or vanish. */
  readonly apartCount: number;
  /** Recall of ten neighbours on sampled rows at `effort`; `undefined` before it was measured. */
  readonly measuredRecall: number | undefined;
  /** The level that the default recall asks for; `undefined` where only exact search reaches it. */
  readonly effort: number | undefined;
  readonly bytes: number;
}

/** See the top of this file. Slots are dense numbers that the owner assigns and may use again. */
export class ClusteredIndex {
  readonly #space: Space;
  readonly #dimension: number;
  readonly #tuning: ClusteredTuning;
  readonly #random: () => number;
  #rotationSeed: number;
  readonly #flat: FlatIndex;
  readonly #members: CellMembers = new CellMembers();
  readonly #live: Bitset = new Bitset();
  readonly #meter: RecallMeter;
  #table: CellTable | undefined;
  #upkeep: CellUpkeep | undefined;
  #candidates = new Uint32Array(0);
  /** Mean squared radius of the cells; what `slack` is measured in. */
  #spread = 0;
  #changesSinceRefining = 0;
  #changesSinceMeasuring = 0;
  #nextRefined: number | undefined;

  constructor(options: ClusteredIndexOptions, tuning: ClusteredTuning = TUNING) {
    this.#space = options.space;
    this.#dimension = options.dimension;
    this.#tuning = tuning;
    this.#random = options.random;
    this.#rotationSeed = Math.floor(options.random() * 2 ** 32);
    this.#flat = new FlatIndex(options);
    const search = (query: Float32Array, k: number, level: number): Uint32Array =>
      this.#searchCells(query, k, this.#live, this.#members.liveCount, level).slots;
    this.#meter = new RecallMeter(this.#flat, search, options.random);
  }

  /** One more than the largest slot ever set. */
  get slotCount(): number {
    return this.#flat.slotCount;
  }

  /** Bytes of memory held. */
  get bytes(): number {
    const { words } = this.#live;
    const table = this.#table?.bytes ?? 0;
    return this.#flat.bytes + this.#members.bytes + words.byteLength + table + this.#candidates.byteLength;
  }

  /** Whether a slot holds a vector. */
  has(slot: number): boolean {
    return this.#live.has(slot);
  }

  /**
   * Stores the vector of a slot, new or not; searchable at once. The embedding has the index's dimension and
   * finite components. Errors: `TESSERA_LIMIT_EXCEEDED` when there is no memory for it; a slot that held a
   * vector then holds none. O(dimension).
   */
  set(slot: number, embedding: Float32Array): void {
    if (this.#live.has(slot)) this.remove(slot);
    this.#flat.set(slot, embedding);
    this.#members.add(slot, !this.#isFit(this.#flat.normOf(slot)));
    this.#live.add(slot);
    this.#noteChange();
  }

  /** Forgets the vector of a slot and frees its place in the cells; false if there was none. */
  remove(slot: number): boolean {
    if (!this.#live.has(slot)) return false;
    const cell = this.#members.cellOf(slot);
    this.#members.remove(slot, this.#table);
    this.#live.delete(slot);
    if (cell >= 0) this.#upkeep!.noteRemoval(cell);
    this.#noteChange();
    return true;
  }

  /** The vector of a slot exactly as it was given, in `into` or a new array. */
  embeddingOf(slot: number, into?: Float32Array): Float32Array {
    assert(this.#live.has(slot), `Slot ${slot} holds no vector.`);
    return this.#flat.embeddingOf(slot, into);
  }

  /**
   * The `k` slots of `allowed` nearest to `query`, all of them if they are fewer. `allowedCount` is the
   * number of members of `allowed`, all of which hold vectors.
   *
   * `recall` is the share of the exact answer to be found on average, by default 0.99; 1 is exact.
   */
  search(
    query: Float32Array,
    k: number,
    allowed: Bitset,
    allowedCount: number,
    options: { readonly recall?: number } = {},
  ): ClusteredNearest {
    const recall = options.recall ?? DEFAULT_RECALL;
    const level = recall >= 1 ? undefined : this.#meter.levelFor(recall, k);
    const norm = Math.sqrt(dot(query, query));
    if (
      level === undefined ||
      this.#table === undefined ||
      k > CELL_K_MAX ||
      allowedCount <= Math.max(k, this.#tuning.exactCountMax) ||
      !this.#isFit(norm)
    ) {
      return this.#searchFlat(query, k, allowed, allowedCount);
    }
    const found = this.#searchCells(query, k, allowed, allowedCount, level);
    // Candidates are k at least, whenever that many rows are allowed; this is the second lock on that door.
    return found.slots.length < k ? this.#searchFlat(query, k, allowed, allowedCount) : found;
  }

  /**
   * Works on the index for about `budgetMs` by the clock `now`: takes rows into cells, splits, dissolves and
   * refines cells, measures recall. Returns whether there is more to do. One step takes at most a few
   * milliseconds beyond the budget.
   */
  maintain(budgetMs: number, now: () => number): boolean {
    const end = now() + budgetMs;
    do {
      if (!this.#step()) return false;
    } while (now() < end);
    return true;
  }

  /** Counts and the last measured recall. O(cells). */
  statistics(): ClusteredStatistics {
    const effort = this.#meter.levelFor(DEFAULT_RECALL, 10);
    return {
      liveCount: this.#members.liveCount,
      cellCount: this.#upkeep?.liveCellCount ?? 0,
      tailCount: this.#members.waiting.count,
      apartCount: this.#members.apart.count,
      measuredRecall: effort === undefined ? undefined : this.#meter.recallAt(effort, 10),
      effort,
      bytes: this.bytes,
    };
  }

  /**
   * Slots that are not where they should be: live but not in exactly one place, or in a place but not live.
   * Empty if all is well. O(slots).
   */
  verify(): number[] {
    return this.#members.faults(this.#live, this.#table);
  }

  /**
   * All cells, encoded for keeping, each with its number. `rowOf` gives the stable row number of a slot.
   * Together with `header` they are what `loadCells` needs. O(bytes).
   */
  *keptCells(rowOf: (slot: number) => number): Generator<CellBytes> {
    const table = this.#table;
    for (let cell = 0; cell < (table?.cellCount ?? 0); cell++) {
      if (table!.isFree(cell)) continue;
      const entries = table!.entriesOf(cell);
      yield { cell, bytes: encodeCell({ ...entries, rows: Float64Array.from(entries.slots, rowOf) }) };
    }
  }

  /** What all cells share; `undefined` before there are cells. */
  get header(): CellsHeader | undefined {
    const mean = this.#table?.mean.slice();
    return mean === undefined ? undefined : { rotationSeed: this.#rotationSeed, mean };
  }

  /**
   * Takes over cells that `keptCells` gave, so that the rows in them need not
   * be taken in anew. Called once, after the vectors as of that time were `set` and before `maintain`; rows
   * whose vectors have changed since are `set` once more afterwards. `slotOf` gives the slot of a row, −1
   * if it has none.
   *
   * Returns false, with all rows waiting as before, if any bytes are damaged or of another version or
   * dimension.
   */
  loadCells(header: CellsHeader, cells: Iterable<CellBytes>, slotOf: (row: number) => number): boolean {
    assert(this.#table === undefined, 'Cells were loaded into an index that has cells.');
    const width = Math.ceil(this.#dimension / 32) * 32;
    const stored: { cell: number; content: StoredCell }[] = [];
    for (const { cell, bytes } of cells) {
      const content = decodeCell(bytes, width);
      if (content === undefined) return false;
      stored.push({ cell, content });
    }
    if (stored.length === 0 || header.mean.length !== width) return false;
    this.#rotationSeed = header.rotationSeed;
    this.#makeTable();
    this.#table!.mean.set(header.mean);
    for (const { cell, content } of stored) this.#adoptCell(cell, content, slotOf);
    this.#upkeep!.suspectAll();
    this.#spread = this.#upkeep!.meanSpread();
    this.#changesSinceRefining = this.#members.waiting.count;
    return true;
  }

  #adoptCell(cell: number, content: StoredCell, slotOf: (row: number) => number): void {
    const table = this.#table!;
    // Entries without a slot of their own any more are given a number that no slot has, and taken out.
    const slots = Uint32Array.from(content.rows, (row) => Math.min(slotOf(row) >>> 0, NO_SLOT));
    const entries = table.restoreCell(cell, content, slots);
    for (let i = entries.length - 1; i >= 0; i--) {
      const slot = slots[i]!;
      if (slot !== NO_SLOT && this.#members.isWaiting(slot)) this.#members.adopt(slot, cell, entries[i]!);
      else this.#members.drop(cell, entries[i]!, table);
    }
  }

  #searchFlat(query: Float32Array, k: number, allowed: Bitset, allowedCount: number): ClusteredNearest {
    const found = this.#flat.search(query, k, allowed, allowedCount);
    return { ...found, cellsVisited: 0, candidateCount: allowedCount, isExact: true };
  }

  #searchCells(
    query: Float32Array,
    k: number,
    allowed: Bitset,
    allowedCount: number,
    level: number,
  ): ClusteredNearest {
    const table = this.#table!;
    const norm = Math.sqrt(dot(query, query));
    const isFiltered = allowedCount < this.#members.liveCount;
    if (isFiltered) table.reserveMask(this.#members.capacity);
    const { slack, doubt } = effortOf(level);
    const unit = this.#space === 'ip' ? Math.sqrt(this.#spread) * norm : this.#spread;
    table.query.set(query);
    const scale = this.#space === 'cosine' ? 1 / norm : 1;
    const request = {
      k: Math.min(k, allowedCount),
      slack: slack * unit,
      doubt: (doubt * ESTIMATE_DEVIATION) / Math.sqrt(table.width),
      mask: isFiltered ? allowed.words : undefined,
    };
    const found = table.search(request, scale);
    const { waiting, apart } = this.#members;
    const most = found.count + waiting.count + apart.count;
    let candidates = found.slots;
    let count = found.count;
    if (most > count) {
      if (this.#candidates.length < most) this.#candidates = new Uint32Array(Math.ceil(most * 1.25));
      candidates = this.#candidates;
      candidates.set(found.slots.subarray(0, count));
      this.#members.forEachOutside((slot) => {
        if (!isFiltered || allowed.has(slot)) candidates[count++] = slot;
      });
    }
    const ranked = this.#flat.rank(query, k, candidates, count);
    return {
      slots: ranked.slots,
      distances: ranked.distances,
      scanned: found.scanned,
      reranked: ranked.reranked,
      cellsVisited: found.visited,
      candidateCount: count,
      isExact: false,
    };
  }

  /** One step of whatever is due most; false if nothing is. */
  #step(): boolean {
    const { waiting, liveCount } = this.#members;
    if (this.#upkeep === undefined || this.#table === undefined) {
      if (waiting.count < this.#tuning.startCount) return false;
      this.#start();
      return true;
    }
    if (this.#upkeep.mend()) {
      this.#spread = this.#upkeep.meanSpread();
      return true;
    }
    if (waiting.count > 0) {
      this.#upkeep.absorb();
      return true;
    }
    if (liveCount === 0) return false;
    if (this.#refine(this.#upkeep, this.#table)) return true;
    if (!this.#meter.isMeasuring) {
      if (this.#changesSinceMeasuring <= liveCount * CHANGED_SHARE) return false;
      this.#changesSinceMeasuring = 0;
      this.#meter.begin();
    }
    this.#meter.step(this.#live);
    return true;
  }

  /** Refines the next cell of a pass that is under way or due. */
  #refine(upkeep: CellUpkeep, table: CellTable): boolean {
    if (this.#nextRefined === undefined) {
      if (this.#changesSinceRefining <= this.#members.liveCount * CHANGED_SHARE) return false;
      this.#changesSinceRefining = 0;
      upkeep.suspectAll();
      this.#nextRefined = table.cellCount - 1;
    }
    upkeep.refine(this.#nextRefined);
    this.#nextRefined = this.#nextRefined === 0 ? undefined : this.#nextRefined - 1;
    return true;
  }

  #start(): void {
    this.#makeTable();
    this.#upkeep!.start();
  }

  #makeTable(): void {
    const rotation = makeRotation(this.#dimension, seededNumbers(this.#rotationSeed));
    this.#table = new CellTable(this.#dimension, rotation, this.#space !== 'ip');
    const parts = { space: this.#space, flat: this.#flat, members: this.#members, table: this.#table };
    this.#upkeep = new CellUpkeep(parts, this.#tuning, this.#random);
  }

  #noteChange(): void {
    this.#changesSinceRefining++;
    this.#changesSinceMeasuring++;
  }

  #isFit(norm: number): boolean {
    const { min, max } = NORMS[this.#space];
    // A vector of zeros is an ordinary point, except where only directions count.
    return (norm === 0 && this.#space !== 'cosine') || (norm > min && norm < max);
  }
}
