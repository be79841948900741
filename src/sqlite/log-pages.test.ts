import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { openSqlDatabase, type SqlDatabase } from './database.ts';
import { isLeafPage, readLeafPage } from './leaf-page.ts';
import { LogPages } from './log-pages.ts';

function open(path = join(temporaryDirectory(), 'a.sqlite3')): SqlDatabase {
  const database = openSqlDatabase({ path, readOnly: false, busyTimeoutMs: 10 });
  onTestFinished(() => database.close());
  return database;
}

/** A database with a log, in which a table has been made, and what reads the log after that. */
function logged(): { database: SqlDatabase; log: LogPages; rows: () => [number, number][] } {
  const database = open();
  database.exec('PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (a, b)');
  const log = new LogPages(database.path);
  log.skip();
  return { database, log, rows: () => rowsOf(log) };
}

/** Keys of the rows on the leaves that were read, with the lengths of their payloads. */
function rowsOf(log: LogPages): [number, number][] {
  const pages = [...log.read(isLeafPage).values()].map((page) => readLeafPage(page)!);
  return pages.flatMap(({ rows }) => rows.map((row): [number, number] => [row.key, row.payloadBytes]));
}

const insert = (database: SqlDatabase, length: number): number =>
  database.prepare('INSERT INTO t VALUES (1, zeroblob(?))').run(length);

describe('pages of a log', () => {
  it('are those of commits since the last time, each as the last one has left it', () => {
    const { database, log, rows } = logged();
    insert(database, 10);
    insert(database, 20);
    expect(rows()).toEqual([
      [1, 13],
      [2, 23],
    ]);
    expect(rows()).toEqual([]);
    insert(database, 30);
    expect(rows().map(([key]) => key)).toEqual([1, 2, 3]);
    log.rewind();
    expect(rows().map(([key]) => key)).toEqual([1, 2, 3]);
  });

  it('are not those of a transaction that was undone, though they may be in the log', () => {
    const { database, rows } = logged();
    database.exec('PRAGMA cache_size = 2; BEGIN');
    for (let i = 0; i < 200; i++) insert(database, 500);
    database.exec('ROLLBACK');
    expect(rows()).toEqual([]);
    insert(database, 10);
    expect(rows()).toEqual([[1, 13]]);
  });

  it('are not those of a commit that is no longer to be trusted, since others lie over its first', () => {
    const { database, rows } = logged();
    const path = `${database.path}-wal`;
    database.write(() => {
      for (let i = 0; i < 50; i++) insert(database, 500);
    });
    // What is read as committed ends at the first frame whose sum does not go on from the one before.
    const bytes = readFileSync(path);
    const frameBytes = 24 + bytes.readUInt32BE(8);
    const last = bytes.length - frameBytes;
    bytes[last - frameBytes + 24 + 100]! ^= 1;
    writeFileSync(path, bytes);
    expect(rows()).toEqual([]);
  });

  it('are all those of a log that was begun anew', () => {
    const { database, rows } = logged();
    insert(database, 10);
    rows();
    database.exec('PRAGMA wal_checkpoint(RESTART)');
    insert(database, 20);
    expect(rows().map(([key]) => key)).toEqual([1, 2]);
    expect(database.foldLog()).toBe(true);
    expect(rows()).toEqual([]);
    insert(database, 30);
    expect(rows().map(([key]) => key)).toEqual([1, 2, 3]);
  });

  it('are none where the header is damaged', () => {
    const { database, log } = logged();
    insert(database, 10);
    const path = `${database.path}-wal`;
    const whole = readFileSync(path);
    for (const [at, byte] of [
      [0, 0],
      [8, 255],
      [10, 7],
      [11, 3],
    ] as const) {
      const bytes = Buffer.from(whole);
      bytes[at] = byte;
      writeFileSync(path, bytes);
      log.rewind();
      expect(rowsOf(log)).toEqual([]);
    }
  });

  it('are more than are read at once', () => {
    const { database, rows } = logged();
    for (let i = 0; i < 900; i++) insert(database, 3_000);
    expect(new Set(rows().map(([key]) => key)).size).toBe(900);
  });
});
