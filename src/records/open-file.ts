/**
 * Opening one of our SQLite files: create it, recognise it, bring it up to the current version, or say why
 * not.
 *
 * Several processes may do this at once on the same file. The page size and auto-vacuum take effect before
 * the first table exists and are ignored afterwards; the switch to WAL is kept in the file; migrations run
 * under the write lock after another look at the version. So whoever comes first does the work, and the
 * others find it done. A file of an earlier format is copied before it is brought up.
 */

import { basename, dirname, join } from 'node:path';
import { threadId } from 'node:worker_threads';
import type { Durability } from '../api/index.ts';
import { DatabaseError } from '../base/index.ts';
import { systemFiles } from '../io/index.ts';
import { openSqlDatabase, type SqlDatabase } from '../sqlite/index.ts';
import { APPLICATION_ID, ERASED_SQL, FORKS_SQL, IDENTITY_SQL, PAGE_BYTES } from './format.ts';
import { LOG_PAGES_MIN } from './log-length.ts';
import { isUnwritable, openUnwritable } from './unwritable.ts';

/** How to open a file. */
export interface OpenFileOptions {
  /** Path of the file, or `null` for one in memory. */
  readonly path: string | null;
  readonly durability: Durability;
  readonly readOnly: boolean;
  readonly busyTimeoutMs: number;
  readonly walPagesMax: number;
  readonly migrations: readonly string[];
  /** Bytes of a page of the file if it is new; by default `PAGE_BYTES`. */
  readonly pageBytes?: number | undefined;
  /** Whether there must be something in the file: then one without tables is damaged, and not new. */
  readonly isFilled?: boolean | undefined;
  /** Does more in the transaction that makes a new file. */
  readonly onMade?: ((database: SqlDatabase) => void) | undefined;
}

/**
 * Pages of a file that SQLite keeps in memory, in KiB: what leads to the pages of a million records. The
 * system caches the others.
 */
const CACHE_KIB = 4096;

/** What a write-ahead log is cut back to after it was folded into its file. */
const WAL_BYTES_KEPT = 4_194_304;

/**
 * Opens or creates the file and returns its connection, ready for use.
 *
 * Errors: `TESSERA_NOT_A_DATABASE` for a file that is not ours, and with `readOnly` also for one that is not
 * made yet (`details.version` 0); `TESSERA_NEWER_FORMAT` for one of a later version, and those of the sqlite
 * room.
 */
export function openFile(options: OpenFileOptions): SqlDatabase {
  const { path, readOnly, busyTimeoutMs } = options;
  const open = (): SqlDatabase => openSqlDatabase({ path: path ?? ':memory:', readOnly, busyTimeoutMs });
  if (!readOnly || path === null || !isUnwritable(path)) return prepare(open(), options);
  try {
    return prepare(open(), options);
  } catch (error) {
    const isUnreadable =
      error instanceof DatabaseError && ['TESSERA_IO', 'TESSERA_READ_ONLY'].includes(error.code);
    if (!isUnreadable) throw error;
  }
  return prepare(openUnwritable(path, busyTimeoutMs), options);
}

