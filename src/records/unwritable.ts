/**
 * Reading a file where nothing can be written: from an image, a layer of a container, a disk mounted for
 * reading.
 *
 * To read a file with a write-ahead log, SQLite needs two more beside it. Where they are there, because some
 * process that may write has it open, it reads them as any reader does. Where they are not, and cannot be
 * made, nobody has the file open:
 *
 * - a file without a log is complete, and is read as one that does not change (`immutable`), where the driver
 *   can;
 * - otherwise the file and the log that a dead process left are copied into the system's folder for temporary
 *   files, and read there.
 *
 * Both are right only for as long as nobody comes who may write after all. So a store that was opened like
 * this knows the version of its file, and whoever uses it asks before each call whether it still is that
 * (`isCurrent`): an answer from an earlier time would be worse than an error.
 */
import { basename, dirname, join } from 'node:path';
import { systemFiles } from '../io/index.ts';
import { canOpenImmutable, openSqlDatabase, type SqlDatabase } from '../sqlite/index.ts';

const PIECE_BYTES = 1_048_576;

/** Versions of files that were opened as they will never change, by the connection to them. */
const versions = new WeakMap<SqlDatabase, { readonly path: string; readonly version: string }>();

/** Whether a file is there and neither it nor anything beside it can be written. */
export function isUnwritable(path: string): boolean {
  return systemFiles.exists(path) && !systemFiles.isWritable(dirname(path));
}

/** Opens such a file for reading. Errors: those of files and SQLite. */
export function openUnwritable(path: string, busyTimeoutMs: number): SqlDatabase {
  const version = versionOf(path);
  const hasLog = systemFiles.exists(`${path}-wal`);
  const database =
    canOpenImmutable() && !hasLog
      ? openSqlDatabase({ path, readOnly: true, isImmutable: true, busyTimeoutMs })
      : openCopy(path, hasLog, busyTimeoutMs);
  versions.set(database, { path, version });
  return database;
}

/** Whether a file that was opened like this is as it was; always true for the others. */
export function isCurrent(database: SqlDatabase): boolean {
  const opened = versions.get(database);
  return opened === undefined || versionOf(opened.path) === opened.version;
}

function versionOf(path: string): string {
  return `${systemFiles.version(path)} ${systemFiles.version(`${path}-wal`)}`;
}

function openCopy(path: string, hasLog: boolean, busyTimeoutMs: number): SqlDatabase {
  const folder = systemFiles.makeTemporary();
  const copy = join(folder, basename(path));
  try {
    // Closing what was read drops this process's locks on the file, which are in nobody's way there.
    for (const suffix of hasLog ? ['', '-wal'] : ['']) {
      systemFiles.write(`${copy}${suffix}`, systemFiles.read(`${path}${suffix}`, PIECE_BYTES));
    }
    // Opened for writing, so that the log is folded and nothing has to stay beside the file.
    const folded = openSqlDatabase({ path: copy, readOnly: false, busyTimeoutMs });
    folded.pragma('journal_mode = DELETE');
    folded.close();
    const database = openSqlDatabase({ path: copy, readOnly: true, busyTimeoutMs });
    database.onClose(() => systemFiles.removeDirectory(folder));
    return database;
  } catch (error) {
    systemFiles.removeDirectory(folder);
    throw error;
  }
}
