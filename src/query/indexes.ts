/**
 * The indexes of one collection that live in memory, and how they follow its records.
 *
 * Every live record has a *slot*: its place in ascending order of row numbers, which is insertion order.
 * Bitmaps, columns and the vector index all speak of slots. Row numbers only grow, so a new record takes the
 * next slot and the list of rows stays sorted (slot-rows.ts). A deleted record leaves its slot dead; when a
 * quarter of the slots are dead, the live ones get new numbers.
 *
 * Parts are loaded when a query first needs them (rows; embeddings; a metadata key; documents) and kept
 * current together: `follow` looks at the changes after `position` and takes each changed row's present state
 * from the records. All calls but `maintain` happen inside one read transaction of the store, so that what is
 * loaded and what is followed are of the same moment.
 *
 * The embeddings of a small collection are loaded whole. Those of a large one are read when they are needed,
 * and kept in memory as far as there is room; its cells are kept in the file (cell-keeper.ts), with the rows
 * in them, so that opening it reads neither records nor embeddings.
 */

import type { Space, VectorStatistics } from '../api/index.ts';
import { Bitset, LruMap, seededNumbers } from '../base/index.ts';
import { MetadataColumns } from '../columns/index.ts';
import type { RecordStore, StoredRecord, StoreState } from '../records/index.ts';
import { ClusteredIndex, type VectorSource } from '../vectors/index.ts';
import { CellKeeper, type IndexTuning, keptPosition } from './cell-keeper.ts';
import { keptCellsOf, keptSlots } from './kept-slots.ts';
import { SlotRows } from './slot-rows.ts';

/**
 * A backlog of more changes than this, and than half the records, is loaded anew: cheaper than change by
 * change.
 */
const BACKLOG_COUNT_MIN = 1_000;

/**
 * With the first key that a filter uses, the collection's other keys are loaded too, up to this many values
 * (16 MB of numbers). Reading and parsing the records is what costs: 72 ms for 20,000 records, of which a
 * column is 1 ms.
 */
const EAGER_VALUES_MAX = 2_097_152;

/**
 * Documents are kept in memory up to this many UTF-16 units in all. Looking through 20,000 short texts takes
 * 1 ms there and 50 ms through SQLite; beyond this size the text index is the faster one (docs/adr/0009).
 */
const DOCUMENTS_LENGTH_MAX = 8_388_608;

/**
 * Answers of filters that are remembered, and the longest filter worth it: at a million records an answer
 * takes 125 KB.
 */
const FILTERS_REMEMBERED_MAX = 16;
const FILTER_KEY_LENGTH_MAX = 4_096;

/** The index draws samples and a rotation: from the same numbers each time, so that a run can be repeated. */
const INDEX_SEED = 1;

/** Slots may be dead up to this share of all, and up to this count whatever the share. */
const DEAD_SHARE_MAX = 0.25;
const DEAD_COUNT_MIN = 1_024;

/**
 * WebAssembly memory cannot shrink, so an index that has held this many times its records is loaded anew:
 * once for each time that three quarters of them go. Room for fewer slots than `ROOM_MIN` is not worth it.
 */
const ROOM_FACTOR_MAX = 4;
const ROOM_MIN = 4_096;

/** How the indexes of a collection are made. */
export interface IndexOptions {
  readonly space: Space;
  /** Share of the exact answer that a query asks for when it does not say; by default 0.99. */
  readonly recall?: number | undefined;
  /** Whether so many bytes more may be taken; by default always. */
  readonly grant?: ((bytes: number) => boolean) | undefined;
  /** Whether this opener of the file writes cells to it. */
  readonly keepsCells?: boolean | undefined;
  /** Whether queries are answered here; otherwise the embeddings are of no concern. */
  readonly keepsVectors?: boolean | undefined;
  /** Other constants than the measured ones, for tests. */
  readonly tuning?: IndexTuning | undefined;
}

/** A row of which an index holds something else than the records do. */
export interface RowFault {
  readonly row: number;
  readonly message: string;
}

