/**
 * An open SQLite database: a driver's connection with statements kept, errors translated and transactions as
 * functions.
 */
import { assert, DatabaseError } from '../base/index.ts';
import { betterSqlite3Failure, connectBetterSqlite3, hasBetterSqlite3 } from './better-sqlite3.ts';
import type { SqlConnection, SqlConnectionOptions, SqlRow, SqlStatement, SqlValue } from './driver.ts';
import { translateSqlError } from './errors.ts';
import { connectNodeSqlite, hasNodeSqlite } from './node-sqlite.ts';

/** The name of a driver, as `npm` or Node know it. */
export type SqlDriverName = 'node:sqlite' | 'better-sqlite3';

/**
 * The driver that this process uses: `node:sqlite` where Node has it whole, better-sqlite3 elsewhere.
 *
 * Errors: `TESSERA_DRIVER_MISSING` where neither is to be had.
 */
export function sqlDriverName(): SqlDriverName {
  if (hasNodeSqlite()) return 'node:sqlite';
  if (hasBetterSqlite3()) return 'better-sqlite3';
  throw new DatabaseError(
    'TESSERA_DRIVER_MISSING',
    `No SQLite is available: Node ${process.version} has no usable node:sqlite, and the optional package better-sqlite3 ` +
      'could not be loaded. Use Node 24 or later, or install better-sqlite3 (npm install better-sqlite3@12).',
    { cause: betterSqlite3Failure(), details: { nodeVersion: process.version } },
  );
}

/** Whether the driver of this process can open a file that nobody writes to as such (`isImmutable`). */
export function canOpenImmutable(): boolean {
  return sqlDriverName() === 'node:sqlite';
}

/** Opens or creates a database. Errors: those of the room (see errors.ts) and `TESSERA_DRIVER_MISSING`. */
export function openSqlDatabase(options: SqlConnectionOptions): SqlDatabase {
  const driver = sqlDriverName();
  const connect = driver === 'node:sqlite' ? connectNodeSqlite : connectBetterSqlite3;
  try {
    return new SqlDatabase(connect(options), driver, options.path);
  } catch (error) {
    throw translateSqlError(error, options.path);
  }
}

/** See the top of this file; made by `openSqlDatabase`. */
export class SqlDatabase {
  readonly driver: SqlDriverName;
  readonly path: string;
  readonly #connection: SqlConnection;
  readonly #statements = new Map<string, SqlStatement>();
  #isOpen = true;
  #afterClose: () => void = () => {};

  constructor(connection: SqlConnection, driver: SqlDriverName, path: string) {
    this.#connection = connection;
    this.driver = driver;
    this.path = path;
  }

  /** Runs one or more statements without parameters. */
  exec(sql: string): void {
    this.#guard(() => this.#connection.exec(sql));
  }

  /** A statement for `sql`: prepared at the first call, kept until the database is closed. */
  prepare(sql: string): SqlStatement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#wrap(this.#guard(() => this.#connection.prepare(sql)));
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** The first column of what `PRAGMA <text>` answers, or `null`. Not kept: pragmas are rare or one-off. */
  pragma(text: string): SqlValue {
    return this.#guard(() => this.#connection.prepare(`PRAGMA ${text}`).get()?.[0] ?? null);
  }

  /** Whether there is a table of a name. Belongs inside a transaction where others may make it. */
  hasTable(name: string): boolean {
    const sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?";
    return this.prepare(sql).get(name) !== undefined;
  }

  /**
   * Runs `work` in a read transaction: all its reads see one state. There is nothing to commit, and a virtual
   * table that was found damaged would refuse to.
   */
  read<T>(work: () => T): T {
    return this.#transaction('BEGIN', 'ROLLBACK', work);
  }

  /**
   * Runs `work` in a write transaction, with the write lock from the start: all of it is committed, or none.
   */
  write<T>(work: () => T): T {
    return this.#transaction('BEGIN IMMEDIATE', 'COMMIT', work);
  }

