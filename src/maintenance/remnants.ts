/**
 * Removes copies of deleted records that SQLite has left in the unused part of pages.
 *
 * SQLite overwrites the place of a deleted row (`secure_delete`). Yet when it moves rows from page to page to
 * balance its tree, it may pack those of a page together, and then their former places stay as they are in
 * the gap between the page's header and its rows, where nothing ever overwrites them but rows to come. They
 * are copies of rows that are still there; once such a row is deleted, its copy is what is left of it.
 *
 * No statement shows a gap, so every page that may have one is brought into the write-ahead log, where its
 * bytes can be read (log-pages.ts): a number of a row of it is changed for one as long, and changed back, in
 * one transaction. Where the gap holds something, a row of the page is let grow to all that is free in it, so
 * that SQLite has to clear the gap (`growth`), and shrink again, in one transaction as well. Neither moves a
 * row to another page, and nobody sees a row other than it is. Only rows whose checksums agree are changed:
 * where SQLite makes a row longer or shorter it frees the pages that the row names, and those of a damaged
 * one may be another's.
 *
 * A slice does this for some rows; a pass goes through all of them, and the file notes up to how many changes
 * of records one was made (`erased`). It writes the pages of records, and the page with the first part of
 * each block of embeddings: 41 MB for 100,000 records of 384 components and texts of 130 bytes, in a file of
 * 185 MB.
 *
 * Not reached are a byte or two of a gap where no row can have the length, the first 24 bytes of that of a
 * page with a single row, pages without a row whose checksum agrees, and those of indexes, which hold ids,
 * trigrams and codes of embeddings.
 */
import { DatabaseError } from '../base/index.ts';
import { LOG_PAGES_MIN, PAGE_BYTES, type RecordStore, type StoreState } from '../records/index.ts';
import { isLeafPage, type LeafPage, LogPages, readLeafPage } from '../sqlite/index.ts';
import { ERASED_TABLES, type ErasedTable, ROWS_PER_SLICE_MAX, type Touched } from './erased-tables.ts';

/** Turns at a slice of which not all pages are seen: the log was begun anew meanwhile, or one is damaged. */
const TURNS_MAX = 5;

/** Rows that may be stepped over because the table cannot be read there, before the pass is over. */
const UNREADABLE_MAX = 64;

/** Bytes of the log above which it is folded into its file after a slice, as after a commit. */
const LOG_BYTES_MAX = LOG_PAGES_MIN * PAGE_BYTES;

/**
 * What became of a slice: there are more; the pass is done; it is done, and has left something, because of
 * damage; nothing was done, because another connection had the lock.
 */
export type PassOutcome = 'more' | 'done' | 'incomplete' | 'locked';

/** How a collection stands with what was removed from it. */
export interface Outstanding {
  /** Changes and deletions of records that there ever were. */
  readonly total: number;
  /** Those of them that no pass came after. */
  readonly changeCount: number;
  readonly recordCount: number;
}

/** Reads how a collection stands. Errors: those of reading. */
export function outstandingChanges(store: RecordStore): Outstanding {
  return store.read((state) => {
    const total = totalOf(state);
    const isInMemory = store.database.path === ':memory:';
    const changeCount = isInMemory ? 0 : total - store.erasedChanges(total);
    return { total, changeCount, recordCount: state.recordCount };
  });
}

/** One walk through the pages of a collection; see the top of this file. */
export class RemnantPass {
  /** Changes and deletions of records that there were when it began. */
  readonly total: number;
  readonly #log: LogPages;
  /** The tables that are not done, each with its last row; the first is under way. */
  readonly #tables: { readonly table: ErasedTable; readonly last: number }[];
  /** The row up to which it is done. */
  #after = -1;
  /** Rows of the next slice at most: half as many where one could not be read. */
  #limit = ROWS_PER_SLICE_MAX;
  #turns = 0;
  #unreadableCount = 0;
  #isIncomplete = false;

  /** Begins one. Later slices may be given another connection to the same file. Errors: those of reading. */
  constructor(store: RecordStore) {
    this.#log = new LogPages(store.database.path);
    this.total = store.read(totalOf);
    this.#tables = ERASED_TABLES.map((Table) => {
      const table = new Table();
      return { table, last: store.read(() => table.lastKey(store)) };
    });
  }

  /**
   * Does one slice. One that `waits` does so for the lock as other writes do. Errors: those of writing, after
   * which the pass is over; `TESSERA_BUSY` where it waits.
   */
  step(store: RecordStore, waits: boolean): PassOutcome {
    const [current] = this.#tables;
    if (current === undefined) return this.#finish(store, waits);
    if (this.#log.bytes > LOG_BYTES_MAX) store.sync();
    try {
      return this.#slice(store, current, waits) ? 'more' : 'locked';
    } catch (error) {
      if (!(error instanceof DatabaseError) || error.kind !== 'corrupt') throw error;
      return this.#stepOver() ? 'more' : 'incomplete';
    }
  }

  #finish(store: RecordStore, waits: boolean): PassOutcome {
    if (this.#isIncomplete) return 'incomplete';
    return store.writeBehind(() => store.noteErased(this.total), waits) ? 'done' : 'locked';
  }

  /** Lets the next slice be half as long, or begin behind its one row. Returns whether the pass goes on. */
  #stepOver(): boolean {
    this.#isIncomplete = true;
    if (this.#limit === 1) {
      this.#after++;
      this.#unreadableCount++;
    }
    this.#limit = Math.max(1, Math.floor(Math.min(this.#limit, ROWS_PER_SLICE_MAX) / 2));
    return this.#unreadableCount < UNREADABLE_MAX;
  }

  /** Clears the gaps in the pages of the next rows. Returns whether it could, or had not the lock. */
  #slice(store: RecordStore, { table, last }: { table: ErasedTable; last: number }, waits: boolean): boolean {
    // Once without the lock, since it may be long, and the rest with it.
    this.#log.skip();
    let touched: Touched | undefined;
    const touch = (): void => {
      this.#log.skip();
      touched = table.touch(store, this.#after, last, this.#limit);
    };
    if (!store.writeBehind(touch, waits)) return false;
    const { rows, last: end, damagedCount } = touched!;
    let isSeen = rows.size === 0;
    const clear = (): void => {
      // Under the lock: what is read is how the pages are.
      const pages = [...this.#log.read(isLeafPage).values()].map(readLeafPage);
      const isOwn = (page: LeafPage | null): page is LeafPage => page !== null && table.owns(page, rows);
      const own = pages.filter(isOwn);
      const seen = new Set(own.flatMap((page) => page.rows.map(({ key }) => key)));
      isSeen = [...rows.keys()].every((key) => seen.has(key));
      for (const page of own) {
        if (page.hasRemnants && !table.clear(store, page)) this.#isIncomplete = true;
      }
    };
    if (!isSeen && !store.writeBehind(clear, waits)) return false;
    if (damagedCount > 0) this.#isIncomplete = true;
    this.#goOn(end, isSeen);
    return true;
  }

  /** Takes the slice as done, or has another turn at it. */
  #goOn(end: number | null, isSeen: boolean): void {
    this.#turns++;
    if (!isSeen && this.#turns < TURNS_MAX) {
      this.#log.rewind();
      return;
    }
    if (!isSeen) this.#isIncomplete = true;
    this.#turns = 0;
    this.#limit = ROWS_PER_SLICE_MAX;
    this.#after = end ?? -1;
    if (end === null) this.#tables.shift();
  }
}

/** Changes and deletions that there ever were: all that the sequence counts beside new records. */
function totalOf({ sequence, nextRow }: StoreState): number {
  return sequence - (nextRow - 1);
}
