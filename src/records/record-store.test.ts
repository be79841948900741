import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { batchOf, type TestRecord } from '../../test/support/batches.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { DEFAULT_SETTINGS, type RecordBatch } from '../api/index.ts';
import { DatabaseError, seededNumbers } from '../base/index.ts';
import { openSqlDatabase } from '../sqlite/index.ts';
import { RecordStore } from './record-store.ts';
import type { RecordWriter } from './record-writer.ts';

const SETTINGS = { ...DEFAULT_SETTINGS, busyTimeoutMs: 100 };

function open(path: string | null = null): RecordStore {
  const store = RecordStore.open({ ...SETTINGS, path });
  onTestFinished(() => store.close());
  return store;
}

function write(store: RecordStore, call: (writer: RecordWriter) => void): void {
  const [outcome] = store.writeGroup([call]);
  if (!outcome!.ok) throw outcome!.error;
}

const add = (store: RecordStore, ...records: TestRecord[]): void => {
  write(store, (writer) => writer.add(batchOf(...records)));
};

function embeddingOf(store: RecordStore, id: string): number[] {
  return store.read((state) => {
    const record = store.byId(id)!;
    return [...store.vectors(state.dimension!).read(record.row, record.vectorChecksum)];
  });
}

const ids = (store: RecordStore): string[] => Array.from(store.scan(), ({ id }) => id);

describe('a look-up by id', () => {
  it('finds nothing under half of a surrogate pair, which no id can hold', () => {
    const store = open();
    add(store, { id: '\ufffd', embedding: [1] }, { id: '\ufffd\ufffd\ufffd', embedding: [2] });
    expect(store.read(() => store.byId('\ud800'))).toBeUndefined();
    expect(store.read(() => store.byId('\ufffd'))).toMatchObject({ id: '\ufffd' });
  });
});

it('one call may touch more vector blocks than are held in memory', () => {
  const store = open();
  const dimension = 4096;
  const count = 1_500;
  const batch = (factor: number): RecordBatch => ({
    ...batchOf(...Array.from({ length: count }, (_, i) => ({ id: `r${i}` }))),
    embeddings: {
      dimension,
      values: new Float32Array(count * dimension).map((_, i) => factor * Math.floor(i / dimension)),
      present: null,
    },
  });
  write(store, (writer) => writer.add(batch(1)));
  write(store, (writer) => writer.upsert(batch(2)));
  store.read((state) => {
    const table = store.vectors(state.dimension!);
    const { rows, checksums } = store.rows(state.recordCount);
    const first = Array.from(rows, (row, i) => table.read(row, checksums[i]!)[0]);
    expect(first).toEqual(Array.from({ length: count }, (_, i) => 2 * i));
  });
  write(store, (writer) => writer.delete(Array.from({ length: count - 1 }, (_, i) => i + 1)));
  expect(embeddingOf(store, `r${count - 1}`)[0]).toBe(2 * (count - 1));
  expect(store.database.prepare('SELECT count(*) FROM vectors').get()).toEqual([1]);
});

