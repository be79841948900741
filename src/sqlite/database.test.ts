import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { AssertionError, DatabaseError } from '../base/index.ts';
import { openSqlDatabase, type SqlDatabase, sqlDriverName } from './database.ts';
import { translateSqlError } from './errors.ts';
import { hasNodeSqlite } from './node-sqlite.ts';

/** The header of an SQLite file (sqlite.org/fileformat.html, 1.3). */
const SQLITE_HEADER_BYTES = 100;

function open(path = ':memory:', readOnly = false): SqlDatabase {
  const database = openSqlDatabase({ path, readOnly, busyTimeoutMs: 50 });
  onTestFinished(() => database.close());
  return database;
}

function code(expected: string): unknown {
  return expect.objectContaining({ code: expected });
}

const BUILT_ROOM = new URL('../../dist/sqlite/index.js', import.meta.url).href;

describe('the driver seam', () => {
  it('uses node:sqlite where Node has it whole, and better-sqlite3 elsewhere', () => {
    const major = Number(process.versions.node.split('.')[0]);
    expect(sqlDriverName()).toBe(
      major >= 24 ? 'node:sqlite' : hasNodeSqlite() ? 'node:sqlite' : 'better-sqlite3',
    );
    expect(open().driver).toBe(sqlDriverName());
  });

  it('gives back every kind of value as it was stored', () => {
    const database = open();
    database.exec('CREATE TABLE t (a, b, c, d, e)');
    const bytes = new Uint8Array([0, 255, 7]);
    const insert = database.prepare('INSERT INTO t VALUES (?, ?, ?, ?, ?)');
    expect(insert.run(null, 'naïve 🜁', 9007199254740991, -0.5, bytes)).toBe(1);
    const row = database.prepare('SELECT * FROM t').get()!;
    expect(row.slice(0, 4)).toEqual([null, 'naïve 🜁', 9007199254740991, -0.5]);
    expect([...(row[4] as Uint8Array)]).toEqual([0, 255, 7]);
    expect(database.prepare('SELECT a FROM t WHERE 0').get()).toBeUndefined();
    expect([...database.prepare('SELECT c FROM t').iterate()]).toEqual([[9007199254740991]]);
    expect(database.prepare('SELECT c FROM t').all()).toEqual([[9007199254740991]]);
    expect(database.pragma('page_size')).toBe(4096);
  });

  it('has full-text search with trigrams, and deletes without content', () => {
    const database = open();
    database.exec(
      `CREATE VIRTUAL TABLE f USING fts5(d, content='', contentless_delete=1, tokenize='trigram case_sensitive 1')`,
    );
    database.prepare('INSERT INTO f (rowid, d) VALUES (?, ?)').run(3, 'clear water');
    expect(database.prepare('SELECT rowid FROM f WHERE f MATCH ?').all('"wat"')).toEqual([[3]]);
    database.prepare('DELETE FROM f WHERE rowid = ?').run(3);
    expect(database.prepare('SELECT rowid FROM f WHERE f MATCH ?').all('"wat"')).toEqual([]);
  });
});

describe('transactions', () => {
  it('undo everything when the work throws, and a savepoint undoes its own part', () => {
    const database = open();
    database.exec('CREATE TABLE t (a)');
    const insert = (value: number): number => database.prepare('INSERT INTO t VALUES (?)').run(value);
    const count = (): unknown => database.prepare('SELECT count(*) FROM t').get()![0];
    const fail = (): never => {
      throw new RangeError('planted');
    };
    expect(() => database.write(() => insert(1) && fail())).toThrow('planted');
    expect(count()).toBe(0);
    database.write(() => {
      insert(2);
      expect(() => database.savepoint(() => insert(3) && fail())).toThrow('planted');
      insert(4);
    });
    expect(database.prepare('SELECT a FROM t').all()).toEqual([[2], [4]]);
    expect(database.read(count)).toBe(2);
  });

  it('passes faults of ours through untouched', () => {
    const database = open();
    expect(() => database.exec('SELEC')).toThrow(/syntax error/);
    expect(() => database.write(() => database.exec('COMMIT; SELEC'))).toThrow(/syntax error/);
    expect(translateSqlError(new AssertionError('ours'), 'p')).toBeInstanceOf(AssertionError);
    expect(translateSqlError('text', 'p')).toBe('text');
  });
});

describe('what can go wrong outside', () => {
  it('names a file that is no database, a lock that is held, a file that cannot be written or opened', () => {
    const directory = temporaryDirectory();
    const notOurs = join(directory, 'letter.txt');
    writeFileSync(notOurs, 'Dear reader, this is a letter and not a database. '.repeat(30));
    expect(() => open(notOurs).pragma('user_version')).toThrow(code('TESSERA_NOT_A_DATABASE'));
    expect(() => open(join(directory, 'no/such/folder.sqlite3'))).toThrow(code('TESSERA_IO'));

    const path = join(directory, 'a.sqlite3');
    const writer = open(path);
    writer.exec('CREATE TABLE t (a)');
    writer.exec('BEGIN IMMEDIATE');
    expect(() => open(path).write(() => {})).toThrow(code('TESSERA_BUSY'));
    writer.exec('COMMIT');
    expect(() => open(path, true).exec('INSERT INTO t VALUES (1)')).toThrow(code('TESSERA_READ_ONLY'));
  });

  it('a flipped bit in the header of a file is told as what befell the file, if it is noticed', () => {
    const path = join(temporaryDirectory(), 'a.sqlite3');
    const writer = openSqlDatabase({ path, readOnly: false, busyTimeoutMs: 50 });
    writer.exec('CREATE TABLE t (a); INSERT INTO t VALUES (7)');
    writer.close();
    const whole = readFileSync(path);
    let toldCount = 0;
    for (let bit = 0; bit < SQLITE_HEADER_BYTES * 8; bit++) {
      const damaged = Buffer.from(whole);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      writeFileSync(path, damaged);
      try {
        const database = openSqlDatabase({ path, readOnly: false, busyTimeoutMs: 50 });
        try {
          expect(database.prepare('SELECT a FROM t').all(), `bit ${bit}`).toEqual([[7]]);
          database.exec('PRAGMA synchronous = OFF; INSERT INTO t VALUES (8)');
        } finally {
          database.close();
        }
      } catch (error) {
        if (!(error instanceof DatabaseError)) throw error;
        toldCount++;
      }
    }
    expect(toldCount).toBeGreaterThan(100);
  });

  it('an integer that no number equals, which only damage can make, is rounded or told as damage', () => {
    const database = open();
    database.exec('CREATE TABLE t (a); INSERT INTO t VALUES (9007199254740993)');
    const statement = database.prepare('SELECT a FROM t');
    for (const read of [
      () => statement.get()![0],
      () => statement.all()[0]![0],
      () => [...statement.iterate()][0]![0],
    ]) {
      if (database.driver === 'node:sqlite') expect(read).toThrow(code('TESSERA_CORRUPT'));
      else expect(read()).toBe(9007199254740992);
    }
  });

  it('says what to install where no driver is to be had', () => {
    const program = `
      process.getBuiltinModule = () => undefined;
      const module = (await import('node:module')).default;
      const load = module._load;
      module._load = (name, ...rest) => {
        if (name === 'better-sqlite3') throw new Error('planted: not installed');
        return load(name, ...rest);
      };
      const { sqlDriverName } = await import('${BUILT_ROOM}');
      try { sqlDriverName(); } catch (error) {
        console.log(error.code, /npm install better-sqlite3/.test(error.message));
      }
    `;
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
    });
    expect(output.trim()).toBe('TESSERA_DRIVER_MISSING true');
  });
});
