/**
 * Copies a collection's file, row by row, while writes go on: for forks, backups and what is saved of a
 * damaged file.
 *
 * The source is read through a connection of its own, in one read transaction that lasts as long as the copy:
 * so the copy is the collection as of one position, whatever is written meanwhile. It is made a page of rows
 * at a time, so that calls which share the thread come in between.
 *
 * Why rows and not the bytes of the file. Reading a file past SQLite closes a descriptor of it, and with that
 * POSIX drops every lock that this process holds on it; `VACUUM INTO` cannot be divided, so that writes would
 * wait for all of it. Rows give more as well: no free page comes along, every checksum is looked at on the
 * way, a damaged row can be passed over, and a copy may be of the changes alone (`after`).
 *
 * The copy keeps row numbers and positions, and with them all checksums. It is written without a journal on
 * the disk (better-sqlite3 refuses to do without any), under an exclusive lock, in one transaction: until the
 * lock is given back by `close`, whoever else opens the file is told that it is busy; a copy that was cut
 * short is no database and has to be removed.
 */
import { DatabaseError } from '../base/index.ts';
import { openSqlDatabase, type SqlDatabase, type SqlRow } from '../sqlite/index.ts';
import { APPLICATION_ID, COLLECTION_MIGRATIONS } from './format.ts';
import { addIdentity, copyIdentity, readIdentity } from './identity.ts';
import { decodeRecord, RECORD_COLUMNS } from './record.ts';
import type { RecordStore } from './record-store.ts';
import { type StoreState, writeState } from './state.ts';
import { damagedPlaces, VectorBlock } from './vector-block.ts';

/** Rows of a page: about a millisecond of work. */
const PAGE_ROWS = 128;
/** Blocks and cells of a page: some 16 KB each. */
const PAGE_BLOCKS = 16;

/** Cells of the vector index, which a copy takes along so that they need not be made anew. */
const CELL_TABLES: readonly (readonly [name: string, columns: string, key: string])[] = [
  ['cells', 'id, data', 'id'],
  ['cells_header', 'id, serial, data', 'id'],
];

/** How to copy. */
export interface CopyOptions {
  /** Only what has changed after this position; 0 for everything. */
  readonly after: number;
  /** Whether the copy stands for the source itself, as a backup does, and not for another collection. */
  readonly keepsIdentity?: boolean | undefined;
  /** Told of every row that does not agree with its checksum; it is copied as it is. */
  readonly onDamage: (damage: DatabaseError) => void;
}

/** A collection's file that is being made; see the top of this file. */
export class RecordCopy {
  readonly database: SqlDatabase;
  readonly #insertRecord: (columns: SqlRow) => void;
  readonly #insertChange: (columns: SqlRow) => void;
  readonly #insertBlock: (columns: SqlRow) => void;

  private constructor(database: SqlDatabase) {
    this.database = database;
    const inserter = (table: string, columns: string): ((row: SqlRow) => void) => {
      const places = columns.replaceAll(/\w+/g, '?');
      const statement = database.prepare(`INSERT INTO ${table} (${columns}) VALUES (${places})`);
      return (row) => void statement.run(...row);
    };
    this.#insertRecord = inserter('records', RECORD_COLUMNS);
    this.#insertChange = inserter('changes', 'sequence, row');
    this.#insertBlock = inserter('vectors', 'block, data');
  }

