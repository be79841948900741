/**
 * Removes copies of deleted records that SQLite has left in the unused part of pages.
 *
 * SQLite overwrites the place of a deleted row (`secure_delete`). Yet when it moves rows from page to page to
 * balance its tree, it may pack those of a page together, and then their former places stay as they are in
 * the gap between the page's header and its rows, where nothing ever overwrites them but rows to come. They
 * are copies of rows that are still there; once such a row is deleted, its copy is what is left of it.
 *
 * No statement shows a gap, so every page that may have one is brought into the write-ahead log, where its
 * bytes can be read (log-pages.ts): a row of it is changed, and changed back, in one transaction. Where the
 * gap holds something, a row of the page is let grow to all that is free in it, so that SQLite has to clear
 * the gap (`growth`), and shrink again, in one transaction as well. Neither moves a row to another page, and
 * nobody sees a row other than it is. A slice does this for some rows; a pass goes through all of them.
 *
 * Only a collection whose records were changed or deleted needs a pass, and its file says up to how many
 * changes one was made (`erased`). A pass writes each page of records once, and the page with the first part
 * of each block of embeddings: 41 MB for 100,000 records of 384 components and texts of 130 bytes, in a file
 * of 185 MB, which takes 1.4 s.
 *
 * No record depends on it: a power cut may undo it, and what hinders it, a lock or damage, ends it without an
 * error, for the next pass to make good. Not reached are the first 24 bytes of the gap of a page with a
 * single row, and the pages of indexes, which hold ids, trigrams and codes of embeddings.
 */
import { DatabaseError } from '../base/index.ts';
import type { RecordStore, StoreState } from '../records/index.ts';
import { isLeafPage, type LeafPage, LogPages, readLeafPage } from '../sqlite/index.ts';
import { BlockPages, type ErasedTable, RecordPages } from './erased-tables.ts';

/**
 * Turns at one slice, as long as others hold the lock, or begin the log anew between its two transactions.
 */
const TURNS_MAX = 50;

/** Bytes of the log above which it is folded into its file after a slice: SQLite's own thousand pages. */
const LOG_BYTES_MAX = 2_097_152;

/** One walk through all tables. */
interface Pass {
  /** Changes and deletions of records that there were when it began. */
  readonly changeCount: number;
  /** The tables that are not done; the first is under way. */
  readonly tables: ErasedTable[];
  /** The last of its rows that is done. */
  after: number;
  /** Turns at the slice that is next. */
  turns: number;
}

/** Removes the remnants in the file of one collection; see the top of this file. */
export class RemnantEraser {
  readonly #store: RecordStore;
  readonly #log: LogPages;
  #pass: Pass | undefined;
  /** Changes at which a pass could not be done: one has to come before the next is tried unasked. */
  #givenUpAt = -1;

  constructor(store: RecordStore) {
    this.#store = store;
    this.#log = new LogPages(store.database.path);
  }

  /** Changes and deletions of records up to now: what `step` has to reach for nothing of them to be left. */
  goal(): number {
    return this.#store.read(changeCount);
  }

  /**
   * How many of them came after the last pass, 0 also where it could not be done; the records that there are;
   * and the goal.
   */
  outstanding(): { changeCount: number; recordCount: number; goal: number } {
    return this.#store.read((state) => {
      const goal = changeCount(state);
      const isHopeless = goal === this.#givenUpAt || this.#isInMemory;
      const outstanding = isHopeless ? 0 : Math.max(0, goal - this.#store.erasedChanges());
      return { changeCount: outstanding, recordCount: state.recordCount, goal };
    });
  }

  get #isInMemory(): boolean {
    return this.#store.database.path === ':memory:';
  }

  /** Ends the pass as one that cannot be done now. */
  #giveUp(): void {
    this.#givenUpAt = this.#pass?.changeCount ?? -1;
    this.#pass = undefined;
  }

  /**
   * Does one slice. Returns whether more is left, which is until a pass is done that began when there were
   * as many changes as the goal says.
   */
  step(goal: number): boolean {
    if (this.#isInMemory) return false;
    try {
      return this.#step(goal);
    } catch (error) {
      // What is damaged is for `verify` to name and for `repair` to mend.
      if (!(error instanceof DatabaseError)) throw error;
      this.#giveUp();
      return false;
    }
  }

  #step(goal: number): boolean {
    if (this.#pass === undefined) {
      if (this.#store.read(() => this.#store.erasedChanges()) >= goal) return false;
      const { database } = this.#store;
      const tables = [new RecordPages(database), new BlockPages(database)];
      this.#pass = { changeCount: this.goal(), tables, after: -1, turns: 0 };
    }
    const pass = this.#pass;
    const [table] = pass.tables;
    const last = table === undefined ? this.#finish(pass) : this.#slice(table, pass.after);
    if (last === 'hindered') {
      pass.turns++;
      if (pass.turns === TURNS_MAX) this.#giveUp();
      return pass.turns < TURNS_MAX;
    }
    pass.turns = 0;
    pass.after = last ?? -1;
    if (last === null) pass.tables.shift();
    return true;
  }

  #finish(pass: Pass): null | 'hindered' {
    if (!this.#store.writeBehind(() => this.#store.noteErased(pass.changeCount))) return 'hindered';
    this.#pass = undefined;
    return null;
  }

  /** Erases in the pages of the next rows. Returns the last of them, `null` where there are no more. */
  #slice(table: ErasedTable, after: number): number | null | 'hindered' {
    if (this.#log.bytes > LOG_BYTES_MAX) this.#store.sync();
    let touched: ReadonlyMap<number, number> = new Map();
    const isTouched = this.#store.writeBehind(() => {
      this.#log.read(isLeafPage);
      touched = table.touch(after);
    });
    if (!isTouched) return 'hindered';
    if (touched.size === 0) return null;
    let isErased = false;
    this.#store.writeBehind(() => {
      // Under the lock: what is read is how the pages are.
      const pages = [...this.#log.read(isLeafPage).values()].map(readLeafPage);
      const isOwn = (page: LeafPage | null): page is LeafPage => page !== null && table.owns(page, touched);
      const own = pages.filter(isOwn);
      const seen = new Set(own.flatMap(({ rows }) => rows.map(({ key }) => key)));
      isErased = [...touched.keys()].every((key) => seen.has(key));
      if (!isErased) return;
      for (const page of own) if (page.hasRemnants) table.clear(page);
    });
    return isErased ? Math.max(...touched.keys()) : 'hindered';
  }
}

/** Changes and deletions that there ever were: all that the sequence counts beside new records. */
function changeCount({ sequence, nextRow }: StoreState): number {
  return sequence - (nextRow - 1);
}