function prepare(database: SqlDatabase, options: OpenFileOptions): SqlDatabase {
  try {
    if (options.isFilled === true) checkFilled(database, options.migrations);
    if (options.readOnly) checkReadable(database, options.migrations);
    else prepareForWriting(database, options);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function prepareForWriting(database: SqlDatabase, options: OpenFileOptions): void {
  const version = readVersion(database, options.migrations);
  if (version === 0) {
    const pageBytes = options.pageBytes ?? PAGE_BYTES;
    database.exec(`PRAGMA page_size = ${pageBytes}; PRAGMA auto_vacuum = INCREMENTAL;`);
  }
  if (options.path !== null) switchToWal(database);
  database.exec(`
    PRAGMA synchronous = ${options.durability === 'full' ? 'FULL' : 'NORMAL'};
    PRAGMA secure_delete = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -${CACHE_KIB};
    PRAGMA wal_autocheckpoint = ${Math.min(options.walPagesMax, LOG_PAGES_MIN)};
    PRAGMA journal_size_limit = ${WAL_BYTES_KEPT};
  `);
  if (version === options.migrations.length) return;
  if (version > 0) keepFormer(database, version);
  migrate(database, options);
}

/** Name of the copy of a file that is kept before it is brought up from an earlier format. */
function formerPath(path: string, version: number): string {
  return `${path}.format-${version}`;
}

/** Names of all such copies that a file may have. */
export function formerPaths(path: string, { length }: readonly string[]): string[] {
  return Array.from({ length: length - 1 }, (_, i) => formerPath(path, i + 1));
}

/**
 * Copies a file of an earlier format before it is brought up, so that there is a way back. Of several
 * processes that do so at once, the copy of one stays; what one has left that died over it goes. Errors:
 * `TESSERA_DISK_FULL`, upon which the file is left as it is.
 */
function keepFormer(database: SqlDatabase, version: number): void {
  const { path } = database;
  if (path === ':memory:') return;
  const kept = formerPath(path, version);
  const partial = `${kept}.${process.pid}-${threadId}`;
  try {
    if (!systemFiles.exists(kept)) makeFormer(database, version, partial, kept);
  } finally {
    systemFiles.remove(partial);
  }
  const folder = dirname(path);
  const others = systemFiles.list(folder).filter((name) => name.startsWith(`${basename(kept)}.`));
  for (const name of others) systemFiles.remove(join(folder, name));
  systemFiles.syncDirectory(folder);
}

function makeFormer(database: SqlDatabase, version: number, partial: string, kept: string): void {
  systemFiles.remove(partial);
  database.prepare('VACUUM INTO ?').run(partial);
  // Another process may have been faster, and has cleared away this copy, which may be of what it made.
  if (systemFiles.exists(kept)) return;
  const copy = openSqlDatabase({ path: partial, readOnly: true, busyTimeoutMs: 1 });
  const copied = Number(copy.pragma('user_version'));
  copy.close();
  if (copied === version && !systemFiles.exists(kept)) systemFiles.rename(partial, kept);
}

/**
 * `checkVersion` on one state of the file: between two of its reads, another process may make the tables.
 */
function readVersion(database: SqlDatabase, migrations: readonly string[]): number {
  return database.read(() => checkVersion(database, migrations));
}

function checkFilled(database: SqlDatabase, migrations: readonly string[]): void {
  if (readVersion(database, migrations) !== 0) return;
  const { path } = database;
  const message = `${path} is empty, though records were written to it. Restore it from a copy.`;
  throw new DatabaseError('TESSERA_CORRUPT', message, { details: { path } });
}

/** A file without tables is being made by another process, or one that died over it. */
function checkReadable(database: SqlDatabase, migrations: readonly string[]): void {
  if (readVersion(database, migrations) !== 0) return;
  const { path } = database;
  const message = `Expected a file of this database, got an empty one: ${path}. Open it without readOnly once.`;
  throw new DatabaseError('TESSERA_NOT_A_DATABASE', message, { details: { path, version: 0 } });
}

/** Reads the version and checks that the tables are those of it; 0 for a file without tables. */
function checkVersion(database: SqlDatabase, migrations: readonly string[]): number {
  const versionMax = migrations.length;
  const version = Number(database.pragma('user_version'));
  const applicationId = Number(database.pragma('application_id'));
  const [tableCount] = database.prepare('SELECT count(*) FROM sqlite_schema').get()!;
  if (version === 0 && applicationId === 0 && tableCount === 0) return 0;
  const details = { path: database.path, version };
  if (applicationId !== APPLICATION_ID) {
    const message = `Expected a file of this database, got an SQLite file of another program: ${database.path}. Give another directory.`;
    throw new DatabaseError('TESSERA_NOT_A_DATABASE', message, { details });
  }
  if (version > versionMax) {
    const message = `${database.path} has format version ${version}, this release reads up to ${versionMax}. Use a newer release of tesseradb.`;
    throw new DatabaseError('TESSERA_NEWER_FORMAT', message, { details });
  }
  if (version < 0) {
    const message = `${database.path} says that it has format version ${version}, which none has. Restore it from a copy.`;
    throw new DatabaseError('TESSERA_CORRUPT', message, { details });
  }
  checkTables(database, migrations.slice(0, version));
  return version;
}

/** Texts of the tables that some statements make, by name; asked of SQLite once for each list. */
const knownTables = new Map<string, ReadonlyMap<string, string>>();

/** Tables that come with no version, and are as here where they are. */
const LATER_TABLES = [IDENTITY_SQL, FORKS_SQL, ERASED_SQL];

const TABLES_SQL = "SELECT name, sql FROM sqlite_schema WHERE type = 'table'";

/** Where tables and indexes begin: were one of them at another's place, writing to it would destroy that. */
const ROOTS_SQL = 'SELECT count(rootpage), count(DISTINCT rootpage) FROM sqlite_schema WHERE rootpage > 0';

function tablesOf(statements: readonly string[]): ReadonlyMap<string, string> {
  const sql = statements.join(';\n');
  let tables = knownTables.get(sql);
  if (tables === undefined) {
    const model = openSqlDatabase({ path: ':memory:', readOnly: false, busyTimeoutMs: 1 });
    model.exec(sql);
    tables = new Map(model.prepare(TABLES_SQL).all() as [string, string][]);
    model.close();
    knownTables.set(sql, tables);
  }
  return tables;
}

/**
 * Compares the tables with what the migrations make: a damaged definition would surface as a fault of ours.
 * Tables of followers are theirs to compare.
 */
function checkTables(database: SqlDatabase, migrations: readonly string[]): void {
  const expected = tablesOf(migrations);
  const later = tablesOf(LATER_TABLES);
  const found = new Map(database.prepare(TABLES_SQL).all() as [string, string][]);
  const [rootCount, differentCount] = database.prepare(ROOTS_SQL).get()!;
  if (rootCount !== differentCount) {
    const message = `${database.path} is damaged: two of its tables have the same pages. Restore it from a copy.`;
    throw new DatabaseError('TESSERA_CORRUPT', message, { details: { path: database.path } });
  }
  for (const [name, text] of [...expected, ...later]) {
    const isAbsent = !found.has(name) && !expected.has(name);
    if (isAbsent || found.get(name) === text) continue;
    const message = `${database.path} is damaged: its table ${name} is missing or changed. Restore it from a copy.`;
    throw new DatabaseError('TESSERA_CORRUPT', message, { details: { path: database.path, table: name } });
  }
}

/**
 * How often the switch to WAL is tried: SQLite answers "busy" at once while another process makes the same
 * switch.
 */
const WAL_SWITCH_TRIES = 100;
const WAL_SWITCH_PAUSE_MS = 5;

function switchToWal(database: SqlDatabase): void {
  if (database.pragma('journal_mode') === 'wal') return;
  for (let tryCount = 1; ; tryCount++) {
    try {
      const mode = database.pragma('journal_mode = WAL');
      if (mode === 'wal') return;
      const message = `Expected a file system on which SQLite can use a write-ahead log, got mode ${String(mode)} for ${database.path}. Use a local disk.`;
      throw new DatabaseError('TESSERA_IO', message, { details: { path: database.path } });
    } catch (error) {
      const isBusy = error instanceof DatabaseError && error.code === 'TESSERA_BUSY';
      if (!isBusy || tryCount === WAL_SWITCH_TRIES) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAL_SWITCH_PAUSE_MS);
    }
  }
}

function migrate(database: SqlDatabase, { migrations, onMade }: OpenFileOptions): void {
  database.write(() => {
    const version = checkVersion(database, migrations);
    for (let next = version; next < migrations.length; next++) database.exec(migrations[next]!);
    if (version === migrations.length) return;
    if (version === 0) onMade?.(database);
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${migrations.length};`);
  });
}