  /**
   * Begins a file, which must not be there, or a collection in memory (`null`), with pages as large as those
   * of `source`.
   */
  static create(path: string | null, collectionId: string, source: SqlDatabase): RecordCopy {
    const database = openSqlDatabase({ path: path ?? ':memory:', readOnly: false, busyTimeoutMs: 1 });
    try {
      database.exec(`
        PRAGMA page_size = ${source.pragma('page_size')};
        PRAGMA auto_vacuum = INCREMENTAL;
        PRAGMA locking_mode = EXCLUSIVE;
        PRAGMA journal_mode = MEMORY;
        PRAGMA synchronous = FULL;
        PRAGMA temp_store = MEMORY;
        BEGIN EXCLUSIVE;
        ${COLLECTION_MIGRATIONS.join(';\n')};
        PRAGMA application_id = ${APPLICATION_ID};
        PRAGMA user_version = ${COLLECTION_MIGRATIONS.length};
      `);
      addIdentity(database, collectionId);
      return new RecordCopy(database);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /**
   * Copies what `source` holds as of now, and yields every millisecond or so. Returns the state copied.
   *
   * Errors: `TESSERA_COLLECTION_NOT_FOUND` when it was deleted, `TESSERA_CORRUPT` where a page of it cannot
   * be read at all.
   */
  *fill(source: RecordStore, options: CopyOptions): Generator<void, StoreState> {
    const { database } = source;
    database.exec('BEGIN');
    try {
      const state = source.liveState();
      const identity = options.keepsIdentity === true ? readIdentity(database) : null;
      if (identity !== null) copyIdentity(this.database, identity);
      yield* this.#fillRecords(source, options);
      if (state.dimension !== null) yield* this.#fillVectors(source, state.dimension, options);
      if (options.after === 0) yield* this.#fillCells(database);
      this.finish(state);
      return state;
    } finally {
      database.exec('ROLLBACK');
    }
  }

  /** Adds a record as it is stored. */
  putRecord(columns: SqlRow): void {
    this.#insertRecord(columns);
  }

  /** Adds an entry of the change sequence. */
  putChange(sequence: number, row: number): void {
    this.#insertChange([sequence, row]);
  }

  /** Adds a block of embeddings. */
  putBlock(block: number, data: Uint8Array): void {
    this.#insertBlock([block, data]);
  }

  /** Ends the copy with its state: it is on the disk when this returns, and still locked. */
  finish(state: StoreState): void {
    writeState(this.database, state);
    this.database.exec('COMMIT');
  }

  /** Which life of its collection the copy holds. */
  life(): string | null {
    return readIdentity(this.database)?.life ?? null;
  }

  /** Gives the lock back, or gives up what was not finished. */
  close(): void {
    this.database.close();
  }

  *#fillRecords(source: RecordStore, { after, onDamage }: CopyOptions): Generator<void, void> {
    const changes = 'SELECT sequence, row FROM changes WHERE sequence > ? ORDER BY sequence LIMIT ?';
    for (const page of pages(source.database, changes, PAGE_ROWS, after)) {
      for (const columns of page) this.#insertChange(columns);
      yield;
    }
    const isChanged = after === 0 ? '' : `AND sequence > ${after}`;
    const records = `SELECT ${RECORD_COLUMNS} FROM records WHERE row > ? ${isChanged} ORDER BY row LIMIT ?`;
    for (const page of pages(source.database, records, PAGE_ROWS, Number.MIN_SAFE_INTEGER)) {
      for (const columns of page) {
        tellOfDamage(onDamage, () => decodeRecord(columns));
        this.#insertRecord(columns);
      }
      yield;
    }
  }

  *#fillVectors(source: RecordStore, dimension: number, options: CopyOptions): Generator<void, void> {
    const { after, onDamage } = options;
    const wanted = after === 0 ? null : source.changedBlocks(after, dimension);
    const sql = 'SELECT block, data FROM vectors WHERE block > ? ORDER BY block LIMIT ?';
    const all = wanted === null ? pages(source.database, sql, PAGE_BLOCKS, -1) : blockPages(source, wanted);
    for (const page of all) {
      for (const columns of page) {
        const [block, data] = columns as [number, Uint8Array];
        const decoded = VectorBlock.decode(data, dimension);
        for (const damage of damagedPlaces(block, decoded, dimension)) onDamage(damage);
        this.#insertBlock(columns);
      }
      yield;
    }
  }

