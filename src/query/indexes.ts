/**
 * The indexes of one collection that live in memory, and how they follow its records.
 *
 * Every live record has a *slot*: its place in ascending order of row numbers, which is insertion order.
 * Bitmaps, columns and the vector index all speak of slots. Row numbers only grow, so a new record takes the
 * next slot and the list of rows stays sorted: from row to slot by binary search, no hash table. A deleted
 * record leaves its slot dead; when a quarter of the slots are dead, everything here is dropped and loaded
 * anew.
 *
 * Parts are loaded when a query first needs them (rows; embeddings; a metadata key; documents) and kept
 * current together: `follow` looks at the changes after `position` and takes each changed row's present state
 * from the records. All calls happen inside one read transaction of the store, so that what is loaded and
 * what is followed are of the same moment.
 */

import type { Space } from '../api/index.ts';
import { Bitset, LruMap, seededNumbers } from '../base/index.ts';
import { MetadataColumns } from '../columns/index.ts';
import type { RecordStore, StoreState } from '../records/index.ts';
import { type CellBytes, type CellsHeader, ClusteredIndex } from '../vectors/index.ts';

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

/** The cells of a vector index as of a position in the change sequence. */
interface FormerCells {
  readonly header: CellsHeader;
  readonly cells: readonly CellBytes[];
  readonly position: number;
}

/** See the top of this file. */
export class CollectionIndexes {
  readonly #store: RecordStore;
  readonly #space: Space;
  #position = 0;
  #rows: number[] | null = null;
  #live = new Bitset();
  #deadCount = 0;
  #columns = new MetadataColumns();
  /** Checksums of the embeddings by slot: they tell which changes of a record changed its embedding. */
  #vectorChecksums: number[] = [];
  #vectors: ClusteredIndex | null = null;
  #filtered = new LruMap<string, Bitset>(FILTERS_REMEMBERED_MAX, () => {});
  #isSettled = true;
  /** Cells from before the slots were renumbered, until the embeddings are loaded again. */
  #formerCells: FormerCells | null = null;
  #documents: (string | null)[] | null = null;
  #documentsLength = 0;
  #hasTooLongDocuments = false;