describe('writes', () => {
  it('insert in order, ignore ids that exist, and let the first of a pair win', () => {
    const store = open();
    add(store, { id: 'a', embedding: [1, 2], document: 'one' }, { id: 'b', embedding: [3, 4] });
    add(
      store,
      { id: 'a', embedding: [9, 9] },
      { id: 'c', embedding: [5, 6], document: 'x' },
      { id: 'c', embedding: [7, 8] },
    );
    expect(ids(store)).toEqual(['a', 'b', 'c']);
    expect(embeddingOf(store, 'a')).toEqual([1, 2]);
    expect(embeddingOf(store, 'c')).toEqual([5, 6]);
    expect(store.read((state) => state)).toMatchObject({
      recordCount: 3,
      dimension: 2,
      sequence: 3,
      nextRow: 4,
    });
  });

  it('merge on upsert and update, keep what is not given, and delete keys that are null', () => {
    const store = open();
    add(store, { id: 'a', embedding: [1, 2], document: 'one', uri: 'u', metadata: '{"k":1,"f":1.0}' });
    write(store, (writer) =>
      writer.upsert(batchOf({ id: 'a', embedding: [3, 4], metadata: '{"m":"x","k":null}' })),
    );
    expect(store.byId('a')).toMatchObject({ document: 'one', uri: 'u', metadata: '{"f":1.0,"m":"x"}' });
    expect(embeddingOf(store, 'a')).toEqual([3, 4]);
    write(store, (writer) =>
      writer.update(batchOf({ id: 'a', document: 'two' }, { id: 'nobody', document: 'x' })),
    );
    expect(store.byId('a')).toMatchObject({ document: 'two', metadata: '{"f":1.0,"m":"x"}' });
    write(store, (writer) => writer.update(batchOf({ id: 'a', metadata: '{"f":null,"m":null}' })));
    expect(store.byId('a')!.metadata).toBeNull();
    expect(store.byId('nobody')).toBeUndefined();
    expect(embeddingOf(store, 'a')).toEqual([3, 4]);
  });

  it('give every change a position and leave tombstones without content', () => {
    const store = open();
    add(store, { id: 'a', embedding: [1] }, { id: 'b', embedding: [2] });
    write(store, (writer) => writer.update(batchOf({ id: 'a', document: 'x' })));
    write(store, (writer) => writer.delete([store.byId('b')!.row]));
    expect(store.changesSince(0)).toEqual([
      [3, 1],
      [4, 2],
    ]);
    expect(store.changesSince(3)).toEqual([[4, 2]]);
    add(store, { id: 'b', embedding: [5] });
    expect(store.byId('b')!.row).toBe(3);
    expect(ids(store)).toEqual(['a', 'b']);
  });

  it('purge tombstones once they outnumber the records, and say up to where', () => {
    const store = open();
    const records = Array.from({ length: 1500 }, (_, i) => ({ id: `r${i}`, embedding: [i] }));
    add(store, ...records);
    write(store, (writer) => writer.delete(Array.from({ length: 1400 }, (_, i) => i + 1)));
    const state = store.read((current) => current);
    expect(state).toMatchObject({ recordCount: 100, tombstoneCount: 0, purgedSequence: state.sequence });
    expect(store.changesSince(0)).toHaveLength(100);
  });

  it('fix the dimension, also by an update of a record that does not exist', () => {
    const store = open();
    write(store, (writer) => writer.update(batchOf({ id: 'nobody', embedding: [1, 2, 3] })));
    expect(() => add(store, { id: 'a', embedding: [1, 2] })).toThrow(
      /^Collection expecting embedding with dimension of 3, got 2/,
    );
    expect(store.read((state) => state.recordCount)).toBe(0);
  });

  it('of a group succeed or fail alone, in one transaction', () => {
    const store = open();
    const outcomes = store.writeGroup([
      (writer) => writer.add(batchOf({ id: 'a', embedding: [1, 2] })),
      (writer) => writer.add(batchOf({ id: 'b', embedding: [3, 4] }, { id: 'c' })),
      (writer) => writer.add(batchOf({ id: 'd', embedding: [5, 6] })),
    ]);
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, false, true]);
    expect(outcomes[1]).toMatchObject({ error: { code: 'TESSERA_INVALID_EMBEDDING' } });
    expect(ids(store)).toEqual(['a', 'd']);
    expect(store.read((state) => state)).toMatchObject({ recordCount: 2, sequence: 2 });
  });

  it('are refused when another process has deleted the collection', () => {
    const path = join(temporaryDirectory(), 'c.sqlite3');
    const here = open(path);
    add(here, { id: 'a', embedding: [1] });
    open(path).markDeleted();
    const gone = expect.objectContaining({ code: 'TESSERA_COLLECTION_NOT_FOUND' });
    expect(() => add(here, { id: 'b', embedding: [1] })).toThrow(gone);
    expect(() => here.read(() => 0)).toThrow(gone);
  });
});

