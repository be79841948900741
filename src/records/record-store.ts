/**
 * One collection's records: the truth that every index follows.
 *
 * Reads happen inside `read`, writes inside `writeGroup`; both begin with the state, so that they see what
 * any process has acknowledged. Nothing is cached between transactions.
 */
import { isWellFormed } from '../api/index.ts';
import { DatabaseError } from '../base/index.ts';
import type { SqlDatabase } from '../sqlite/index.ts';
import { COLLECTION_MIGRATIONS } from './format.ts';
import { type OpenFileOptions, openFile } from './open-file.ts';
import { corruptRecord, decodeRecord, RECORD_COLUMNS, type StoredRecord } from './record.ts';
import { RecordWriter } from './record-writer.ts';
import { deletedMeanwhile } from './refusals.ts';
import { readState, type StoreState, writeState } from './state.ts';
import { VectorTable } from './vector-table.ts';

/** What became of one call of a group. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: unknown };

/** See the top of this file. */
export class RecordStore {
  readonly database: SqlDatabase;

  private constructor(database: SqlDatabase) {
    this.database = database;
  }

  /** Opens or creates a collection's file. Errors: those of `openFile`. */
  static open(options: Omit<OpenFileOptions, 'migrations'>): RecordStore {
    return new RecordStore(openFile({ ...options, migrations: COLLECTION_MIGRATIONS }));
  }

  close(): void {
    this.database.close();
  }

  /**
   * Runs `work` on one consistent state. Errors: `TESSERA_COLLECTION_NOT_FOUND` when another process deleted
   * it.
   */
  read<T>(work: (state: StoreState) => T): T {
    return this.database.read(() => work(this.#liveState()));
  }

  /**
   * Runs several calls in one transaction with one commit, in order. A call that throws is undone alone. When
   * the commit itself fails, nothing of the group is stored and the error is thrown.
   */
  writeGroup<T>(calls: readonly ((writer: RecordWriter, state: StoreState) => T)[]): Outcome<T>[] {
    return calls.length === 1 ? [this.#writeAlone(calls[0]!)] : this.#writeTogether(calls);
  }

  /**
   * One call needs no savepoint, for which SQLite would keep the former content of every page it touches in
   * memory: as much as the collection is large when a call deletes all of it.
   */
  #writeAlone<T>(call: (writer: RecordWriter, state: StoreState) => T): Outcome<T> {
    try {
      const value = this.database.write(() => {
        const state = this.#liveState();
        const writer = new RecordWriter(this.database, state);
        const result = call(writer, state);
        writer.finish();
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
      let state = this.#liveState();
      return calls.map((call): Outcome<T> => {
        try {
          const value = this.database.savepoint(() => {
            const writer = new RecordWriter(this.database, state);
            const result = call(writer, state);
            state = writer.finish();
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
    return this.database.write(() => work(this.#liveState()));
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

  /** All records in insertion order, from an offset; at most `limit`. */
  *scan(limit: number | null = null, offset = 0): Iterable<StoredRecord> {
    const statement = this.database.prepare(
      `SELECT ${RECORD_COLUMNS} FROM records ORDER BY row LIMIT ? OFFSET ?`,
    );
    for (const columns of statement.iterate(limit ?? -1, offset)) yield decodeRecord(columns);
  }

  /** Row numbers in insertion order with the checksums that the records name for their embeddings. */
  rows(): { rows: number[]; vectorChecksums: number[] } {
    const rows: number[] = [];
    const vectorChecksums: number[] = [];
    for (const [row, sum] of this.database
      .prepare('SELECT row, vector_checksum FROM records ORDER BY row')
      .all()) {
      rows.push(row as number);
      vectorChecksums.push(sum as number);
    }
    return { rows, vectorChecksums };
  }

  /** Rows that changed after a position, ascending by position; at most `limit`. */
  changesSince(sequence: number, limit = -1): [sequence: number, row: number][] {
    const statement = this.database.prepare(
      'SELECT sequence, row FROM changes WHERE sequence > ? ORDER BY sequence LIMIT ?',
    );
    return statement.all(sequence, limit) as [number, number][];
  }

  /** The embeddings of a collection of this dimension, for use within one transaction. */
  vectors(dimension: number): VectorTable {
    return new VectorTable(this.database, dimension);
  }

  /** The error for a file that contradicts itself. */
  corrupt(what: string): DatabaseError {
    const { path } = this.database;
    const message = `${path} is damaged: ${what}. Restore the collection from a copy.`;
    return new DatabaseError('TESSERA_CORRUPT', message, { details: { path } });
  }

  #liveState(): StoreState {
    const state = readState(this.database);
    if (!state.isDeleted) return state;
    throw deletedMeanwhile();
  }
}

/** Errors after which the whole transaction cannot be trusted or is already rolled back by SQLite. */
function isFatalToGroup(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return true;
  return error.kind === 'unavailable' || error.code === 'TESSERA_READ_ONLY';
}
