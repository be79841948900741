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
 * row to another page, and nobody sees a row other than it is. Only a row whose checksum agrees grows: SQLite
 * frees the pages that it names, and those of a damaged row may be another's.
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
import type { RecordStore, StoreState } from '../records/index.ts';
import { LOG_PAGES_MIN, PAGE_BYTES } from '../records/index.ts';
import { isLeafPage, type LeafPage, LogPages, readLeafPage } from '../sqlite/index.ts';
import { ERASED_TABLES, type ErasedTable } from './erased-tables.ts';

/** Turns at one slice, as long as others begin the log anew between its transactions, or hold the lock. */
const TURNS_MAX = 50;

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
  #turns = 0;
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
    const after = this.#slice(store, current, waits);
    if (after === 'locked') return 'locked';
    if (after === 'missed') {
      this.#log.rewind();
      return ++this.#turns < TURNS_MAX ? 'more' : 'incomplete';
    }
    this.#turns = 0;
    this.#after = after ?? -1;
    if (after === null) this.#tables.shift();
    return 'more';
  }

  #finish(store: RecordStore, waits: boolean): PassOutcome {
    if (this.#isIncomplete) return 'incomplete';
    return store.writeBehind(() => store.noteErased(this.total), waits) ? 'done' : 'locked';
  }

  /**
   * Clears the gaps in the pages of the next rows. Returns the last of them; `null` where there are no more;
   * or that nothing was done, for want of the lock or because not all of their pages were seen.
   */
  #slice(
    store: RecordStore,
    { table, last }: { table: ErasedTable; last: number },
    waits: boolean,
  ): number | null | 'locked' | 'missed' {
    // Once without the lock, since it may be long, and the rest with it.
    this.#log.skip();
    let touched: ReadonlyMap<number, number> = new Map();
    const touch = (): void => {
      this.#log.skip();
      touched = table.touch(store, this.#after, last);
    };
    if (!store.writeBehind(touch, waits)) return 'locked';
    if (touched.size === 0) return null;
    let isSeen = false;
    const clear = (): void => {
      // Under the lock: what is read is how the pages are.
      const pages = [...this.#log.read(isLeafPage).values()].map(readLeafPage);
      const isOwn = (page: LeafPage | null): page is LeafPage => page !== null && table.owns(page, touched);
      const own = pages.filter(isOwn);
      const seen = new Set(own.flatMap(({ rows }) => rows.map(({ key }) => key)));
      isSeen = [...touched.keys()].every((key) => seen.has(key));
      if (!isSeen) return;
      for (const page of own) {
        if (page.hasRemnants && !table.clear(store, page)) this.#isIncomplete = true;
      }
    };
    if (!store.writeBehind(clear, waits)) return 'locked';
    return isSeen ? Math.max(...touched.keys()) : 'missed';
  }
}

/** Changes and deletions that there ever were: all that the sequence counts beside new records. */
function totalOf({ sequence, nextRow }: StoreState): number {
  return sequence - (nextRow - 1);
}