describe('embeddings', () => {
  it('come back to the last bit after any sequence of writes, at any dimension', () => {
    for (const dimension of [1, 3, 130, 512, 4097]) {
      const store = open();
      const next = seededNumbers(dimension);
      const expected = new Map<string, number[]>();
      const draw = (): number[] => Array.from({ length: dimension }, () => Math.fround(next() * 2 - 1));
      for (let step = 0; step < 30; step++) {
        const records = Array.from({ length: 4 }, () => ({
          id: `r${Math.floor(next() * 40)}`,
          embedding: draw(),
        }));
        write(store, (writer) => writer.upsert(batchOf(...records)));
        for (const { id, embedding } of records) expected.set(id, embedding);
        const victim = `r${Math.floor(next() * 40)}`;
        const row = store.byId(victim)?.row;
        if (row !== undefined) write(store, (writer) => writer.delete([row]));
        expected.delete(victim);
      }
      const { rows, checksums } = store.rows(expected.size);
      const seen = new Map<string, number[]>();
      store.vectors(dimension).readMany(rows, checksums, rows.length, (index, embedding) => {
        seen.set(store.byRow(rows[index]!)!.id, [...embedding]);
      });
      expect(seen).toEqual(expected);
      for (const [id, embedding] of expected) expect(embeddingOf(store, id)).toEqual(embedding);
    }
  });
});

describe('damage', () => {
  /** Applies SQL to the closed file, as a bad disk would. */
  function damaged(sql: string): RecordStore {
    const path = join(temporaryDirectory(), 'c.sqlite3');
    const store = RecordStore.open({ ...SETTINGS, path });
    add(
      store,
      ...['a', 'b', 'c'].map((id, i) => ({
        id,
        embedding: [i, 1, 2],
        document: `text ${id}`,
        metadata: '{"k":1}',
      })),
    );
    store.close();
    const raw = openSqlDatabase({ path, readOnly: false, busyTimeoutMs: 100 });
    raw.exec(sql);
    raw.close();
    return open(path);
  }
  const corrupt = expect.objectContaining({ code: 'TESSERA_CORRUPT' });

  it.each(['sequence', 'next_row', 'record_count', 'purged_sequence'])(
    'in the state is noticed: %s',
    (column) => {
      const store = damaged(`UPDATE state SET ${column} = ${column} + 1`);
      expect(() => store.read((state) => state)).toThrow(corrupt);
    },
  );

  it('in any column of a record is noticed and named, and the others stay readable', () => {
    for (const change of [
      `id = 'x'`,
      `document = 'text B'`,
      'document = NULL',
      `uri = ''`,
      `metadata = '{"k":2}'`,
      'sequence = 9',
      'vector_checksum = 1',
    ]) {
      const store = damaged(`UPDATE records SET ${change} WHERE row = 2`);
      expect(() => store.byRow(2)).toThrow(corrupt);
      expect(() => store.byRow(2)).toThrow(/row 2/);
      expect(store.byId('c')!.document).toBe('text c');
    }
  });

  it('in an embedding is noticed: a flipped bit, a missing, shortened or retyped block, another embedding', () => {
    const block = 'SELECT data FROM vectors';
    for (const sql of [
      `UPDATE vectors SET data = CAST(substr(data, 1, 20) || x'FF' || substr(data, 22) AS BLOB)`,
      `UPDATE vectors SET data = CAST(substr(data, 1, length(data) - 1) AS BLOB)`,
      `UPDATE vectors SET data = x''`,
      'DELETE FROM vectors',
      'UPDATE vectors SET data = CAST(data AS TEXT)',
      `UPDATE vectors SET data = CAST(substr((${block}), 1, 4) || substr((${block}), 9, 4) || substr((${block}), 5, 4) || substr((${block}), 13) AS BLOB)`,
    ]) {
      const store = damaged(sql);
      const { rows, checksums } = store.rows(store.read(({ recordCount }) => recordCount));
      const readAll = () => store.vectors(3).readMany(rows, checksums, rows.length, () => {});
      expect(readAll).toThrow(corrupt);
    }
  });

  it('in the state is noticed', () => {
    const store = damaged('UPDATE state SET record_count = 2');
    expect(() => store.read(() => 0)).toThrow(corrupt);
  });
});

