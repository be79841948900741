/**
 * How long a collection's write-ahead log may become before a commit folds it into the file.
 *
 * A page that several commits change is written to the file once for each time that the log is folded. With
 * ids in no order most pages of their index are changed by every batch: from some 50,000 records on, a batch
 * of 500 writes 1,200 pages, and with SQLite's usual 1,000 each commit folded the log, with a sync of the
 * file. With 4,000 there were 1.3 times as many records a second at 60,000 to 80,000, and 8,000 gave no more
 * on a thread. A small file is not to have a log several times as long, so the log may have a sixteenth of
 * the file's pages, and SQLite's usual number at least.
 */
import type { SqlDatabase } from '../sqlite/index.ts';

/** SQLite's own default. */
export const LOG_PAGES_MIN = 1_000;
const SHARE = 1 / 16;
/** The file is looked at again when the records have become so many times as many, or this part. */
const GROWTH = 1.25;

/** See the top of this file. */
export class LogLength {
  readonly #database: SqlDatabase;
  readonly #pagesMax: number;
  /** Records that there were when the length was last chosen, and that there are. */
  #chosenAt = 0;
  #recordCount = 0;

  constructor(database: SqlDatabase, pagesMax: number) {
    this.#database = database;
    this.#pagesMax = pagesMax;
  }

  /** Notes how many records there are after a commit. */
  note(recordCount: number): void {
    this.#recordCount = recordCount;
  }

  /**
   * Chooses anew where the collection has grown or shrunk much. To be called before a transaction, so that
   * what fails here fails before anything is done.
   */
  choose(): void {
    const count = this.#recordCount;
    if (count <= this.#chosenAt * GROWTH && count * GROWTH >= this.#chosenAt) return;
    const pages = Math.max(LOG_PAGES_MIN, Math.floor(Number(this.#database.pragma('page_count')) * SHARE));
    this.#database.exec(`PRAGMA wal_autocheckpoint = ${Math.min(this.#pagesMax, pages)}`);
    this.#chosenAt = count;
  }
}
