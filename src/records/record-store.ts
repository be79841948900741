/**
 * One collection's records: the truth that every index follows.
 *
 * Reads happen inside `read`, writes inside `writeGroup`; both begin with the state, so that they see what
 * any process has acknowledged. Nothing is cached between transactions.
 */
import { type ChangesRequest, isWellFormed } from '../api/index.ts';
import { DatabaseError } from '../base/index.ts';
import { isSqlError, type SqlDatabase, type SqlRow } from '../sqlite/index.ts';
import { COLLECTION_MIGRATIONS, ERASED_SQL, rowsPerBlock } from './format.ts';
import { addIdentity, checkIdentity, readIdentity } from './identity.ts';
import { LOG_PAGES_MIN, LogLength } from './log-length.ts';
import { formerPaths, type OpenFileOptions, openFile } from './open-file.ts';
import { corruptRecord, decodeRecord, RECORD_COLUMNS, type StoredRecord } from './record.ts';
import { RecordWriter } from './record-writer.ts';
import { deletedMeanwhile } from './refusals.ts';
import { readState, type StoreState, writeState } from './state.ts';
import { isCurrent } from './unwritable.ts';
import { isSoundBlock } from './vector-block.ts';
import { VectorTable } from './vector-table.ts';

/** What became of one call of a group. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: unknown };

/** What `examine` finds in a row: a record, or why there is none that can be believed. */
export type Examined =
  | { readonly row: number; readonly id: string; readonly record: StoredRecord; readonly damage: null }
  | { readonly row: number; readonly id: string | null; readonly record: null; readonly damage: string };

/** How to open a store; the identifier is left out by who looks into a file whatever it is. */
export interface OpenStoreOptions extends Omit<OpenFileOptions, 'migrations' | 'onMade'> {
  readonly collectionId?: string | undefined;
}

/**
 * Records that a scan reads at once, instead of one after the other: with cheaper checks of their types, a
 * tenth of the time of loading documents or metadata of 50,000 (2026-11-30).
 */
const SCANNED_COUNT = 64;
/** Fewer where their documents and metadata are more than this: a document may have 64 MiB. */
const SCANNED_BYTES = 1_048_576;

/** See the top of this file. */
export class RecordStore {
  readonly database: SqlDatabase;
  readonly #logLength: LogLength;

  private constructor(database: SqlDatabase, walPagesMax: number) {
    this.database = database;
    this.#logLength = new LogLength(database, walPagesMax);
  }