  /** Cells are made anew where they cannot be copied. */
  *#fillCells(source: SqlDatabase): Generator<void, void> {
    const tableSql = source.prepare("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?");
    for (const [name, columns, key] of CELL_TABLES) {
      const sql = tableSql.get(name)?.[0];
      if (typeof sql !== 'string') return;
      this.database.exec(sql);
      const insert = this.database.prepare(
        `INSERT INTO ${name} (${columns}) VALUES (${columns.replaceAll(/\w+/g, '?')})`,
      );
      const select = `SELECT ${columns} FROM ${name} WHERE ${key} > ? ORDER BY ${key} LIMIT ?`;
      try {
        for (const page of pages(source, select, PAGE_BLOCKS, -1)) {
          for (const row of page) insert.run(...row);
          yield;
        }
      } catch (error) {
        if (!(error instanceof DatabaseError) || error.kind !== 'corrupt') throw error;
        this.database.exec(`DELETE FROM ${name}`);
      }
    }
  }
}

/**
 * Brings a collection up to a copy of what has changed after the position that it stands at, in one
 * transaction. Both have one dimension, unless the collection had none.
 */
export function applyChanges(target: RecordStore, changes: RecordStore): void {
  const state = changes.read((read) => read);
  const { database } = target;
  target.write(({ sequence: after, dimension }) => {
    const formerOf = database.prepare('SELECT sequence FROM records WHERE row = ?');
    const dropChange = database.prepare('DELETE FROM changes WHERE sequence = ?');
    const dropRecord = database.prepare('DELETE FROM records WHERE row = ?');
    const addChange = database.prepare('INSERT INTO changes (sequence, row) VALUES (?, ?)');
    const places = RECORD_COLUMNS.replaceAll(/\w+/g, '?');
    const addRecord = database.prepare(`INSERT INTO records (${RECORD_COLUMNS}) VALUES (${places})`);
    const record = changes.database.prepare(`SELECT ${RECORD_COLUMNS} FROM records WHERE row = ?`);
    const changed = changes.changesSince(after);
    for (const [, row] of changed) {
      const [former] = formerOf.get(row) ?? [];
      if (former === undefined) continue;
      dropChange.run(former);
      dropRecord.run(row);
    }
    for (const [sequence, row] of changed) {
      addChange.run(sequence, row);
      const columns = record.get(row);
      if (columns !== undefined) addRecord.run(...columns);
    }
    const size = state.dimension ?? dimension;
    const blocks = size === null ? [] : changes.changedBlocks(after, size);
    const block = changes.database.prepare('SELECT data FROM vectors WHERE block = ?');
    for (const number of blocks) {
      const [data] = block.get(number) ?? [];
      if (data === undefined) database.prepare('DELETE FROM vectors WHERE block = ?').run(number);
      else database.prepare('INSERT OR REPLACE INTO vectors (block, data) VALUES (?, ?)').run(number, data);
    }
    writeState(database, state);
  });
}

/** Pages of rows, each of those after the first column of the last row before. */
function* pages(database: SqlDatabase, sql: string, size: number, start: number): Iterable<SqlRow[]> {
  const statement = database.prepare(sql);
  for (let after = start; ; ) {
    const page = statement.all(after, size);
    if (page.length > 0) yield page;
    if (page.length < size) return;
    after = page.at(-1)![0] as number;
  }
}

function* blockPages(source: RecordStore, blocks: readonly number[]): Iterable<SqlRow[]> {
  const statement = source.database.prepare('SELECT block, data FROM vectors WHERE block = ?');
  for (let start = 0; start < blocks.length; start += PAGE_BLOCKS) {
    yield blocks.slice(start, start + PAGE_BLOCKS).flatMap((block) => statement.all(block));
  }
}

function tellOfDamage(onDamage: (damage: DatabaseError) => void, check: () => unknown): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.kind !== 'corrupt') throw error;
    onDamage(error);
  }
}