describe('the file', () => {
  it('of one record takes at most 32 KB once closed, and deleted text is gone from it', async () => {
    const path = join(temporaryDirectory(), 'c.sqlite3');
    const store = RecordStore.open({ ...SETTINGS, path });
    add(store, {
      id: 'a',
      embedding: new Array<number>(512).fill(0.5),
      document: 'ephemeral confession',
      metadata: '{"k":1}',
    });
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
    write(store, (writer) => writer.delete([1]));
    add(store, { id: 'b', embedding: new Array<number>(512).fill(0.25) });
    store.close();
    expect(statSync(path).size).toBeLessThanOrEqual(32_768);
    const { readFileSync, readdirSync } = await import('node:fs');
    expect(readdirSync(join(path, '..'))).toEqual(['c.sqlite3']);
    const bytes = readFileSync(path);
    expect(bytes.includes('ephemeral confession')).toBe(false);
    expect(bytes.includes(Buffer.from(new Float32Array([0.5, 0.5]).buffer))).toBe(false);
    expect(bytes.includes(Buffer.from(new Float32Array([0.25, 0.25]).buffer))).toBe(true);
  });

  it('of a newer version and of another program are refused with the way out', () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'c.sqlite3');
    RecordStore.open({ ...SETTINGS, path }).close();
    const newer = join(directory, 'newer.sqlite3');
    copyFileSync(path, newer);
    const raw = openSqlDatabase({ path: newer, readOnly: false, busyTimeoutMs: 100 });
    raw.exec('PRAGMA user_version = 99');
    raw.close();
    expect(() => open(newer)).toThrow(expect.objectContaining({ code: 'TESSERA_NEWER_FORMAT' }));
    const foreign = join(directory, 'foreign.sqlite3');
    const other = openSqlDatabase({ path: foreign, readOnly: false, busyTimeoutMs: 100 });
    other.exec('CREATE TABLE recipes (a)');
    other.close();
    expect(() => open(foreign)).toThrow(expect.objectContaining({ code: 'TESSERA_NOT_A_DATABASE' }));
    expect(() => open(foreign)).toThrow(DatabaseError);
  });

  it('uses a write-ahead log that is synced at every commit, unless relaxed', () => {
    const path = join(temporaryDirectory(), 'c.sqlite3');
    const full = open(path).database;
    expect([full.pragma('journal_mode'), full.pragma('synchronous')]).toEqual(['wal', 2]);
    expect([full.pragma('secure_delete'), full.pragma('auto_vacuum')]).toEqual([1, 2]);
    const relaxed = RecordStore.open({ ...SETTINGS, path, durability: 'relaxed' });
    expect(relaxed.database.pragma('synchronous')).toBe(1);
    relaxed.close();
  });
});

describe('a full disk', () => {
  it('fails the call with nothing of it stored, and writing goes on once there is space', () => {
    const store = open(join(temporaryDirectory(), 'c.sqlite3'));
    add(store, { id: 'a', embedding: new Array<number>(64).fill(1) });
    const pages = Number(store.database.pragma('page_count'));
    store.database.pragma(`max_page_count = ${pages + 4}`);
    const many = Array.from({ length: 400 }, (_, i) => ({
      id: `r${i}`,
      embedding: new Array<number>(64).fill(i),
    }));
    const full = expect.objectContaining({ code: 'TESSERA_DISK_FULL' });
    expect(() => add(store, ...many)).toThrow(full);
    // Of a group none is stored, since the transaction itself cannot be trusted any more.
    expect(() =>
      store.writeGroup([
        (writer) => writer.add(batchOf({ id: 'b', embedding: new Array<number>(64).fill(2) })),
        (writer) => writer.add(batchOf(...many)),
      ]),
    ).toThrow(full);
    expect(ids(store)).toEqual(['a']);
    expect(store.database.pragma('integrity_check')).toBe('ok');
    store.database.pragma('max_page_count = 1000000');
    add(store, ...many);
    expect(store.read((state) => state.recordCount)).toBe(401);
  });
});

