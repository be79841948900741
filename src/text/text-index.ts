/**
 * The text index: which documents contain a given substring. An FTS5 table of trigrams in the collection's
 * own file, made when it is first needed, that follows the records: it knows the position in the change
 * sequence that it stands for, and whoever reads it looks at the changes after that.
 *
 * The table keeps trigrams with their places and no text (`content=''`), so it needs no old text to forget a
 * document: FTS5 notes a tombstone (`contentless_delete=1`) and drops the trigrams when it next merges the
 * segment, at the latest when a tenth of it is tombstones. Until then they are in the file, from which a
 * patient reader could piece the text together; `erase` merges all segments, which leaves nothing of them.
 *
 * Why `detail=full`: a phrase of consecutive trigrams is then the very substring, and no document has to be
 * read. On 100,000 texts of 120 bytes (12 MB) the table takes 39 MB and is filled with 41,000 documents a
 * second; without places (`detail=none`) it takes 14 MB and 57,000 a second, but every candidate must be read
 * to be believed: a word in a tenth of the documents is answered in 8 ms here and would take 71 ms there.
 *
 * Why an answer is exact. Case and accents are kept (`case_sensitive 1`). A needle of n ≥ 3 code points
 * becomes n − 2 trigrams at consecutive places, and these determine every code point. What the tokenizer
 * alters is kept away from it on both sides: it skips NUL, which would bring strangers together, so documents
 * have U+FFFD in its place; and it reads surrogates, U+FFFE and U+FFFF as U+FFFD, so needles with any of
 * these are not answered here (`canAnswer`).
 *
 * A damaged index loses nothing: whatever SQLite says of it becomes `TESSERA_CORRUPT`, upon which readers
 * look at the documents instead and maintenance drops the index.
 */
import { DatabaseError } from '../base/index.ts';
import { isSqlError, type SqlDatabase } from '../sqlite/index.ts';

/** The name of this follower in the table `followers`. */
const FOLLOWER = 'text';

/**
 * The name under which it keeps since when it has seen every deletion: whatever was forgotten before it was
 * made does not concern it, though its position is behind that until it has caught up.
 */
const START = 'text start';

/**
 * The name under which it keeps that no trigrams are left of documents it has forgotten; an index that does
 * not say so, because it has forgotten some or was made by an earlier release, may have some.
 */
const ERASED = 'text erased';

/** Pages of the index that one slice of `erase` writes: a few milliseconds. */
const ERASED_PAGES = 500;

const CREATE_SQL = `
  CREATE TABLE IF NOT EXISTS followers (name TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
  CREATE VIRTUAL TABLE text_index USING fts5(
    document, content='', contentless_delete=1, detail=full, tokenize='trigram case_sensitive 1'
  );
  INSERT INTO followers (name, position) VALUES ('${FOLLOWER}', 0), ('${ERASED}', 0);`;

const DROP_SQL = `
  DROP TABLE IF EXISTS text_index;
  DELETE FROM followers WHERE name IN ('${FOLLOWER}', '${START}', '${ERASED}');`;

/** Shortest needle, in code points: one trigram. */
const NEEDLE_LENGTH_MIN = 3;

/**
 * Longest needle, in UTF-16 units. FTS5 reads the places of each trigram of a needle: 100 characters over 20
 * MB of long documents take 90 ms, and the time grows with the needle, while reading the documents does not.
 */
const NEEDLE_LENGTH_MAX = 256;

/** What the tokenizer does not keep as it is. */
const ALTERED = /[\0\ufffd-\uffff\p{Surrogate}]/u;

/**
 * See the top of this file. All methods belong inside a transaction of the caller's.
 *
 * Errors of all methods: `TESSERA_CORRUPT` for a damaged index, and those of the sqlite room.
 */
export class TextIndex {
  readonly #database: SqlDatabase;
  #hasRemnants: boolean | undefined;

  private constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** The index of a collection's file, or `null` where none was made. */
  static open(database: SqlDatabase): TextIndex | null {
    return database.hasTable('text_index') ? new TextIndex(database) : null;
  }

  /**
   * Makes an empty index, at position 0. There must be none. `start` is the position up to which tombstones
   * are gone.
   */
  static create(database: SqlDatabase, start = 0): TextIndex {
    database.exec(CREATE_SQL);
    if (start > 0) {
      database.prepare('INSERT INTO followers (name, position) VALUES (?, ?)').run(START, start);
    }
    return new TextIndex(database);
  }

  /**
   * Whether a needle can be looked up: 3 code points or more, 256 units or fewer, and none that the tokenizer
   * alters. Other needles need a scan of the documents.
   */
  static canAnswer(needle: string): boolean {
    if (needle.length > NEEDLE_LENGTH_MAX || ALTERED.test(needle)) return false;
    return [...needle].length >= NEEDLE_LENGTH_MIN;
  }