/** See the top of this file. */
export class CollectionIndexes {
  readonly #store: RecordStore;
  readonly #options: IndexOptions;
  #position = 0;
  #slots: SlotRows | null = null;
  #live = new Bitset();
  #deadCount = 0;
  #columns = new MetadataColumns();
  #vectors: ClusteredIndex | null = null;
  #filtered = new LruMap<string, Bitset>(FILTERS_REMEMBERED_MAX, () => {});
  #isSettled = true;
  /** Rows of the vector index that `repairVectors` has made anew. */
  #repairedCount = 0;
  #keeper: CellKeeper | null = null;
  /** Whether the cells in the file are not to be loaded, since they were found to be wrong. */
  #ignoresKept = false;
  #documents: (string | null)[] | null = null;
  #documentsLength = 0;
  #hasTooLongDocuments = false;

  constructor(store: RecordStore, options: IndexOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** The position of the change sequence that everything here stands for; valid after `follow`. */
  get position(): number {
    return this.#position;
  }

  /** Slots of the records that exist; valid after `follow`. Not to be changed. */
  get live(): Bitset {
    return this.#live;
  }

  /** Columns of the keys that were loaded. */
  get columns(): MetadataColumns {
    return this.#columns;
  }

  /** Whether `maintain` has nothing to do. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Rows that every query looks at until `maintain` has done its work. */
  get pendingCount(): number {
    return this.#vectors?.pendingCount ?? 0;
  }

  /** Of these bytes, those that hold embeddings which can be read again. */
  get cacheBytes(): number {
    return this.#vectors?.cacheBytes ?? 0;
  }

  /** Bytes of memory held, roughly. */
  get bytes(): number {
    const slots = (this.#slots?.bytes ?? 0) + this.#live.words.byteLength;
    return slots + this.#columns.bytes + 2 * this.#documentsLength + (this.#vectors?.bytes ?? 0);
  }

  /**
   * Works on the vector index for about `budgetMs` by the clock `nowMs`: follows the records, takes rows into
   * cells, keeps cells in the file; all that there is to keep, if `isForced`. Must not be called inside a
   * transaction. `isSettled` tells whether there is more to do.
   */
  maintain(budgetMs: number, nowMs: () => number, isForced = false): void {
    const isBusy = this.#store.read((state) =>
      this.#wholly(() => {
        const isLarge = state.dimension !== null && state.recordCount >= this.#startCount;
        const isWanted = isLarge || (isForced && state.dimension !== null);
        if (this.#slots === null && !isWanted) return false;
        this.follow(state);
        const vectors = isWanted ? this.vectors(state.dimension!) : this.#vectors;
        return vectors?.maintain(budgetMs, nowMs) ?? false;
      }),
    );
    const isKept = this.#keep(isBusy, isForced && !isBusy);
    this.#isSettled = !isBusy && !isKept;
    if (!this.#isSettled || !this.#hasFarTooMuchRoom()) return;
    this.drop();
    this.#isSettled = false;
  }

  /** One slice of keeping cells in the file; false where there is none to do. */
  #keep(isBusy: boolean, isForced: boolean): boolean {
    const [vectors, slots] = [this.#vectors, this.#slots];
    if (this.#options.keepsCells !== true || vectors === null || slots === null) return false;
    if (!vectors.isSavable && this.#keeper === null) return false;
    this.#keeper ??= this.#makeKeeper(vectors.dimension);
    const isKept = this.#keeper.step({ vectors, slots, position: this.#position, isBusy }, isForced);
    this.#ignoresKept = this.#keeper.ignoresKept;
    return isKept;
  }

  /** Brings everything loaded up to `state`, the state of the transaction under way. */
  follow(state: StoreState): void {
    this.#wholly(() => this.#followTo(state));
  }

  /** Does something to the indexes, and drops them where it fails: half done, they would answer wrongly. */
  #wholly<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      this.drop();
      throw error;
    }
  }

  #followTo(state: StoreState): void {
    // Who has followed may hold on to slots and to the vector index until the next change.
    if (this.#slots !== null && this.#position === state.sequence) return;
    if (this.#position > state.sequence) this.drop();
    if (this.#hasTooManyDead()) this.#renumber();
    this.#forgetFilters();
    if (this.#slots === null) this.#load(state);
    else if (this.#position < state.purgedSequence) this.#reconcile(this.#slots, state);
    else if (this.#position < state.sequence) this.#absorb(this.#slots, state);
    this.#position = state.sequence;
  }

  /**
   * What `compute` gives, remembered under a key until a record changes: programs ask with the same filter
   * again and again. The set is not to be changed.
   */
  remember(key: string, compute: () => Bitset): Bitset {
    let slots = this.#filtered.get(key);
    if (slots === undefined) {
      slots = compute();
      if (key.length <= FILTER_KEY_LENGTH_MAX) this.#filtered.set(key, slots);
    }
    return slots;
  }

  /** The row of a slot. */
  rowAt(slot: number): number {
    return this.#slots!.rowAt(slot);
  }

  /** The slot of a row, or −1 where the row has none. O(log rows). */
  slotOf(row: number): number {
    return this.#slots!.slotOf(row);
  }

  /** The slot of a row that is live. Errors: `TESSERA_CORRUPT` where it has none. */
  liveSlotOf(row: number): number {
    const slot = this.slotOf(row);
    if (slot === -1) throw this.#store.corrupt(`row ${row} is found in one place and missing in another`);
    return slot;
  }

  /**
   * Makes the columns of these keys available, and of the `others` too while that costs little. One pass over
   * the records for all that are missing.
   */
  loadKeys(keys: readonly string[], others: readonly string[]): void {
    if (keys.every((key) => this.#columns.hasKey(key))) return;
    const valueCount = (keys.length + others.length) * this.#slots!.count;
    const wanted = valueCount <= EAGER_VALUES_MAX ? [...keys, ...others] : keys;
    const missing = new Set(wanted.filter((key) => !this.#columns.hasKey(key)));
    this.#columns.addKeys([...missing], this.#slots!.count);
    this.#wholly(() => {
      for (const record of this.#store.scan()) {
        if (record.metadata !== null) this.#columns.set(this.liveSlotOf(record.row), record.metadata);
      }
    });
  }

  /** The index of the embeddings, loaded at the first call; `dimension` is that of the state. */
  vectors(dimension: number): ClusteredIndex {
    if (this.#vectors === null) {
      const vectors = this.#makeVectors(dimension);
      this.#fill(vectors, dimension);
      this.#vectors = vectors;
      this.#isSettled = false;
    }
    return this.#vectors;
  }

  /** The documents by slot, loaded at the first call; `null` where they are too long to be kept in memory. */
  documents(): readonly (string | null)[] | null {
    if (this.#documents === null && !this.#hasTooLongDocuments) {
      this.#documents = [];
      this.#wholly(() => {
        for (const record of this.#store.scan()) {
          this.#setDocument(this.liveSlotOf(record.row), record.document);
          if (this.#documents === null) break;
        }
      });
    }
    return this.#documents;
  }

  /** Forgets everything; the next call loads anew. Also for after changes that were seen but undone. */
  drop(): void {
    this.#forgetContents();
    this.#slots = null;
    this.#live = new Bitset();
    this.#deadCount = 0;
    this.#vectors = null;
    this.#keeper = null;
    this.#isSettled = true;
  }

  /** Gives the live records slots without gaps. An index that holds all embeddings is loaded anew. */
  #renumber(): void {
    if (this.#slots === null || this.#vectors?.isLazy === false) {
      this.drop();
      return;
    }
    this.#vectors?.readCells();
    const slotOf = this.#slots.compact((slot) => this.#live.has(slot));
    this.#vectors?.renumber(slotOf, this.#slots.count);
    this.#live = Bitset.full(this.#slots.count);
    this.#deadCount = 0;
    this.#forgetContents();
  }

  /** Forgets what was loaded of metadata and documents. */
  #forgetContents(): void {
    this.#forgetFilters();
    this.#columns = new MetadataColumns();
    this.#documents = null;
    this.#documentsLength = 0;
    this.#hasTooLongDocuments = false;
  }

  #forgetFilters(): void {
    this.#filtered = new LruMap(FILTERS_REMEMBERED_MAX, () => {});
  }

  #hasTooManyDead(): boolean {
    const slotCount = this.#slots?.count ?? 0;
    return this.#deadCount > DEAD_COUNT_MIN && this.#deadCount > slotCount * DEAD_SHARE_MAX;
  }

  #hasFarTooMuchRoom(): boolean {
    const room = this.#vectors?.peakCount ?? 0;
    return room > ROOM_MIN && room > ROOM_FACTOR_MAX * this.#vectors!.liveCount;
  }

  /** Records from which on a collection has cells. */
  get #startCount(): number {
    return ClusteredIndex.startCount(this.#options.tuning?.cells);
  }

  #makeVectors(dimension: number): ClusteredIndex {
    const { space, recall, grant, tuning } = this.#options;
    const random = seededNumbers(INDEX_SEED);
    const source = this.#source(dimension);
    return new ClusteredIndex({ space, dimension, random, source, grant, recall }, tuning?.cells);
  }

  #makeKeeper(dimension: number): CellKeeper {
    return new CellKeeper(this.#store, dimension, this.#options.tuning?.keeper, this.#ignoresKept);
  }

  /** Reads embeddings by slot, in the transaction under way. */
  #source(dimension: number): VectorSource {
    return {
      read: (slots, count, visit) => {
        const known = this.#slots!;
        const rows = new Float64Array(count);
        const checksums = new Uint32Array(count);
        for (let i = 0; i < count; i++) {
          rows[i] = known.rowAt(slots[i]!);
          checksums[i] = known.checksumAt(slots[i]!);
        }
        this.#store.vectors(dimension).readMany(rows, checksums, count, visit);
      },
    };
  }