  /**
   * Opens or creates the file of a collection. Errors: those of `openFile`, and `TESSERA_CORRUPT` for the
   * file of another collection.
   */
  static open({ collectionId, ...options }: OpenStoreOptions): RecordStore {
    const onMade = (made: SqlDatabase): void => {
      if (collectionId !== undefined) addIdentity(made, collectionId);
    };
    const database = openCollectionFile(
      { ...options, migrations: COLLECTION_MIGRATIONS, onMade },
      collectionId,
    );
    try {
      if (collectionId !== undefined) checkIdentity(database, collectionId, options.readOnly);
      return new RecordStore(database, options.walPagesMax);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Copies of a collection's file in earlier formats, which may be beside it. */
  static formerPaths(path: string): string[] {
    return formerPaths(path, COLLECTION_MIGRATIONS);
  }

  /** A copy that was made in memory, as a store. */
  static ofCopy({ database }: { readonly database: SqlDatabase }): RecordStore {
    return new RecordStore(database, LOG_PAGES_MIN);
  }

  close(): void {
    this.database.close();
  }

  /** Whether the file is as it was, should it have been opened as one that nobody writes to. */
  get isCurrent(): boolean {
    return isCurrent(this.database);
  }

  /**
   * Runs `work` on one consistent state. Errors: `TESSERA_COLLECTION_NOT_FOUND` when another process deleted
   * it.
   */
  read<T>(work: (state: StoreState) => T): T {
    return this.database.read(() => work(this.liveState()));
  }

  /**
   * Runs several calls in one transaction with one commit, in order. A call that throws is undone alone. When
   * the commit itself fails, nothing of the group is stored and the error is thrown.
   */
  writeGroup<T>(calls: readonly ((writer: RecordWriter, state: StoreState) => T)[]): Outcome<T>[] {
    this.#logLength.choose();
    return calls.length === 1 ? [this.#writeAlone(calls[0]!)] : this.#writeTogether(calls);
  }

  /**
   * One call needs no savepoint, for which SQLite would keep the former content of every page it touches in
   * memory: as much as the collection is large when a call deletes all of it.
   */
  #writeAlone<T>(call: (writer: RecordWriter, state: StoreState) => T): Outcome<T> {
    try {
      const value = this.database.write(() => {
        const state = this.liveState();
        const writer = new RecordWriter(this.database, state);
        const result = call(writer, state);
        this.#logLength.note(writer.finish().recordCount);
        return result;
      });
      return { ok: true, value };
    } catch (error) {
      if (isFatalToGroup(error)) throw error;
      return { ok: false, error };
    }
  }

  #writeTogether<T>(calls: readonly ((writer: RecordWriter, state: StoreState) => T)[]): Outcome<T>[] {
    return this.database.write(() => {
      let state = this.liveState();
      return calls.map((call): Outcome<T> => {
        try {
          const value = this.database.savepoint(() => {
            const writer = new RecordWriter(this.database, state);
            const result = call(writer, state);
            state = writer.finish();
            this.#logLength.note(state.recordCount);
            return result;
          });
          return { ok: true, value };
        } catch (error) {
          if (isFatalToGroup(error)) throw error;
          return { ok: false, error };
        }
      });
    });
  }

  /**
   * Runs `work` in a write transaction that changes no record: for followers that keep tables in this file.
   */
  write<T>(work: (state: StoreState) => T): T {
    return this.database.write(() => work(this.liveState()));
  }

  /**
   * The same where another process has the write lock: then nothing is done, and false returned, unless it
   * waits. What is written may be lost in a power cut, all of it or nothing.
   */
  writeBehind(work: (state: StoreState) => void, waits = false): boolean {
    return this.database.writeBehind(() => work(this.liveState()), waits);
  }

  /**
   * How many changes and deletions of records there were up to the latest of which nothing is left in the
   * file; 0 where it does not say, or says more than there were in all. Belongs inside `read`.
   */
  erasedChanges(total: number): number {
    if (!this.database.hasTable('erased')) return 0;
    const [changes] = this.database.prepare('SELECT changes FROM erased WHERE id = 1').get() ?? [];
    return typeof changes === 'number' && changes >= 0 && changes <= total ? changes : 0;
  }

  /** Notes the same. Belongs inside a write transaction. */
  noteErased(changes: number): void {
    this.database.exec(ERASED_SQL);
    this.database.prepare('INSERT OR REPLACE INTO erased (id, changes) VALUES (1, ?)').run(changes);
  }

  /** Makes sure that what is committed is on the disk, where commits do not wait for it. */
  sync(): void {
    this.database.pragma('wal_checkpoint(PASSIVE)');
  }

  /** Leaves a mark for processes that still have the file open. Call before removing the file. */
  markDeleted(): void {
    this.database.write(() => {
      const state = readState(this.database);
      writeState(this.database, { ...state, isDeleted: true });
    });
  }

  /** The record of an id. Errors: `TESSERA_CORRUPT`, also where the index of ids leads to another record. */
  byId(id: string): StoredRecord | undefined {
    // Half of a surrogate pair has no UTF-8 form: SQLite would look up U+FFFD in its place.
    if (!isWellFormed(id)) return undefined;
    const columns = this.database.prepare(`SELECT ${RECORD_COLUMNS} FROM records WHERE id = ?`).get(id);
    return columns && decodeRecord(columns, id);
  }

  /** The record of a row, or `undefined` where it was deleted. */
  byRow(row: number): StoredRecord | undefined {
    const columns = this.database.prepare(`SELECT ${RECORD_COLUMNS} FROM records WHERE row = ?`).get(row);
    return columns && decodeRecord(columns);
  }

  /** The record of a row that is live. Errors: `TESSERA_CORRUPT` where it is not to be found. */
  liveRow(row: number): StoredRecord {
    const record = this.byRow(row);
    if (record === undefined) throw corruptRecord(row, null, 'its row is missing');
    return record;
  }

  /**
   * Every record after a row, ascending, at most `limit`, with what is wrong with it if anything is. Errors:
   * `TESSERA_CORRUPT` where the table itself cannot be read.
   */
  examine(after: number, limit: number): Examined[] {
    return this.#columnsAfter(after, limit).map((columns) => {
      return examined(columns[0] as number, () => decodeRecord(columns))!;
    });
  }

  /**
   * The columns of the records after a row, ascending, at most `limit`. Errors: `TESSERA_CORRUPT`, also where
   * a row comes twice: who reads on after the last of them would go round in a circle.
   */
  #columnsAfter(after: number, limit: number): SqlRow[] {
    const statement = this.database.prepare(
      `SELECT ${RECORD_COLUMNS} FROM records WHERE row > ? ORDER BY row LIMIT ?`,
    );
    const found = statement.all(after, limit);
    let last = after;
    for (const [row] of found as Iterable<[number]>) {
      if (row <= last) throw this.corrupt(`it holds row ${row} in two places`);
      last = row;
    }
    return found;
  }

  /** The same for rows that no record can have; `nextRow` is that of the state. */
  examineStrays(nextRow: number): Examined[] {
    const sql = `SELECT ${RECORD_COLUMNS} FROM records WHERE row < 1 OR row >= ?`;
    const rows = this.database.prepare(sql).all(nextRow);
    return rows.map((columns) => examined(columns[0] as number, () => decodeRecord(columns))!);
  }

  /** The same for one row; `undefined` where it was deleted. */
  examineRow(row: number): Examined | undefined {
    return examined(row, () => this.byRow(row));
  }

  /** Whether the change sequence names a record at its latest change. */
  isNamed({ row, sequence }: StoredRecord): boolean {
    return this.database.prepare('SELECT row FROM changes WHERE sequence = ?').get(sequence)?.[0] === row;
  }

  /**
   * Makes the change sequence anew from the records that can be believed. Tombstones are gone then, so that
   * followers that were behind start anew. Returns how many records it names.
   */
  rebuildChanges(): number {
    return this.write((state) => {
      this.database.exec('DELETE FROM changes');
      const statement = this.database.prepare('INSERT OR REPLACE INTO changes (sequence, row) VALUES (?, ?)');
      let count = 0;
      for (const [row] of this.database.prepare('SELECT row FROM records').all() as Iterable<[number]>) {
        const { record = null } = this.examineRow(row) ?? {};
        if (record === null) continue;
        statement.run(record.sequence, row);
        count++;
      }
      writeState(this.database, { ...state, tombstoneCount: 0, purgedSequence: state.sequence });
      return count;
    });
  }

  /** Makes the index of ids anew from the records. Errors: `TESSERA_CORRUPT` where they do not allow it. */
  rebuildIdIndex(): void {
    try {
      this.write(() => this.database.exec('REINDEX records'));
    } catch (error) {
      // Ids that damage has made equal violate a constraint, which elsewhere would be a fault of ours.
      if (!isSqlError(error) || error instanceof DatabaseError) throw error;
      throw this.corrupt(`its index of ids cannot be made anew (${String(error)})`);
    }
  }

  /**
   * All records in insertion order, from an offset; at most `limit`. Belongs inside one `read`, as a whole.
   * Errors: `TESSERA_CORRUPT`, also where a row comes twice.
   */
  *scan(limit: number | null = null, offset = 0): Iterable<StoredRecord> {
    const sizes = this.database.prepare(
      `SELECT coalesce(octet_length(document), 0) + coalesce(octet_length(metadata), 0) FROM records
       WHERE row > ? ORDER BY row LIMIT ?`,
    );
    let last = this.#rowBefore(offset);
    for (let left = limit ?? Number.POSITIVE_INFINITY; left > 0; ) {
      const count = countWithin(sizes.all(last, Math.min(left, SCANNED_COUNT)), SCANNED_BYTES);
      const found = this.#columnsAfter(last, count);
      if (found.length === 0) return;
      for (const columns of found) yield decodeRecord(columns);
      last = found.at(-1)![0] as number;
      left -= found.length;
    }
  }

  /** The row after which the record at an offset comes; where there is none, that of the last record. */
  #rowBefore(offset: number): number {
    if (offset === 0) return Number.MIN_SAFE_INTEGER;
    const sql = 'SELECT row FROM records ORDER BY row LIMIT 1 OFFSET ?';
    const before = this.database.prepare(sql).get(offset - 1);
    return before === undefined ? Number.MAX_SAFE_INTEGER : (before[0] as number);
  }

  /** Row numbers in insertion order, and the checksums that the records name for their embeddings. */
  rows(count: number): { rows: Float64Array; checksums: Uint32Array } {
    const rows = new Float64Array(count);
    const checksums = new Uint32Array(count);
    let index = 0;
    const statement = this.database.prepare('SELECT row, vector_checksum FROM records ORDER BY row');
    for (const [row, sum] of statement.iterate()) {
      rows[index] = row as number;
      checksums[index++] = sum as number;
    }
    if (index !== count) throw this.corrupt('it holds other records than its state counts');
    return { rows, checksums };
  }

  /** Rows that changed after a position, each with the checksum of its embedding, `null` where it is gone. */
  changedRows(sequence: number): [row: number, checksum: number | null][] {
    const statement = this.database.prepare(
      `SELECT changes.row, records.vector_checksum FROM changes
       LEFT JOIN records ON records.row = changes.row WHERE changes.sequence > ?`,
    );
    return statement.all(sequence) as [number, number | null][];
  }

  /** Blocks of embeddings that hold, or held, rows which changed after a position, ascending. */
  changedBlocks(sequence: number, dimension: number): number[] {
    // Drivers bind numbers as floats, whose division keeps the rest.
    const statement = this.database.prepare(
      `SELECT DISTINCT (row - 1) / CAST(? AS INTEGER) AS block FROM changes WHERE sequence > ? ORDER BY block`,
    );
    return statement.all(rowsPerBlock(dimension), sequence).map(([block]) => block as number);
  }

  /** Bytes of the file once it holds what is in the write-ahead log. */
  get fileBytes(): number {
    return Number(this.database.pragma('page_count')) * Number(this.database.pragma('page_size'));
  }

  /** Rows that changed after a position, ascending by position; at most `limit`. */
  changesSince(sequence: number, limit = -1): [sequence: number, row: number][] {
    const statement = this.database.prepare(
      'SELECT sequence, row FROM changes WHERE sequence > ? ORDER BY sequence LIMIT ?',
    );
    return statement.all(sequence, limit) as [number, number][];
  }

  /** Live records that changed after a position, in insertion order between two rows; at most `limit`. */
  changedRecords({ after, afterRow, throughRow, limit }: ChangesRequest): StoredRecord[] {
    const columns = RECORD_COLUMNS.replaceAll(/\w+/g, 'records.$&');
    const changed = `SELECT ${columns} FROM changes JOIN records ON records.row = changes.row
      WHERE changes.sequence > ? AND changes.row > ? AND changes.row <= ? ORDER BY changes.row LIMIT ?`;
    // All of them: without a sort of the whole sequence for each page.
    const all = `SELECT ${columns} FROM records WHERE sequence > ? AND row > ? AND row <= ?
      ORDER BY row LIMIT ?`;
    const statement = this.database.prepare(after === 0 ? all : changed);
    const bound = throughRow ?? Number.MAX_SAFE_INTEGER;
    return statement.all(after, afterRow, bound, limit).map((row) => decodeRecord(row));
  }

  /** Whether records were deleted after a position. */
  hasDeletions(sequence: number, state: StoreState): boolean {
    if (state.purgedSequence > sequence) return true;
    const sql = `SELECT 1 FROM changes LEFT JOIN records ON records.row = changes.row
      WHERE changes.sequence > ? AND records.row IS NULL LIMIT 1`;
    return this.database.prepare(sql).get(sequence) !== undefined;
  }

  /** The embeddings of a collection of this dimension, for use within one transaction. */
  vectors(dimension: number): VectorTable {
    return new VectorTable(this.database, dimension);
  }

  /** A block of embeddings, as it is, where each of them has its checksum; else `null`. */
  soundBlock(block: number, dimension: number): Uint8Array | null {
    const [data] = this.database.prepare('SELECT data FROM vectors WHERE block = ?').get(block) ?? [];
    return data instanceof Uint8Array && isSoundBlock(block, data, dimension) ? data : null;
  }

  /** Which life of its collection the file holds; `null` where it does not say. Belongs inside `read`. */
  life(): string | null {
    return readIdentity(this.database)?.life ?? null;
  }

  /** Begins another life of the collection: for a file that was restored. */
  beginLife(collectionId: string): void {
    this.write(() => addIdentity(this.database, collectionId));
  }

  /** The error for a file that contradicts itself. */
  corrupt(what: string): DatabaseError {
    const { path } = this.database;
    const message = `${path} is damaged: ${what}. Restore the collection from a copy.`;
    return new DatabaseError('TESSERA_CORRUPT', message, { details: { path } });
  }

  /** The state, in the transaction under way. Errors: as `read`. */
  liveState(): StoreState {
    const state = readState(this.database);
    if (!state.isDeleted) return state;
    throw deletedMeanwhile();
  }
}