  /** Removes the index from the file. */
  drop(): void {
    this.#guard(() => this.#database.exec(DROP_SQL));
  }

  /** The position in the change sequence up to which the index has seen the records. */
  position(): number {
    const position = this.#positionOf(FOLLOWER);
    if (Number.isSafeInteger(position)) return position as number;
    throw this.#damage(`its position is ${String(position)}`);
  }

  /** Whether it has seen, or need not see, every deletion whose tombstone is gone: those up to a position. */
  hasSeenDeletions(purgedSequence: number): boolean {
    return this.position() >= purgedSequence || Number(this.#positionOf(START) ?? 0) >= purgedSequence;
  }

  setPosition(position: number): void {
    const sql = 'UPDATE followers SET position = ? WHERE name = ?';
    this.#guard(() => this.#database.prepare(sql).run(position, FOLLOWER));
  }

  /** Makes `document` what the index knows of a row; `null` for none. */
  put(row: number, document: string | null): void {
    this.remove(row);
    if (document === null) return;
    const sql = 'INSERT INTO text_index (rowid, document) VALUES (?, ?)';
    this.#guard(() => this.#database.prepare(sql).run(row, document.replaceAll('\0', '\ufffd')));
  }

  /** Forgets a row; one that is not in the index is no error. */
  remove(row: number): void {
    const remove = this.#database.prepare('DELETE FROM text_index WHERE rowid = ?');
    const wasThere = this.#guard(() => remove.run(row)) > 0;
    if (!wasThere || this.#hasRemnants === true) return;
    this.#guard(() => this.#database.prepare('DELETE FROM followers WHERE name = ?').run(ERASED));
    this.#hasRemnants = true;
  }

  /** Whether trigrams may be left of documents that it has forgotten. */
  get hasRemnants(): boolean {
    this.#hasRemnants ??= this.#positionOf(ERASED) === undefined;
    return this.#hasRemnants;
  }

  /** One slice of merging all segments. Returns whether more is left; if not, no remnants are. */
  erase(): boolean {
    const count = (): number => this.#database.prepare('SELECT total_changes()').get()![0] as number;
    const before = count();
    const merge = `INSERT INTO text_index (text_index, rank) VALUES ('merge', -${ERASED_PAGES})`;
    this.#guard(() => this.#database.prepare(merge).run());
    // The statement itself counts as one change.
    if (count() - before >= 2) return true;
    const note = 'INSERT OR REPLACE INTO followers (name, position) VALUES (?, 0)';
    this.#guard(() => this.#database.prepare(note).run(ERASED));
    this.#hasRemnants = false;
    return false;
  }

  /** The rows, ascending, whose documents contain the needle, which must be one that `canAnswer` accepts. */
  rowsContaining(needle: string): number[] {
    const sql = 'SELECT rowid FROM text_index WHERE text_index MATCH ?';
    const rows = this.#guard(() => this.#database.prepare(sql).all(phraseOf(needle)));
    return rows.map(([row]) => row as number);
  }

  // Rows are cast, since drivers bind numbers as floats, which FTS5 takes for no row at all beside MATCH.

  /** Whether a row's document contains a needle that `canAnswer` accepts. Three code points take 20 µs. */
  hasIn(row: number, needle: string): boolean {
    const sql = 'SELECT 1 FROM text_index WHERE text_index MATCH ? AND rowid = CAST(? AS INTEGER)';
    return this.#guard(() => this.#database.prepare(sql).get(phraseOf(needle), row)) !== undefined;
  }

  /** The rows after one and up to another that the index has documents of, ascending. */
  rowsBetween(after: number, last: number): number[] {
    const sql =
      'SELECT rowid FROM text_index WHERE rowid > CAST(? AS INTEGER) AND rowid <= CAST(? AS INTEGER)';
    return this.#guard(() => this.#database.prepare(sql).all(after, last)).map(([row]) => row as number);
  }

  #positionOf(name: string): unknown {
    const sql = 'SELECT position FROM followers WHERE name = ?';
    return this.#guard(() => this.#database.prepare(sql).get(name)?.[0]);
  }

  /** Runs `work`; what SQLite says of damaged tables has many codes, of which some mean a fault of ours. */
  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      const isDamage = isSqlError(error) && !(error instanceof DatabaseError && error.kind === 'unavailable');
      throw isDamage ? this.#damage(String(error), error) : error;
    }
  }

  #damage(what: string, cause?: unknown): DatabaseError {
    const { path } = this.#database;
    const message = `The text index of ${path} is damaged: ${what}. Documents are read instead.`;
    return new DatabaseError('TESSERA_CORRUPT', message, { cause, details: { path } });
  }
}

/** A needle as FTS5 takes a phrase. */
function phraseOf(needle: string): string {
  return `"${needle.replaceAll('"', '""')}"`;
}