  /** Puts the live rows that it does not have into a vector index. */
  #fill(vectors: ClusteredIndex, dimension: number): void {
    const count = this.#slots!.count - this.#deadCount;
    const isLarge = count >= this.#startCount || this.#options.grant?.(count * dimension * 5) === false;
    if (isLarge) vectors.readLazily();
    if (vectors.isLazy) {
      vectors.announceMissing(this.#live);
      return;
    }
    this.#readInto(vectors, this.#live.toArray(), dimension);
  }

  /** Reads the embeddings of some slots, ascending, into a vector index. */
  #readInto(vectors: ClusteredIndex, slots: Uint32Array, dimension: number): void {
    this.#source(dimension).read(slots, slots.length, (i, embedding) => vectors.set(slots[i]!, embedding));
  }

  #load(state: StoreState): void {
    const { dimension, recordCount } = state;
    if (dimension === null || !this.#loadKept(dimension, state)) {
      const { rows, checksums } = this.#store.rows(recordCount);
      this.#slots = new SlotRows(rows, checksums);
    }
    this.#live = Bitset.full(recordCount);
    this.#deadCount = 0;
    if (this.#vectors !== null) this.#fill(this.#vectors, dimension!);
  }

  /**
   * Loads rows and vector index from the cells in the file, and what has changed since then from the records.
   * False where there are no cells, or they are of no use.
   */
  #loadKept(dimension: number, state: StoreState): boolean {
    if (this.#options.keepsVectors === false || this.#ignoresKept) return false;
    if (state.recordCount < this.#startCount) return false;
    const vectors = this.#makeVectors(dimension);
    const keeper = this.#makeKeeper(dimension);
    const kept = keeper.load((directory, cellCount) =>
      vectors.sketchCells(directory, cellCount, state.recordCount),
    );
    // Who makes anew what a header names in vain also replaces it.
    if (kept !== undefined || keeper.ignoresKept) this.#keeper = keeper;
    if (kept === undefined) return false;
    const { directory, inCells } = kept;
    const { position } = directory;
    const isFollowable = position >= state.purgedSequence && position <= state.sequence;
    let found = isFollowable ? keptSlots(kept, this.#store.changedRows(position)) : null;
    if (found?.slots.count !== state.recordCount) {
      const { rows, checksums } = this.#store.rows(state.recordCount);
      const slots = new SlotRows(rows, checksums);
      found = { slots, cells: keptCellsOf(slots, kept) };
    }
    const { slots, cells } = found;
    this.#slots = slots;
    const named = { cells, keptCount: inCells.rows.length };
    vectors.nameCells(directory, named, keeper.reader(directory), (rows, checksums) =>
      slots.slotsOf(rows, checksums),
    );
    this.#vectors = vectors;
    this.#isSettled = false;
    return true;
  }

  #absorb(slots: SlotRows, state: StoreState): void {
    const changed = this.#store.changedRows(this.#position);
    const isBacklog = changed.length > BACKLOG_COUNT_MIN && changed.length > state.recordCount / 2;
    if (isBacklog && this.#vectors?.isLazy === false) {
      this.drop();
      this.#load(state);
      return;
    }
    // Ascending rows keep the list of rows sorted and touch each vector block once.
    changed.sort(([a], [b]) => a - b);
    const isContentLoaded = this.#documents !== null || !this.#columns.isEmpty;
    const unread: number[] = [];
    for (const [row, checksum] of changed) {
      const slot = slots.slotOf(row);
      if (checksum === null) {
        if (slot !== -1) this.#bury(slot);
      } else {
        this.#touch(slots, row, slot, checksum, unread);
        if (isContentLoaded) this.#loadContent(slots.slotOf(row), row);
      }
    }
    if (unread.length > 0) this.#readInto(this.#vectors!, Uint32Array.from(unread), state.dimension!);
  }

  /** The same where tombstones that were not followed are gone: compares all rows. */
  #reconcile(slots: SlotRows, state: StoreState): void {
    this.#forgetContents();
    const { rows, checksums } = this.#store.rows(state.recordCount);
    let next = 0;
    const slotCount = slots.count;
    const unread: number[] = [];
    for (let slot = 0; slot < slotCount; slot++) {
      if (!this.#live.has(slot)) continue;
      if (rows[next] !== slots.rowAt(slot)) this.#bury(slot);
      else this.#touch(slots, rows[next]!, slot, checksums[next++]!, unread);
    }
    for (; next < rows.length; next++) this.#touch(slots, rows[next]!, -1, checksums[next]!, unread);
    if (unread.length > 0) this.#readInto(this.#vectors!, Uint32Array.from(unread), state.dimension!);
  }

  /** Notes a row's checksum; `slot` is −1 for a new row. Slots whose embeddings are wanted go to `unread`. */
  #touch(slots: SlotRows, row: number, slot: number, checksum: number, unread: number[]): void {
    if (slot !== -1 && slots.checksumAt(slot) === checksum) return;
    const changed = slot === -1 ? slots.push(row, checksum) : slot;
    slots.setChecksum(changed, checksum);
    this.#live.add(changed);
    if (this.#vectors === null) return;
    if (this.#vectors.isLazy) this.#vectors.announce(changed);
    else unread.push(changed);
    this.#isSettled = false;
  }

  #loadContent(slot: number, row: number): void {
    const { metadata, document } = this.#store.liveRow(row);
    this.#columns.set(slot, metadata);
    this.#setDocument(slot, document);
  }

  #bury(slot: number): void {
    if (!this.#live.has(slot)) return;
    this.#live.delete(slot);
    this.#columns.clear(slot);
    this.#setDocument(slot, null);
    if (this.#vectors?.remove(slot)) this.#isSettled = false;
    this.#deadCount++;
  }

  /** Keeps a document, where documents are kept, and stops keeping any once they are too long in all. */
  #setDocument(slot: number, document: string | null): void {
    if (this.#documents === null) return;
    this.#documentsLength += (document?.length ?? 0) - (this.#documents[slot]?.length ?? 0);
    this.#documents[slot] = document;
    if (this.#documentsLength <= DOCUMENTS_LENGTH_MAX) return;
    this.#documents = null;
    this.#documentsLength = 0;
    this.#hasTooLongDocuments = true;
  }

  /**
   * Rows whose places in the vector index contradict each other. Loads the index where it is not in memory.
   * Errors: `TESSERA_CORRUPT` where a damaged record prevents that. O(slots).
   */
  misplacedRows(state: StoreState): number[] {
    this.follow(state);
    if (state.dimension === null) return [];
    return this.vectors(state.dimension)
      .verify()
      .map((slot) => this.rowAt(slot));
  }

  /**
   * Compares the vector index with all the records after the row `after` and up to `last`, in both
   * directions. `embeddingOf` gives the file's embedding of a record, `null` where it is damaged. Errors: as
   * `misplacedRows`.
   */
  verifyVectors(
    state: StoreState,
    range: { readonly after: number; readonly last: number },
    records: readonly StoredRecord[],
    embeddingOf: (record: StoredRecord) => Float32Array | null,
  ): RowFault[] {
    this.follow(state);
    const faults: RowFault[] = [];
    const vectors = state.dimension === null ? null : this.vectors(state.dimension);
    const wanted = new Set(records.map(({ row }) => row));
    for (let slot = this.#slots!.firstAfter(range.after); slot < this.#slots!.count; slot++) {
      const row = this.rowAt(slot);
      if (row > range.last) break;
      const isStray = this.#live.has(slot) && !wanted.has(row);
      if (isStray) faults.push({ row, message: 'The vector index holds a record that is not stored.' });
    }
    for (const record of records) {
      const { row } = record;
      const slot = this.slotOf(row);
      const embedding = embeddingOf(record);
      if (slot === -1 || !this.#live.has(slot) || vectors?.has(slot) === false) {
        faults.push({ row, message: 'The vector index does not hold the record.' });
      } else if (embedding !== null && vectors?.holds(slot, embedding) === false) {
        faults.push({ row, message: 'The vector index holds another embedding than the file.' });
      }
    }
    return faults;
  }

  /** Compares the metadata in memory with that of some records, as of the last `follow`. */
  verifyMetadata(records: readonly StoredRecord[]): RowFault[] {
    const isKept = (record: StoredRecord): boolean => {
      const slot = this.slotOf(record.row);
      return slot === -1 || this.#columns.holds(slot, record.metadata);
    };
    const message = 'Filters see other metadata than the record has.';
    return records.filter((record) => !isKept(record)).map(({ row }) => ({ row, message }));
  }

  /**
   * Makes everything in memory anew, the vector index included. Returns how many entries it has. Errors: as
   * `misplacedRows`.
   */
  repairVectors(state: StoreState): number {
    this.drop();
    this.#ignoresKept = true;
    this.follow(state);
    if (state.dimension !== null) this.vectors(state.dimension);
    const count = this.#live.count();
    this.#repairedCount += count;
    return count;
  }

  /** What is in memory of the vector index, as it is; `recall` is what queries ask for that do not say. */
  vectorStatistics(state: StoreState, recall: number): VectorStatistics {
    const vectors = this.#vectors;
    const found = vectors?.statistics(recall);
    const isInCells = found !== undefined && found.cellCount > 0;
    const position = vectors === null ? 0 : this.#position;
    return {
      kind: vectors === null ? 'unloaded' : isInCells ? 'cells' : 'exact',
      position,
      lag: state.sequence - position,
      cellCount: found?.cellCount ?? 0,
      waitingCount: found?.tailCount ?? 0,
      apartCount: found?.apartCount ?? 0,
      savedPosition: this.#keeper?.position ?? keptPosition(this.#store, state.dimension ?? 0),
      recall,
      measuredRecall: found?.measuredRecall ?? null,
      effort: isInCells ? (found.effort ?? null) : null,
      probedCount: found?.probedCount ?? 0,
      missedCount: found?.missedCount ?? 0,
      repairedCount: this.#repairedCount + (found?.missedCount ?? 0),
      bytes: found?.bytes ?? 0,
      cachedCount: found?.cachedCount ?? 0,
    };
  }
}
