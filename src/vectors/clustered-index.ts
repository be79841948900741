/**
 * Approximate search in memory that measures itself, over vectors that come and go.
 *
 *   set, remove ──► CellMembers: each live slot is waiting, or in one cell, or apart
 *   maintain ─────► CellUpkeep: waiting rows into cells, cells split, dissolved, refined; RecallMeter
 *   search ───────► CellTable: candidates by one-bit codes ─┐
 *                   rows outside cells ─────────────────────┴─► VectorRows.rank: exact distances, the k best
 *
 * Whatever holds the vectors does all ranking, so distances are exact, and what approximation there is lies
 * in which rows are candidates. Rows outside cells always are. The answer of a search for recall 1, of few
 * allowed rows, for very many results, or where no effort reaches the recall asked for, is exact. See
 * docs/adr/0010.
 *
 * A small index holds its vectors with codes for fast exact search (FlatIndex); one with cells, or for whose
 * vectors there is no room, reads those that are not in memory from their source (VectorCache).
 */
import type { Space } from '../api/index.ts';
import { assert, Bitset, seededNumbers } from '../base/index.ts';
import { dot } from '../kernel/index.ts';
import { encodeCell } from './cell-codec.ts';
import { CELL_K_MAX } from './cell-layout.ts';
import { CellMembers } from './cell-members.ts';
import { fitsCells } from './cell-norms.ts';
import type { CellSketch } from './cell-outline.ts';
import { requestOf } from './cell-request.ts';
import { CellTable } from './cell-table.ts';
import { CellUpkeep } from './cell-upkeep.ts';
import {
  type CellReader,
  type CellsHeader,
  type CentreTaker,
  type ClusteredIndexOptions,
  type ClusteredNearest,
  type ClusteredStatistics,
  type ClusteredTuning,
  type SlotsOf,
  TUNING,
} from './clustered-types.ts';
import { FlatIndex } from './flat-index.ts';
import { RecallMeter } from './recall-meter.ts';
import { makeRotation } from './rotation.ts';
import { UnreadCells } from './unread-cells.ts';
import { VectorCache } from './vector-cache.ts';
import { isSameVector, type NearestSlots, type VectorSource } from './vector-rows.ts';

const DEFAULT_RECALL = 0.99;
/** Rows that are looked up by their own embeddings after each measurement. */
const PROBES = 128;
/**
 * With more rows waiting than this, which each query ranks, taking them in goes first: 11 of the 23 µs that a
 * row takes between queries. New memory takes 9, dividing cells 3 (2026-11-30).
 */
const PRESSING_COUNT = 256;
/** Vectors leave memory for others while it holds this share: a measurement looks at all, where it can. */
const CACHED_SHARE_MIN = 0.6;
/** Vectors that are brought into memory in one step when nothing else is to do: 1 ms at 512 dimensions. */
const WARMED = 64;
/** Slots between two looks at whether there is still room for all vectors. */
const GRANT_SLOTS = 1024;

/** See the top of this file. Slots are dense numbers that the owner assigns and may use again. */
export class ClusteredIndex {
  readonly #space: Space;
  readonly #dimension: number;
  readonly #tuning: ClusteredTuning;
  readonly #random: () => number;
  #rotationSeed: number;
  readonly #source: VectorSource | undefined;
  readonly #grant: (bytes: number) => boolean;
  readonly #recall: number;
  #rows: FlatIndex | VectorCache;
  readonly #members: CellMembers = new CellMembers();
  readonly #live: Bitset = new Bitset();
  readonly #meter: RecallMeter;
  #table: CellTable | undefined;
  #upkeep: CellUpkeep | undefined;
  #unread: UnreadCells | undefined;
  /** Mean squared radius of the cells; what `slack` is measured in. */
  #spread = 0;
  /** Whether cells are being kept, so that no row may pass from one to another. */
  #isSaving = false;
  /** Whether the next step measures, where measuring and taking rows in take turns. */
  #isMeasuringNext = false;
  #probesDue = 0;
  #probedCount = 0;
  #missedCount = 0;
  /** Slot from which on vectors are brought into memory; −1 when there is nothing to bring. */
  #warmFrom = -1;