  constructor(store: RecordStore, space: Space) {
    this.#store = store;
    this.#space = space;
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

  /** Works on the vector index for about `budgetMs` by the clock `nowMs`. */
  maintain(budgetMs: number, nowMs: () => number): void {
    this.#isSettled = !(this.#vectors?.maintain(budgetMs, nowMs) ?? false);
  }

  /** Brings everything loaded up to `state`, the state of the transaction under way. */
  follow(state: StoreState): void {
    if (this.#position > state.sequence) this.drop();
    else if (this.#position < state.purgedSequence || this.#hasTooManyDead()) this.#renumber();
    if (this.#position !== state.sequence) this.#forgetFilters();
    if (this.#rows === null) {
      this.#loadRows(state);
    } else if (this.#position < state.sequence) {
      this.#absorb(state);
    }
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
    return this.#rows![slot]!;
  }

  /** The slot of a row, or −1 where the row has none. O(log rows). */
  slotOf(row: number): number {
    const rows = this.#rows!;
    let low = 0;
    let high = rows.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = rows[middle]!;
      if (found === row) return middle;
      if (found < row) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
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
    const valueCount = (keys.length + others.length) * this.#rows!.length;
    const wanted = valueCount <= EAGER_VALUES_MAX ? [...keys, ...others] : keys;
    const missing = new Set(wanted.filter((key) => !this.#columns.hasKey(key)));
    this.#columns.addKeys([...missing]);
    try {
      for (const record of this.#store.scan()) {
        if (record.metadata !== null) this.#columns.set(this.liveSlotOf(record.row), record.metadata);
      }
    } catch (error) {
      // A column that was loaded by half would answer wrongly from now on.
      this.drop();
      throw error;
    }
  }

  /** The index of the embeddings, loaded at the first call; `dimension` is that of the state. */
  vectors(dimension: number): ClusteredIndex {
    if (this.#vectors === null) {
      const random = seededNumbers(INDEX_SEED);
      const vectors = new ClusteredIndex({ space: this.#space, dimension, random });
      const slots = this.#live.toArray();
      const rows = Array.from(slots, (slot) => this.rowAt(slot));
      const checksums = Array.from(slots, (slot) => this.#vectorChecksums[slot]!);
      const load = this.#store.vectors(dimension);
      load.scan(rows, checksums, (index, embedding) => vectors.set(slots[index]!, embedding));
      this.#takeOverCells(vectors);
      this.#vectors = vectors;
      this.#isSettled = false;
    }
    return this.#vectors;
  }

  /** The documents by slot, loaded at the first call; `null` where they are too long to be kept in memory. */
  documents(): readonly (string | null)[] | null {
    if (this.#documents === null && !this.#hasTooLongDocuments) {
      this.#documents = [];
      try {
        for (const record of this.#store.scan()) {
          this.#setDocument(this.liveSlotOf(record.row), record.document);
          if (this.#documents === null) break;
        }
      } catch (error) {
        this.drop();
        throw error;
      }
    }
    return this.#documents;
  }

  /**
   * Forgets everything; the next call loads anew. For after a transaction whose changes were seen but undone.
   */
  drop(): void {
    this.#forgetFilters();
    this.#rows = null;
    this.#live = new Bitset();
    this.#deadCount = 0;
    this.#columns = new MetadataColumns();
    this.#vectors = null;
    this.#formerCells = null;
    this.#isSettled = true;
    this.#documents = null;
    this.#documentsLength = 0;
    this.#hasTooLongDocuments = false;
  }

  /** Gives the live records slots without gaps, by loading anew. Making the cells anew would take longest. */
  #renumber(): void {
    const rows = this.#rows ?? [];
    const header = this.#vectors?.header;
    const cells = this.#vectors === null ? [] : [...this.#vectors.keptCells((slot) => rows[slot]!)];
    const position = this.#position;
    this.drop();
    if (header !== undefined) this.#formerCells = { header, cells, position };
  }

  /** Cells name rows, which keep their numbers; rows that have changed since are left to be taken in anew. */
  #takeOverCells(vectors: ClusteredIndex): void {
    if (this.#formerCells === null) return;
    const { header, cells, position } = this.#formerCells;
    const changed = new Set(this.#store.changesSince(position).map(([, row]) => row));
    vectors.loadCells(header, cells, (row) => (changed.has(row) ? -1 : this.slotOf(row)));
    this.#formerCells = null;
  }

  #forgetFilters(): void {
    this.#filtered = new LruMap(FILTERS_REMEMBERED_MAX, () => {});
  }

  #hasTooManyDead(): boolean {
    const slotCount = this.#rows?.length ?? 0;
    return this.#deadCount > DEAD_COUNT_MIN && this.#deadCount > slotCount * DEAD_SHARE_MAX;
  }

  #loadRows(state: StoreState): void {
    const { rows, vectorChecksums } = this.#store.rows();
    this.#rows = rows;
    this.#vectorChecksums = vectorChecksums;
    if (rows.length !== state.recordCount) {
      this.drop();
      throw this.#store.corrupt('it holds other records than its state counts');
    }
    this.#live = Bitset.full(rows.length);
    this.#deadCount = 0;
  }

  #absorb(state: StoreState): void {
    const changed = this.#store.changesSince(this.#position).map(([, row]) => row);
    if (changed.length > BACKLOG_COUNT_MIN && changed.length > state.recordCount / 2) {
      this.#renumber();
      this.#loadRows(state);
      return;
    }
    // Ascending rows keep the list of rows sorted and touch each vector block once.
    changed.sort((a, b) => a - b);
    const rows = this.#rows!;
    const table = this.#vectors && state.dimension !== null ? this.#store.vectors(state.dimension) : null;
    for (const row of changed) {
      const record = this.#store.byRow(row);
      let slot = this.slotOf(row);
      if (record === undefined) {
        if (slot !== -1) this.#bury(slot);
        continue;
      }
      if (slot === -1) {
        slot = rows.push(row) - 1;
        this.#live.add(slot);
      }
      this.#columns.set(slot, record.metadata);
      this.#setDocument(slot, record.document);
      if (table !== null && this.#vectorChecksums[slot] !== record.vectorChecksum) {
        this.#vectors!.set(slot, table.read(row, record.vectorChecksum));
        this.#isSettled = false;
      }
      this.#vectorChecksums[slot] = record.vectorChecksum;
    }
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
}
