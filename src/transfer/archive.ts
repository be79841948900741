/**
 * A backup as a single file: an SQLite archive, the format of `sqlite3 FILE -A` (ADR 13).
 *
 * The table `sqlar` has a row for each file: its name, mode, time, size and bytes, here uncompressed. A file
 * of more than `PIECE_BYTES` is several rows, whose names end in `.000`, `.001` and so on, since SQLite takes
 * no value beyond 1 GB, and so that none has to be in memory as a whole.
 */
import type { Files } from '../io/index.ts';
import { openSqlDatabase, type SqlDatabase } from '../sqlite/index.ts';
import { damagedBackup, MANIFEST_NAME, readManifest } from './manifest.ts';

const PIECE_BYTES = 16_777_216;

/** Mode of a regular file that its owner may write, as `stat` has it. */
const FILE_MODE = 0o100644;

const CREATE_SQL = `
  PRAGMA journal_mode = MEMORY;
  PRAGMA synchronous = FULL;
  PRAGMA locking_mode = EXCLUSIVE;
  BEGIN EXCLUSIVE;
  CREATE TABLE sqlar (name TEXT PRIMARY KEY, mode INT, mtime INT, sz INT, data BLOB);`;

/** How many there are of the columns that are read. */
const COLUMNS_SQL = "SELECT count(*) FROM pragma_table_info('sqlar') WHERE name IN ('name', 'data')";

/** Packs the files that the manifest of a folder names, and the manifest; yields between two pieces. */
export function* packArchive(files: Files, folder: string, to: string): Generator<void, void> {
  const { manifest } = readManifest(files, folder);
  files.remove(to);
  const archive = openSqlDatabase({ path: to, readOnly: false, busyTimeoutMs: 1 });
  try {
    archive.exec(CREATE_SQL);
    const mtime = Math.floor(Date.parse(manifest.createdAt) / 1000);
    const insert = archive.prepare('INSERT INTO sqlar VALUES (?, ?, ?, ?, ?)');
    const contents = [manifest.catalogue, ...manifest.collections.flatMap(({ file }) => file ?? [])];
    for (const name of [MANIFEST_NAME, ...contents.map(({ path }) => path)]) {
      let number = 0;
      for (const piece of files.read(`${folder}/${name}`, PIECE_BYTES)) {
        const isOnly = number === 0 && piece.length < PIECE_BYTES;
        insert.run(isOnly ? name : pieceName(name, number), FILE_MODE, mtime, piece.length, piece);
        number++;
        yield;
      }
    }
    archive.exec('COMMIT');
  } finally {
    archive.close();
  }
}

/** Unpacks an archive into a folder, which is there and empty; yields between two files. */
export function* unpackArchive(files: Files, from: string, folder: string): Generator<void, void> {
  const archive = openSqlDatabase({ path: from, readOnly: true, busyTimeoutMs: 1 });
  try {
    // With its columns: the text that defines them may be damaged, and still be SQL.
    const [columnCount] = archive.prepare(COLUMNS_SQL).get()!;
    if (columnCount !== 2) throw damagedBackup(from, 'it is no SQLite archive');
    files.write(`${folder}/${MANIFEST_NAME}`, piecesOf(archive, MANIFEST_NAME));
    const { manifest } = readManifest(files, folder);
    for (const file of [manifest.catalogue, ...manifest.collections.map(({ file }) => file)]) {
      if (file === null) continue;
      // The name goes into a path only after it was compared with those that a backup has.
      if (!/^(?:collections\/)?[\w-]+(?:\.\w+)+$/.test(file.path)) {
        throw damagedBackup(from, 'a path leads out of it');
      }
      files.write(`${folder}/${file.path}`, piecesOf(archive, file.path));
      yield;
    }
  } finally {
    archive.close();
  }
}

function* piecesOf(archive: SqlDatabase, name: string): Iterable<Uint8Array> {
  const statement = archive.prepare('SELECT data FROM sqlar WHERE name = ?');
  const whole = statement.get(name)?.[0];
  if (whole instanceof Uint8Array) {
    yield whole;
    return;
  }
  for (let number = 0; ; number++) {
    const piece = statement.get(pieceName(name, number))?.[0];
    if (!(piece instanceof Uint8Array)) return;
    yield piece;
  }
}

function pieceName(name: string, number: number): string {
  return `${name}.${String(number).padStart(3, '0')}`;
}