  constructor(options: ClusteredIndexOptions, tuning: Partial<ClusteredTuning> = {}) {
    this.#space = options.space;
    this.#dimension = options.dimension;
    this.#tuning = { ...TUNING, ...tuning };
    this.#random = options.random;
    this.#rotationSeed = Math.floor(options.random() * 2 ** 32);
    this.#source = options.source;
    this.#grant = options.grant ?? (() => true);
    this.#recall = options.recall ?? DEFAULT_RECALL;
    this.#rows = new FlatIndex(options);
    const search = (query: Float32Array, k: number, level: number): NearestSlots =>
      this.#searchCells(query, k, this.#live, this.#members.liveCount, level, false);
    const isFit = (query: Float32Array): boolean => fitsCells(this.#space, Math.sqrt(dot(query, query)));
    this.#meter = new RecallMeter(search, options.random, isFit);
  }

  get dimension(): number {
    return this.#dimension;
  }

  /** Slots that hold vectors. */
  get liveCount(): number {
    return this.#members.liveCount;
  }

  /** The most slots that ever held vectors: there is memory for so many, since it never becomes less. */
  get peakCount(): number {
    return this.#members.peakCount;
  }

  /** Slots that are in no cell. */
  get outsideCount(): number {
    return this.#members.waiting.count + this.#members.apart.count;
  }

  /**
   * Slots that every search looks at until `maintain` has done its work: those that wait for a cell, or all
   * but those apart while the recall of cells is not known.
   */
  get pendingCount(): number {
    const { waiting, apart, liveCount } = this.#members;
    if (this.#table !== undefined && !this.#meter.isBelieved(liveCount)) return liveCount - apart.count;
    return this.#table === undefined && waiting.count < this.#tuning.startCount ? 0 : waiting.count;
  }

  /** Rows from which on there are cells, with a tuning. */
  static startCount(tuning: Partial<ClusteredTuning> = {}): number {
    return tuning.startCount ?? TUNING.startCount;
  }

  /** Bytes that hold vectors which can be read again. */
  get cacheBytes(): number {
    return this.isLazy ? this.#rows.bytes : 0;
  }

  /** Bytes of memory held. */
  get bytes(): number {
    const { words } = this.#live;
    const table = (this.#table?.bytes ?? 0) + this.#meter.bytes;
    return this.#rows.bytes + this.#members.bytes + words.byteLength + table;
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
    if (slot % GRANT_SLOTS === 0 && !this.isLazy && !this.#hasRoomForMore) this.readLazily();
    this.#rows.set(slot, embedding);
    this.#members.add(slot, !fitsCells(this.#space, this.#rows.normOf(slot)));
    this.#live.add(slot);
    this.#noteChange();
  }

  /** Whether vectors are read when they are needed, so that `announce` is enough. */
  get isLazy(): boolean {
    return this.#rows instanceof VectorCache;
  }

  /** Whether some rows more could be held in memory, with codes. */
  get #hasRoomForMore(): boolean {
    return this.#source === undefined || this.#grant(GRANT_SLOTS * this.#dimension * 5);
  }

  /** From now on vectors are read from the source when they are needed, as far as they are not in memory. */
  readLazily(): void {
    const former = this.#rows;
    if (former instanceof VectorCache) return;
    const [space, dimension, source, grant] = [this.#space, this.#dimension, this.#source, this.#grant];
    const held = { rows: former.giveOver(), live: this.#live };
    this.#rows = new VectorCache({ space, dimension, source, grant }, held);
    if (this.#source !== undefined) this.#warmFrom = 0;
    this.#meter.cancel(this.#members.liveCount);
  }

  /**
   * Notes that a slot has a vector, new or another than before, that can be read at the source. Only after
   * `readLazily`. O(1).
   */
  announce(slot: number): void {
    if (this.#live.has(slot)) this.remove(slot);
    this.#rows.announce(slot);
    this.#members.add(slot, false);
    this.#live.add(slot);
    this.#warmFrom = 0;
    this.#noteChange();
  }

  /** Announces those of `slots` that hold no vector. */
  announceMissing(slots: Bitset): void {
    const missing = slots.clone().andNot(this.#live);
    missing.forEach((slot) => void this.announce(slot));
  }

  /** Forgets the vector of a slot and frees its place in the cells; false if there was none. */
  remove(slot: number): boolean {
    if (!this.#live.has(slot)) return false;
    this.#unread?.read(this.#members.cellOf(slot), slot);
    const cell = this.#members.cellOf(slot);
    this.#members.remove(slot, this.#table);
    this.#live.delete(slot);
    this.#rows.remove(slot);
    this.#meter.noteRemoval();
    if (cell >= 0) this.#upkeep!.noteRemoval(cell);
    this.#noteChange();
    return true;
  }

  /** The vector of a slot exactly as it was given, in `into` or a new array. */
  embeddingOf(slot: number, into?: Float32Array): Float32Array {
    assert(this.#live.has(slot), `Slot ${slot} holds no vector.`);
    return this.#rows.embeddingOf(slot, into);
  }

  /** Whether what is held of a slot agrees with its vector, in memory or as the entry of a cell. */
  holds(slot: number, embedding: Float32Array): boolean {
    const isCached = !(this.#rows instanceof VectorCache) || this.#rows.isCached(slot);
    if (isCached && !isSameVector(this.#rows.embeddingOf(slot), embedding)) return false;
    this.#unread?.read(this.#members.cellOf(slot));
    const cell = this.#members.cellOf(slot);
    return cell === -1 || this.#upkeep!.isWorking || this.#upkeep!.agrees(slot);
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
    const recall = options.recall ?? this.#recall;
    const level = this.#levelFor(recall, k);
    const norm = Math.sqrt(dot(query, query));
    if (this.#table !== undefined && recall < 1) this.#meter.noteQuery(query);
    if (
      level === undefined ||
      this.#table === undefined ||
      k > CELL_K_MAX ||
      allowedCount <= Math.max(k, this.#tuning.exactCountMax) ||
      !fitsCells(this.#space, norm)
    ) {
      return this.#searchExactly(query, k, allowed, allowedCount);
    }
    const found = this.#searchCells(query, k, allowed, allowedCount, level);
    // Candidates are k at least, whenever that many rows are allowed; this is the second lock on that door.
    return found.slots.length < k ? this.#searchExactly(query, k, allowed, allowedCount) : found;
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

  /** Counts and the last measured recall, at the effort that `recall` takes. O(cells). */
  statistics(recall: number = this.#recall): ClusteredStatistics {
    const effort = this.#levelFor(recall, 10);
    return {
      liveCount: this.#members.liveCount,
      cellCount: this.#upkeep?.liveCellCount ?? 0,
      tailCount: this.#members.waiting.count,
      apartCount: this.#members.apart.count,
      measuredRecall: effort === undefined ? undefined : this.#meter.recallAt(effort, 10),
      effort,
      probedCount: this.#probedCount,
      missedCount: this.#missedCount,
      cachedCount: this.#rows.cachedCount,
      bytes: this.bytes,
    };
  }

  /** Slots that are live and not in exactly one place, or in one and not live; none is well. O(slots). */
  verify(): number[] {
    this.readCells();
    return this.#members.faults(this.#live, this.#table);
  }

  /** How often the recall was measured here: the header has another one after each time. */
  get measuredCount(): number {
    return this.#meter.rounds;
  }

  /** What all cells share; `undefined` before there are cells. */
  get header(): CellsHeader | undefined {
    const mean = this.#table?.mean.slice();
    if (mean === undefined) return undefined;
    const { recalls, measuredRows } = this.#meter;
    return { rotationSeed: this.#rotationSeed, mean, recalls, measuredRows };
  }

  /**
   * Begins to keep cells: until `endSaving`, no row passes from one cell to another, so that cells encoded
   * one after the other hold each row of this moment exactly once, together with the slots `outside` cells.
   * Returns the cells that have changed since the last time.
   */
  beginSaving(): { readonly changed: number[]; readonly outside: number[] } {
    const { changed } = this.#table!;
    const cells = [...changed];
    changed.clear();
    this.#isSaving = true;
    this.#members.noteEntering(true);
    const outside: number[] = [];
    this.#members.forEachOutside((slot) => outside.push(slot));
    return { changed: cells, outside };
  }

  /**
   * A cell as bytes to be kept, `undefined` if it is not in use. `rowOf` gives the stable row number of a
   * slot, `checksumOf` the checksum of its vector. O(bytes).
   */
  encodeCell(
    cell: number,
    rowOf: (slot: number) => number,
    checksumOf: (slot: number) => number,
  ): Uint8Array | undefined {
    if (cell >= this.#table!.cellCount || this.#table!.isFree(cell)) return undefined;
    const entries = this.#table!.entriesOf(cell);
    const rows = Float64Array.from(entries.slots, rowOf);
    return encodeCell({ ...entries, rows, checksums: Uint32Array.from(entries.slots, checksumOf) });
  }

  /** Cells without their entries. */
  sketchesOf(cells: readonly number[]): CellSketch[] {
    return cells.map((cell) => this.#table!.sketchOf(cell));
  }

  /** The cell that a slot has been in since `beginSaving` and before; −1 if there is none. */
  keptCellOf(slot: number): number {
    return this.#members.hasEntered(slot) ? -1 : this.#members.cellOf(slot);
  }

  /** Ends what `beginSaving` began; where nothing was kept, all cells count as changed. */
  endSaving(isSaved: boolean): void {
    this.#isSaving = false;
    this.#members.noteEntering(false);
    if (isSaved) return;
    for (let cell = 0; cell < this.#table!.cellCount; cell++) this.#table!.changed.add(cell);
  }

  /** Whether `beginSaving` may be called: there are cells, all were read, and none is being divided. */
  get isSavable(): boolean {
    return this.#table !== undefined && !this.#upkeep!.isWorking && this.#unread?.isDone !== false;
  }

  /**
   * Begins to take over cells that were kept, about `rowCount` rows in cells numbered below `cellCount`, so
   * that those need not be taken in anew. Called once, before anything else; `nameCells` ends it.
   */
  sketchCells(header: CellsHeader, cellCount: number, rowCount: number): CentreTaker {
    assert(this.#members.liveCount === 0, 'Cells were loaded into an index that has rows.');
    this.readLazily();
    this.#rotationSeed = header.rotationSeed;
    this.#makeTable().begin(header.mean, cellCount, rowCount);
    return (sketch) => this.#table!.sketchCell(sketch);
  }

  /**
   * Says which slots are in the cells: `cells`, kept, has the cell of each, −1 for none; `keptCount` is how
   * many there were when they were kept. `read` reads the entries, `slotsOf` gives the slots of those.
   */
  nameCells(
    header: CellsHeader,
    { cells, keptCount }: { readonly cells: Int32Array; readonly keptCount: number },
    read: CellReader,
    slotsOf: SlotsOf,
  ): void {
    this.#unread = new UnreadCells(this.#table!, this.#members, read, slotsOf);
    this.#unread.begin(cells, this.#live);
    // The others have no place either: one announcement makes room for all.
    if (cells.length > 0) this.#rows.announce(cells.length - 1);
    this.#upkeep!.suspectAll();
    this.#spread = this.#upkeep!.meanSpread();
    this.#warmFrom = 0;
    const { liveCount } = this.#members;
    this.#meter.resume(header.recalls, header.measuredRows - (keptCount - liveCount), liveCount);
  }

  /** Reads the entries of all kept cells that were not read yet. Errors: those of `UnreadCells.read`. */
  readCells(): void {
    while (this.#unread?.step() === true);
  }

  /** Rows that were missing in the cells that were said to have them. */
  get lostCount(): number {
    return this.#unread?.lostCount ?? 0;
  }

  /**
   * Gives each slot the number that `slotOf` has for it; live ones have numbers below `slotCount`, in the
   * same order. Only for an index that reads lazily. O(slots).
   */
  renumber(slotOf: Int32Array, slotCount: number): void {
    assert(this.#rows instanceof VectorCache, 'Slots of an index that holds all vectors were renumbered.');
    assert(this.#members.liveCount === slotCount, 'Slots were renumbered that are not those in the index.');
    this.#rows.renumber(slotOf, slotCount);
    this.#members.renumber(slotOf, slotCount, this.#table);
    for (let slot = this.#live.words.length * 32 - 1; slot >= slotCount; slot--) this.#live.delete(slot);
    for (let slot = 0; slot < slotCount; slot++) this.#live.add(slot);
    this.#meter.cancel(slotCount);
    this.#warmFrom = 0;
  }

  #searchExactly(query: Float32Array, k: number, allowed: Bitset, allowedCount: number): ClusteredNearest {
    const found = this.#rows.search(query, k, allowed, allowedCount);
    return { cellsVisited: 0, candidateCount: allowedCount, isExact: true, effort: null, ...found };
  }

  #searchCells(
    query: Float32Array,
    k: number,
    allowed: Bitset,
    allowedCount: number,
    level: number,
    isOutsideIncluded = true,
  ): ClusteredNearest {
    const table = this.#table!;
    const norm = Math.sqrt(dot(query, query));
    const isFiltered = allowedCount < this.#members.liveCount;
    if (isFiltered) table.reserveMask(this.#members.capacity);
    const scale = this.#space === 'cosine' ? 1 / norm : 1;
    const parts = { space: this.#space, width: table.width, spread: this.#spread, members: this.#members };
    const request = requestOf({ k, level, norm, allowed, allowedCount }, parts);
    table.query.set(query);
    let found = table.search(request, scale);
    while (found.unread.length > 0) {
      this.#unread!.bring(found.unread);
      table.query.set(query);
      found = table.search(request, scale);
    }
    const { slots, count } = isOutsideIncluded
      ? this.#members.withOutside(found, isFiltered ? allowed : undefined)
      : found;
    const ranked = this.#rows.rank(query, k, slots, count);
    return {
      slots: ranked.slots,
      distances: ranked.distances,
      scanned: found.scanned,
      reranked: ranked.reranked,
      read: ranked.read,
      cellsVisited: found.visited,
      candidateCount: count,
      isExact: false,
      effort: level,
    };
  }

  /** The effort that a recall of the `k` nearest takes; `undefined` where only exact search gives it. */
  #levelFor(recall: number, k: number): number | undefined {
    if (recall >= 1 || !this.#meter.isBelieved(this.#members.liveCount)) return undefined;
    return this.#meter.levelFor(recall, k);
  }

  /** One step of whatever is due most; false if nothing is. */
  #step(): boolean {
    const { waiting, liveCount } = this.#members;
    if (this.#upkeep === undefined || this.#table === undefined) {
      if (waiting.count < this.#tuning.startCount) return false;
      this.#start();
      return true;
    }
    if (this.#unread?.step() === true) return true;
    const isAgeing = this.#meter.isAgeing(liveCount);
    const isPressed = waiting.count > PRESSING_COUNT && !isAgeing;
    // What is measured has to be the cells as they will be.
    if (isPressed && this.#meter.isMeasuring) this.#meter.cancel(liveCount);
    if (!this.#isSaving && this.#upkeep.mend(isPressed)) {
      this.#spread = this.#upkeep.meanSpread();
      return true;
    }
    // Until the recall is known all searches are exact, so that measurement does not wait for its turn.
    const isUrgent = isAgeing && liveCount > 2 * waiting.count;
    this.#isMeasuringNext = isUrgent && !this.#isMeasuringNext;
    if (this.#isMeasuringNext && this.#measure()) return true;
    if (this.#rows instanceof VectorCache && this.#rows.prepare()) return true;
    if (waiting.count > 0) {
      const taken = this.#upkeep.absorb();
      const mayLetGo = isPressed && this.#rows.cachedCount > liveCount * CACHED_SHARE_MIN;
      if (!mayLetGo || this.#source === undefined) return true;
      // Others come into the places of their vectors, and `#warm` reads them again.
      for (const slot of taken) if (this.#members.cellOf(slot) >= 0) this.#rows.remove(slot);
      return true;
    }
    if (liveCount === 0) return false;
    if (!this.#isSaving && this.#upkeep.refineNext()) return true;
    if (this.#warm()) return true;
    return this.#measure() || this.#probe(this.#upkeep);
  }

  /** Brings more vectors into memory; false if there are none or no room. */
  #warm(): boolean {
    if (this.#warmFrom === -1 || !(this.#rows instanceof VectorCache)) return false;
    this.#warmFrom = this.#rows.warm(this.#live, this.#warmFrom, WARMED);
    return this.#warmFrom !== -1;
  }

  /** One step of measuring the recall; false if it is not due. */
  #measure(): boolean {
    const { liveCount } = this.#members;
    if (liveCount === this.outsideCount || !(this.#rows instanceof VectorCache)) {
      if (this.#meter.isMeasuring) this.#meter.cancel(liveCount);
      return false;
    }
    if (!this.#meter.isMeasuring) {
      if (!this.#meter.isDue(this.#rows, liveCount)) return false;
      this.#meter.begin(this.#rows, liveCount);
      this.#probesDue = PROBES;
    }
    this.#meter.step(this.#live, (slot) => this.#members.cellOf(slot) >= 0);
    return true;
  }

  /**
   * Looks a row up by its own embedding. One that is not found, nor any as near, is given to a cell anew;
   * false if no look-up is due.
   */
  #probe(upkeep: CellUpkeep): boolean {
    if (this.#probesDue === 0 || this.#isSaving) return false;
    this.#probesDue--;
    const { slotCount } = this.#rows;
    let slot = Math.floor(this.#random() * slotCount);
    while (!this.#live.has(slot)) slot = (slot + 1) % slotCount;
    const cell = this.#members.cellOf(slot);
    const level = this.#levelFor(this.#recall, 1);
    if (cell === -1 || level === undefined) return true;
    this.#probedCount++;
    const query = this.#rows.embeddingOf(slot);
    const own = this.#rows.rank(query, 1, Uint32Array.of(slot), 1);
    const found = this.#searchCells(query, 1, this.#live, this.#members.liveCount, level);
    if (found.distances[0]! <= own.distances[0]!) return true;
    this.#missedCount++;
    this.#members.moveOut(slot, false, this.#table);
    upkeep.noteRemoval(cell);
    return true;
  }

  #start(): void {
    this.readLazily();
    this.#makeTable();
    this.#upkeep!.start();
  }

  #makeTable(): CellTable {
    const rotation = makeRotation(this.#dimension, seededNumbers(this.#rotationSeed));
    this.#table = new CellTable(this.#dimension, rotation, this.#space !== 'ip');
    const isFit = (norm: number): boolean => fitsCells(this.#space, norm);
    const parts = { space: this.#space, rows: this.#rows, members: this.#members, table: this.#table, isFit };
    this.#upkeep = new CellUpkeep(parts, this.#tuning, this.#random);
    return this.#table;
  }

  #noteChange(): void {
    this.#upkeep?.noteChange();
    this.#meter.noteChange();
  }
}