describe('a scan', () => {
  const COUNT = 400;

  function filled(path: string | null = null): RecordStore {
    const store = open(path);
    add(store, ...Array.from({ length: COUNT }, (_, i) => ({ id: `r${i}`, embedding: [i] })));
    return store;
  }

  it('reads each record once, in order, from an offset and up to a limit', () => {
    const store = filled();
    const gone = new Set([0, 63, 64, 65, 127, 128, 399]);
    write(store, (writer) => writer.delete([...gone].map((i) => store.byId(`r${i}`)!.row)));
    const left = Array.from({ length: COUNT }, (_, i) => i).filter((i) => !gone.has(i));
    const expected = left.map((i) => `r${i}`);
    for (const limit of [null, 0, 1, 63, 64, 65, 128, 130, COUNT]) {
      for (const offset of [0, 1, 64, 100, left.length - 64, left.length, COUNT]) {
        const found = store.read(() => Array.from(store.scan(limit, offset), ({ id }) => id));
        expect(found).toEqual(expected.slice(offset, limit === null ? undefined : offset + limit));
      }
    }
  });

  it('holds few large documents at once', () => {
    const store = open();
    const document = 'x'.repeat(2 ** 19);
    for (let i = 0; i < 70; i++) add(store, { id: `r${i}`, embedding: [i], document: `${i}${document}` });
    const { database } = store;
    const prepare = database.prepare.bind(database);
    let most = 0;
    database.prepare = (sql) => {
      const statement = prepare(sql);
      const all: typeof statement.all = (...parameters) => {
        const rows = statement.all(...parameters);
        const texts = rows.flat().filter((value) => typeof value === 'string');
        most = Math.max(most, texts.join('').length);
        return rows;
      };
      return { ...statement, all, get: (...parameters) => statement.get(...parameters) };
    };
    expect(store.read(() => Array.from(store.scan(null, 3), ({ id }) => id))).toHaveLength(67);
    expect(most).toBeGreaterThan(2 ** 19);
    expect(most).toBeLessThan(2 ** 21);
  });

  /** A store whose table of records names one page of them in two places. */
  function looping(): RecordStore {
    const path = join(temporaryDirectory(), 'records.sqlite3');
    const made = filled(path);
    made.database.pragma('wal_checkpoint(TRUNCATE)');
    const root = Number(
      made.database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'records'").get()![0],
    );
    const pageBytes = Number(made.database.pragma('page_size'));
    made.close();
    const bytes = readFileSync(path);
    const page = bytes.subarray((root - 1) * pageBytes, root * pageBytes);
    // An interior page of a table: cells that begin with the number of a child.
    expect(page[0]).toBe(5);
    const childAt = (cell: number): number => page.readUInt16BE(12 + 2 * cell);
    page.writeUInt32BE(page.readUInt32BE(childAt(0)), childAt(3));
    writeFileSync(path, bytes);
    return open(path);
  }

  it('ends where damage leads back to rows that it has read', () => {
    const store = looping();
    const scan = (): string[] => store.read(() => ids(store));
    expect(scan).toThrow(expect.objectContaining({ code: 'TESSERA_CORRUPT' }) as Error);
    expect(scan).toThrow('in two places');
  });

  it('of pages, each after the last row of the one before, ends there too', () => {
    const store = looping();
    const examineAll = (limit: number): number => {
      let [after, pages] = [0, 0];
      for (; pages <= COUNT; pages++) {
        const found = store.read(() => store.examine(after, limit));
        if (found.length === 0) break;
        after = found.at(-1)!.row;
      }
      return pages;
    };
    for (const limit of [1, 10, 64, COUNT]) expect(() => examineAll(limit)).toThrow('in two places');
  });
});