  /**
   * Runs `work` in a write transaction that does not wait for the disk, nor for another connection's lock
   * unless it `waits`, and leaves folding the write-ahead log to others: for what can be made again. Returns
   * whether it ran; one that waits throws `TESSERA_BUSY`. After a power cut all of it is there, or none.
   */
  writeBehind(work: () => void, waits = false): boolean {
    const names = ['busy_timeout', 'synchronous', 'wal_autocheckpoint'];
    const former = names.map((name) => `PRAGMA ${name} = ${this.pragma(name)};`);
    if (!waits) this.exec('PRAGMA busy_timeout = 0');
    this.exec('PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;');
    try {
      this.write(work);
      return true;
    } catch (error) {
      if (!waits && error instanceof DatabaseError && error.code === 'TESSERA_BUSY') return false;
      throw error;
    } finally {
      this.exec(former.join(' '));
    }
  }

  /**
   * Moves what is in the write-ahead log into the file and empties the log, unless another connection is at
   * work: former states of pages are in no file then. Returns whether it did.
   */
  foldLog(): boolean {
    const former = `PRAGMA busy_timeout = ${this.pragma('busy_timeout')}`;
    this.exec('PRAGMA busy_timeout = 0');
    try {
      return this.pragma('wal_checkpoint(TRUNCATE)') === 0;
    } catch (error) {
      if (error instanceof DatabaseError && error.code === 'TESSERA_BUSY') return false;
      throw error;
    } finally {
      this.exec(former);
    }
  }

  /**
   * Runs `work` inside a write transaction so that it can fail alone: its changes are undone, the rest
   * stands.
   */
  savepoint<T>(work: () => T): T {
    this.prepare('SAVEPOINT part').run();
    try {
      const result = work();
      this.prepare('RELEASE part').run();
      return result;
    } catch (error) {
      this.#undo(error, ['ROLLBACK TO part', 'RELEASE part']);
      throw error;
    }
  }

  /** Lets `work` be done once it is closed. */
  onClose(work: () => void): void {
    this.#afterClose = work;
  }

  /** Closes; the last connection to a file folds the write-ahead log into it. Idempotent. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#statements.clear();
    this.#guard(() => this.#connection.close());
    this.#afterClose();
  }

  #transaction<T>(begin: string, end: string, work: () => T): T {
    this.prepare(begin).run();
    try {
      const result = work();
      this.prepare(end).run();
      return result;
    } catch (error) {
      this.#undo(error, ['ROLLBACK']);
      throw error;
    }
  }

  /**
   * Rolls back after `cause`. SQLite itself rolls a transaction back on some failures (a full disk, an I/O
   * error), and then answers ours with "no transaction is active"; the cause matters more than that, so it is
   * kept beside it.
   */
  #undo(cause: unknown, statements: readonly string[]): void {
    try {
      for (const sql of statements) this.prepare(sql).run();
    } catch (error) {
      const isAlreadyUndone =
        error instanceof Error && /no transaction|no such savepoint/.test(error.message);
      assert(isAlreadyUndone, `Rolling back after "${String(cause)}" failed: ${String(error)}`);
    }
  }

  #wrap(statement: SqlStatement): SqlStatement {
    const path = this.path;
    const guarded =
      <T>(work: (...parameters: SqlValue[]) => T) =>
      (...parameters: SqlValue[]): T => {
        try {
          return work(...parameters);
        } catch (error) {
          throw translateSqlError(error, path);
        }
      };
    return {
      run: guarded(statement.run),
      get: guarded(statement.get),
      all: guarded(statement.all),
      iterate: (...parameters) => translateWhileIterating(() => statement.iterate(...parameters), path),
    };
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw translateSqlError(error, this.path);
    }
  }
}

function* translateWhileIterating(begin: () => Iterable<SqlRow>, path: string): Iterable<SqlRow> {
  try {
    yield* begin();
  } catch (error) {
    throw translateSqlError(error, path);
  }
}
