/** Indexes follow the records: every answer is that of the present state, whatever was loaded before. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { type Backend, type CollectionScope, parseWhere, parseWhereDocument } from '../../src/api/index.ts';
import { seededNumbers } from '../../src/base/index.ts';
import { openSqlDatabase, sqlDriverName } from '../../src/sqlite/index.ts';
import { batchOf, deleteRequest, getRequest, queryRequest, type TestRecord } from '../support/batches.ts';
import { makeCollection, openTestDatabase } from '../support/database.ts';
import { temporaryDirectory } from '../support/temporary.ts';

async function found(backend: Backend, scope: CollectionScope, request = {}): Promise<string[]> {
  return (await backend.get(scope, getRequest(request))).ids;
}

describe('after every kind of write', () => {
  it('queries, filters and text searches agree with the records', async () => {
    const backend = await openTestDatabase();
    const scope = await makeCollection(backend);
    const next = seededNumbers(20_260_101);
    const model = new Map<string, { x: number; k: number; text: string }>();
    const ids = Array.from({ length: 400 }, (_, i) => `r${i}`);
    for (let round = 0; round < 40; round++) {
      const chosen = ids.filter(() => next() < 0.1);
      if (chosen.length > 0 && next() < 0.3) {
        await backend.delete(scope, deleteRequest({ ids: chosen }));
        for (const id of chosen) model.delete(id);
      } else if (chosen.length > 0) {
        const records = chosen.map((id): TestRecord & { x: number; k: number } => {
          const x = Math.floor(next() * 1000);
          const k = Math.floor(next() * 5);
          return { id, x, k, embedding: [x, 0], document: `number ${x} of many`, metadata: `{"k":${k}}` };
        });
        await backend.upsert(scope, batchOf(...records));
        for (const { id, x, k } of records) {
          // An upsert of a deleted record is a new record, at the end.
          model.set(id, { x, k, text: `number ${x} of many` });
        }
      }
      const expected = (keep: (record: { x: number; k: number; text: string }) => boolean): string[] =>
        [...model].filter(([, record]) => keep(record)).map(([id]) => id);
      const k = round % 5;
      expect(await found(backend, scope, { where: parseWhere({ k }) })).toEqual(expected((r) => r.k === k));
      const needle = `number ${round}`;
      const whereDocument = parseWhereDocument({ $contains: needle });
      expect(await found(backend, scope, { whereDocument })).toEqual(
        expected((r) => r.text.includes(needle)),
      );
      const target = Math.floor(next() * 1000);
      const [answer] = await backend.query(scope, queryRequest([[target, 0]], { nResults: 5 }));
      const distances = [...model.values()].map(({ x }) => (x - target) ** 2).sort((a, b) => a - b);
      expect([...answer!.distances!]).toEqual(distances.slice(0, 5));
      expect(await found(backend, scope)).toEqual([...model.keys()]);
    }
  });

  it('a follower that has seen records which are gone starts anew', async () => {
    const backend = await openTestDatabase();
    const scope = await makeCollection(backend);
    const records = Array.from({ length: 3000 }, (_, i) => ({
      id: `r${i}`,
      embedding: [i],
      metadata: `{"k":${i}}`,
    }));
    await backend.add(scope, batchOf(...records));
    await backend.query(scope, queryRequest([[0]]));
    await backend.delete(scope, deleteRequest({ where: parseWhere({ k: { $lt: 2900 } }) }));
    const [answer] = await backend.query(scope, queryRequest([[0]], { nResults: 2 }));
    expect(answer!.ids).toEqual(['r2900', 'r2901']);
    expect(await backend.count(scope)).toBe(100);
  });

  it('a filter sees the writes that were queued before it', async () => {
    const backend = await openTestDatabase();
    const scope = await makeCollection(backend);
    const first = backend.add(scope, batchOf({ id: 'a', embedding: [1], metadata: '{"k":1}' }));
    const second = backend.delete(scope, deleteRequest({ where: parseWhere({ k: 1 }) }));
    const third = backend.add(scope, batchOf({ id: 'b', embedding: [2], metadata: '{"k":1}' }));
    expect(await found(backend, scope, { where: parseWhere({ k: 1 }) })).toEqual(['b']);
    expect(await second).toEqual({ deleted: 1 });
    await Promise.all([first, third]);
  });
});

describe('a filter that is asked again', () => {
  it('is answered anew after every change, and told from others that look alike', async () => {
    const backend = await openTestDatabase();
    const scope = await makeCollection(backend);
    const big = 9007199254740993n;
    await backend.add(
      scope,
      batchOf({ id: 'a', embedding: [1], metadata: `{"k":1,"b":${big}}`, document: 'x' }),
    );
    for (let round = 0; round < 3; round++) {
      const id = `r${round}`;
      await backend.add(scope, batchOf({ id, embedding: [round], metadata: '{"k":1}', document: 'y' }));
      const expected = ['a', ...Array.from({ length: round + 1 }, (_, i) => `r${i}`)];
      for (let again = 0; again < 2; again++) {
        expect(await found(backend, scope, { where: parseWhere({ k: 1 }) })).toEqual(expected);
        expect(await found(backend, scope, { where: parseWhere({ k: '1' }) })).toEqual([]);
        expect(await found(backend, scope, { where: parseWhere({ b: big }) })).toEqual(['a']);
        expect(await found(backend, scope, { where: parseWhere({ b: String(big) }) })).toEqual([]);
        expect(await found(backend, scope, { where: parseWhere({ k: 1 }), ids: ['a'] })).toEqual(['a']);
        const both = { where: parseWhere({ k: 1 }), whereDocument: parseWhereDocument({ $contains: 'x' }) };
        expect(await found(backend, scope, both)).toEqual(['a']);
      }
    }
    await backend.delete(scope, deleteRequest({ where: parseWhere({ k: 1 }) }));
    expect(await found(backend, scope, { where: parseWhere({ k: 1 }) })).toEqual([]);
  });
});

describe('a failed transaction', () => {
  it('leaves no trace in the indexes that had followed it', async () => {
    const path = temporaryDirectory();
    const backend = await openTestDatabase({ path });
    const scope = await makeCollection(backend);
    await backend.add(scope, batchOf({ id: 'a', embedding: [1], metadata: '{"k":1}' }));
    await found(backend, scope, { where: parseWhere({ k: 1 }) });
    // Of two queued calls the second fails alone; the first, which the second one's filter had followed,
    // stands.
    const kept = backend.add(scope, batchOf({ id: 'b', embedding: [2], metadata: '{"k":1}' }));
    const failed = backend.add(scope, batchOf({ id: 'c', embedding: [2, 3] }));
    await expect(failed).rejects.toMatchObject({ code: 'TESSERA_DIMENSION_MISMATCH' });
    await kept;
    expect(await found(backend, scope, { where: parseWhere({ k: 1 }) })).toEqual(['a', 'b']);
  });
});

function run(path: string, sql: string): void {
  const database = openSqlDatabase({ path, readOnly: false, busyTimeoutMs: 100 });
  database.exec(sql);
  database.close();
}

interface UnsafeDatabase {
  exec(sql: string): void;
  close(): void;
  unsafeMode?(): void;
  enableDefensive?(isEnabled: boolean): void;
}

/** As `run`, on tables that SQLite guards against programs; by the driver that the database uses. */
function runUnsafe(path: string, sql: string): void {
  const load = createRequire(import.meta.url);
  const driver = sqlDriverName();
  const loaded: unknown = load(driver);
  const Database = (
    driver === 'node:sqlite' ? (loaded as { DatabaseSync: unknown }).DatabaseSync : loaded
  ) as new (
    file: string,
  ) => UnsafeDatabase;
  const database = new Database(path);
  database.unsafeMode?.();
  database.enableDefensive?.(false);
  database.exec(sql);
  database.close();
}