/** What stands in the place of a collection's file and is none is damage, whoever's it was. */
function openCollectionFile(options: OpenFileOptions, collectionId: string | undefined): SqlDatabase {
  try {
    return openFile(options);
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.code !== 'TESSERA_NOT_A_DATABASE') throw error;
    if (collectionId === undefined || error.details['version'] === 0) throw error;
    const { path } = options;
    const message = `${path} is damaged: it is no file of a collection any more. Restore the collection from a copy.`;
    throw new DatabaseError('TESSERA_CORRUPT', message, { cause: error, details: { path, collectionId } });
  }
}

/** Reads a record; damage becomes a value. */
function examined(row: number, read: () => StoredRecord | undefined): Examined | undefined {
  try {
    const record = read();
    return record && { row, id: record.id, record, damage: null };
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.kind !== 'corrupt') throw error;
    const { id } = error.details;
    return { row, id: typeof id === 'string' ? id : null, record: null, damage: error.message };
  }
}

/** Errors after which the whole transaction cannot be trusted or is already rolled back by SQLite. */
function isFatalToGroup(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return true;
  return error.kind === 'unavailable' || error.code === 'TESSERA_READ_ONLY';
}

/** How many of the first of these sizes are within a bound together; one at least, if there is one. */
function countWithin(sizes: readonly (readonly unknown[])[], bound: number): number {
  let bytes = 0;
  const end = sizes.findIndex(([size], i) => {
    bytes += size as number;
    return i > 0 && bytes > bound;
  });
  return end < 0 ? sizes.length : end;
}