/** The text index keeps its format's version in a table, beside the word `version`. */
function flipVersion(path: string): void {
  const bytes = readFileSync(path);
  const at = [4, 5].map((version) => bytes.indexOf(`version${String.fromCharCode(version)}`));
  const start = Math.max(...at);
  expect(start).toBeGreaterThan(0);
  bytes[start + 'version'.length]! ^= 64;
  writeFileSync(path, bytes);
}

describe('the text index', () => {
  it('answers as the documents do, before, while and after it is built', async () => {
    const backend = await openTestDatabase({ path: temporaryDirectory() });
    const scope = await makeCollection(backend);
    // Documents long enough not to be kept in memory.
    const filler = 'lorem ipsum dolor sit amet '.repeat(200);
    const records = Array.from({ length: 2000 }, (_, i) => ({
      id: `r${i}`,
      embedding: [i],
      document: `${filler} tile ${i % 100}.`,
    }));
    await backend.add(scope, batchOf(...records));
    const count = async (text: string): Promise<number> =>
      (await found(backend, scope, { whereDocument: parseWhereDocument({ $contains: text }) })).length;
    const before = await count('tile 42.');
    await backend.update(
      scope,
      batchOf({ id: 'r42', document: 'rewritten' }, { id: 'r1', document: 'now tile 42.' }),
    );
    const during: number[] = [];
    for (let turn = 0; turn < 40; turn++) {
      during.push(await count('tile 42.'));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await backend.delete(scope, deleteRequest({ ids: ['r142'] }));
    expect({ before, during: new Set(during), after: await count('tile 42.') }).toEqual({
      before: 20,
      during: new Set([20]),
      after: 19,
    });
    const without = parseWhereDocument({ $not_contains: 'tile 42.' });
    expect(await found(backend, scope, { whereDocument: without })).toHaveLength(1999 - 19);
  });

  it.each([
    ['one bit of its version has turned over', (file: string) => flipVersion(file)],
    ['its position is gone', (file: string) => run(file, 'DELETE FROM followers')],
    ['its position is far ahead', (file: string) => run(file, 'UPDATE followers SET position = 1000000')],
    ['a part is missing', (file: string) => runUnsafe(file, 'DROP TABLE text_index_idx')],
    [
      'its terms lead nowhere',
      (file: string) => runUnsafe(file, 'DELETE FROM text_index_data WHERE id > 10'),
    ],
    ['its place for positions is gone', (file: string) => run(file, 'DROP TABLE followers')],
  ])('that is damaged (%s) costs time, not answers', async (_, harm) => {
    const path = temporaryDirectory();
    const filler = 'lorem ipsum dolor sit amet '.repeat(1000);
    const records = Array.from({ length: 400 }, (_unused, i) => ({
      id: `r${i}`,
      embedding: [i],
      document: `${filler} tile ${i % 10}.`,
    }));
    const first = await openTestDatabase({ path });
    const scope = await makeCollection(first);
    await first.add(scope, batchOf(...records));
    const tiles = { whereDocument: parseWhereDocument({ $contains: 'tile 4.' }) };
    await found(first, scope, tiles);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    await first.close();
    harm(`${path}/collections/${scope.collectionId}.sqlite3`);
    const second = await openTestDatabase({ path });
    const expected = records.filter((_unused, i) => i % 10 === 4).map(({ id }) => id);
    expect(await found(second, scope, tiles)).toEqual(expected);
    await second.add(scope, batchOf({ id: 'new', embedding: [1], document: `${filler} tile 4.` }));
    for (let turn = 0; turn < 20; turn++) {
      expect(await found(second, scope, tiles)).toEqual([...expected, 'new']);
      await new Promise((resolve) => setImmediate(resolve));
    }
  });

  it('that contradicts itself stops neither writes nor the process', async () => {
    const path = temporaryDirectory();
    const filler = 'lorem ipsum dolor sit amet '.repeat(1000);
    const records = Array.from({ length: 350 }, (_, i) => ({
      id: `r${i}`,
      embedding: [i],
      document: `${filler}${i}`,
    }));
    const first = await openTestDatabase({ path });
    const scope = await makeCollection(first);
    await first.add(scope, batchOf(...records));
    await found(first, scope, { whereDocument: parseWhereDocument({ $contains: 'lorem' }) });
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    await first.close();
    runUnsafe(
      `${path}/collections/${scope.collectionId}.sqlite3`,
      "UPDATE text_index_data SET block = x'00'",
    );
    const second = await openTestDatabase({ path });
    await second.add(scope, batchOf({ id: 'new', embedding: [1], document: filler }));
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(await second.count(scope)).toBe(351);
  });
});
