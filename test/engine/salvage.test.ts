/** What is saved of damaged collections, and that nothing of what is lost goes unsaid. */
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Backend, CollectionScope, SalvageReport } from '../../src/api/index.ts';
import { seededNumbers } from '../../src/base/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { systemFiles } from '../../src/io/index.ts';
import { openSqlDatabase } from '../../src/sqlite/index.ts';
import { batchOf, deleteRequest, getRequest, queryRequest } from '../support/batches.ts';
import { makeCollection, openTestDatabase, SCOPE } from '../support/database.ts';
import { collectionFile, withFile } from '../support/kept-cells.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const PAGE_BYTES = 2_048;
/** The header of an SQLite file (sqlite.org/fileformat.html, 1.3), and where in it the size of pages is. */
const SQLITE_HEADER_BYTES = 100;
const PAGE_SIZE_PLACE = 16;
const COUNT = 400;
const DELETED = new Set([3, 77, 200, 399]);

const documentOf = (i: number): string => `The document ${i} ${'says more '.repeat(i % 30)}`;
const DIMENSION = 24;
/** A hundred embeddings of so many dimensions begin a file with large pages. */
const LARGE_DIMENSION = 400;
const embeddingOf = (i: number, dimension = DIMENSION): number[] =>
  Array.from({ length: dimension }, (_, d) => Math.fround(Math.sin(i * dimension + d)));

interface Damaged {
  readonly path: string;
  readonly scope: CollectionScope;
  readonly file: string;
}

/** A closed database of one collection of `COUNT` records, some of them deleted. */
async function prepare(dimension = DIMENSION): Promise<Damaged> {
  const path = temporaryDirectory();
  const backend = await openDatabase({ path, threads: 0 });
  const scope = await makeCollection(backend);
  for (let start = 0; start < COUNT; start += 100) {
    const records = Array.from({ length: 100 }, (_, k) => start + k);
    const columns = records.map((i) => ({
      id: `id-${i}`,
      embedding: embeddingOf(i, dimension),
      document: documentOf(i),
    }));
    await backend.add(scope, batchOf(...columns));
  }
  await backend.delete(scope, deleteRequest({ ids: [...DELETED].map((i) => `id-${i}`) }));
  await backend.close();
  return { path, scope, file: collectionFile(path, scope.collectionId) };
}

async function salvaged(
  path: string,
  scope: CollectionScope,
): Promise<{ report: SalvageReport; backend: Backend; saved: CollectionScope }> {
  const backend = await openTestDatabase({ path });
  const report = await backend.salvage(scope, 'saved');
  return { report, backend, saved: { ...SCOPE, collectionId: report.collectionId } };
}

/** Checks that what was saved is what was written, and that every other record is told of. */
async function expectAllAccountedFor(path: string, scope: CollectionScope): Promise<SalvageReport> {
  const { report, backend, saved } = await salvaged(path, scope);
  const { ids, documents, embeddings } = await backend.get(saved, getRequest());
  for (const [at, id] of ids.entries()) {
    const i = Number(id.slice(3));
    expect(DELETED.has(i)).toBe(false);
    expect(documents![at]).toBe(documentOf(i));
    expect([...embeddings!.values.subarray(at * DIMENSION, (at + 1) * DIMENSION)]).toEqual(embeddingOf(i));
  }
  expect(ids.length).toBe(report.savedCount);
  expect(report.savedCount + report.lostCount).toBeGreaterThanOrEqual(COUNT - DELETED.size);
  expect(await backend.verify(saved)).toEqual({ recordCount: ids.length, faultCount: 0, faults: [] });
  if (ids.length > 0) {
    const i = Number(ids.at(-1)!.slice(3));
    const [nearest] = await backend.query(saved, queryRequest([embeddingOf(i)], { nResults: 1 }));
    expect(nearest!.ids).toEqual([`id-${i}`]);
  }
  await backend.add(saved, batchOf({ id: 'new', embedding: embeddingOf(1_000) }));
  await backend.close();
  return report;
}

/** Pages of a table of the file, by SQLite's own account. */
function pagesOf(file: string, name: string): number[] {
  return withFile(file, (database) => {
    const rows = database
      .prepare('SELECT pageno FROM dbstat WHERE name = ? AND pagetype = ?')
      .all(name, 'leaf');
    return rows.map(([page]) => page as number);
  });
}

function overwrite(file: string, pages: readonly number[], byte: number): void {
  const bytes = readFileSync(file);
  for (const page of pages) bytes.fill(byte, (page - 1) * PAGE_BYTES, page * PAGE_BYTES);
  writeFileSync(file, bytes);
}

describe('salvage', () => {
  it('of a sound collection saves all of it and loses nothing', async () => {
    const { path, scope } = await prepare();
    const report = await expectAllAccountedFor(path, scope);
    expect(report).toMatchObject({ name: 'saved', savedCount: 396, lostCount: 0, losses: [] });
  });

  it.each([
    ['first', (pages: number[]) => pages.slice(0, 1)],
    ['last', (pages: number[]) => pages.slice(-1)],
    ['middle', (pages: number[]) => pages.slice(pages.length / 2, pages.length / 2 + 1)],
    ['first and last', (pages: number[]) => [pages[0]!, pages.at(-1)!]],
    ['every fifth', (pages: number[]) => pages.filter((_, i) => i % 5 === 2)],
  ])('walks around pages of records that cannot be read: the %s', async (_, choose) => {
    const { path, scope, file } = await prepare();
    const pages = pagesOf(file, 'records');
    overwrite(file, choose(pages), 0xee);
    const report = await expectAllAccountedFor(path, scope);
    expect(report.lostCount).toBeGreaterThan(0);
    expect(report.savedCount).toBeGreaterThan(200);
    // The index of ids names them.
    expect(report.losses.every(({ id }) => id !== null)).toBe(true);
    expect(report.losses).toHaveLength(report.lostCount);
  });

  it('saves all records where only indexes and other tables are damaged', async () => {
    const { path, scope, file } = await prepare();
    const pages = [...pagesOf(file, 'sqlite_autoindex_records_1'), ...pagesOf(file, 'changes')];
    overwrite(file, pages, 0);
    expect(await expectAllAccountedFor(path, scope)).toMatchObject({ savedCount: 396, lostCount: 0 });
  });

  it('saves all records where the state is damaged', async () => {
    const { path, scope, file } = await prepare();
    withFile(file, (database) => database.exec('UPDATE state SET record_count = 7'));
    expect(await expectAllAccountedFor(path, scope)).toMatchObject({ savedCount: 396, lostCount: 0 });
  });

  it('saves a block of embeddings whose presence bits are wrong, and tells of embeddings that are', async () => {
    const { path, scope, file } = await prepare();
    withFile(file, (database) => {
      const data = database.prepare('SELECT data FROM vectors WHERE block = 5').get()![0] as Uint8Array;
      const flipped = new Uint8Array(data);
      flipped[0]! ^= 4;
      database.prepare('UPDATE vectors SET data = ? WHERE block = 5').run(flipped);
      const other = database.prepare('SELECT data FROM vectors WHERE block = 7').get()![0] as Uint8Array;
      const changed = new Uint8Array(other);
      changed[changed.length - 1]! ^= 1;
      database.prepare('UPDATE vectors SET data = ? WHERE block = 7').run(changed);
    });
    const report = await expectAllAccountedFor(path, scope);
    expect(report).toMatchObject({ savedCount: 395, lostCount: 1 });
    expect(report.losses[0]).toMatchObject({
      row: 256,
      id: 'id-255',
      message: expect.stringMatching(/embedding/),
    });
  });

  it.each([
    ['small', DIMENSION, 2_048],
    ['large', LARGE_DIMENSION, 4_096],
  ])(
    'saves all that a file of %s pages holds whose header is damaged, wherever',
    async (_, dimension, size) => {
      const { path, scope, file } = await prepare(dimension);
      const sound = readFileSync(file);
      expect(sound.readUInt16BE(PAGE_SIZE_PLACE)).toBe(size);
      for (let place = 0; place <= SQLITE_HEADER_BYTES; place++) {
        const harmed = Buffer.from(sound);
        if (place < SQLITE_HEADER_BYTES) harmed[place]! ^= 1 << (place % 8);
        // Another size that files of ours can have, which SQLite believes.
        else harmed.writeUInt16BE(6_144 - size, PAGE_SIZE_PLACE);
        writeFileSync(file, harmed);
        const backend = await openDatabase({ path, threads: 0 });
        const { savedCount } = await backend.salvage(scope, 'saved');
        expect(savedCount, `byte ${place}`).toBe(COUNT - DELETED.size);
        await backend.deleteCollection(SCOPE, 'saved');
        await backend.close();
      }
    },
  );

  // Only Linux tells which locks there are.
  it.runIf(process.platform === 'linux')(
    'leaves the file locked for those who have it open in this process, or others would take its log away',
    async () => {
      const { path, scope, file } = await prepare();
      const backend = await openTestDatabase({ path });
      expect(await backend.count(scope)).toBe(396);
      const locksOf = (inode: number): number =>
        readFileSync('/proc/locks', 'utf8')
          .split('\n')
          .filter((line) => line.includes(`:${inode} `)).length;
      const before = locksOf(statSync(file).ino);
      expect(before).toBeGreaterThan(0);
      await backend.salvage(scope, 'saved');
      expect(locksOf(statSync(file).ino)).toBe(before);
    },
  );

  describe('of a sound file misses nothing that another process moves out of the log meanwhile', () => {
    /** Opens a database where that happens just before a log is copied, if it may. */
    function openFolding(path: string, file: string, beforehand: () => void): Promise<Backend> {
      const copy: typeof systemFiles.copy = (from, to) => {
        beforehand();
        const other = openSqlDatabase({ path: file, readOnly: false, busyTimeoutMs: 1 });
        other.pragma('wal_checkpoint(TRUNCATE)');
        other.close();
        systemFiles.copy(from, to);
      };
      return openTestDatabase({ path }, { files: { ...systemFiles, copy } });
    }

    it('where somebody reads an earlier state, and the file has grown without its header', async () => {
      const { path, scope, file } = await prepare();
      const backend = await openFolding(path, file, () => reader.exec('ROLLBACK'));
      const add = async (name: string): Promise<void> => {
        const records = Array.from({ length: 100 }, (_, i) => ({
          id: `${name}-${i}`,
          embedding: embeddingOf(i),
        }));
        await backend.add(scope, batchOf(...records));
      };
      await add('seen');
      const reader = openSqlDatabase({ path: file, readOnly: true, busyTimeoutMs: 1 });
      onTestFinished(() => reader.close());
      reader.exec('BEGIN');
      reader.pragma('page_count');
      await add('unseen');
      withFile(file, (database) => database.pragma('wal_checkpoint(PASSIVE)'));
      const { savedCount, lostCount } = await backend.salvage(scope, 'saved');
      expect([savedCount, lostCount]).toEqual([COUNT - DELETED.size + 200, 0]);
    });

    it('where the file is to become shorter', async () => {
      const { path, scope, file } = await prepare();
      const backend = await openFolding(path, file, () => {});
      const ids = Array.from({ length: 300 }, (_, i) => `id-${i}`);
      await backend.delete(scope, deleteRequest({ ids }));
      withFile(file, (database) => {
        database.exec('PRAGMA incremental_vacuum');
        expect(Number(database.pragma('page_count')) * PAGE_BYTES).toBeLessThan(statSync(file).size);
      });
      const { savedCount, lostCount } = await backend.salvage(scope, 'saved');
      expect([savedCount, lostCount]).toEqual([await backend.count(scope), 0]);
    });
  });

  it('saves what a file holds that was cut short, or whose pages are at random overwritten', async () => {
    const { path, scope, file } = await prepare();
    const sound = readFileSync(file);
    const random = seededNumbers(20_261_125);
    let savedRounds = 0;
    for (let round = 0; round < 12; round++) {
      writeFileSync(file, sound);
      if (round < 4) {
        truncateSync(file, Math.floor(((round + 5) / 10) * (sound.length / PAGE_BYTES)) * PAGE_BYTES);
      } else {
        const count = sound.length / PAGE_BYTES;
        // The first two pages hold the header and what the tables are.
        overwrite(
          file,
          Array.from({ length: 6 }, () => 3 + Math.floor(random() * (count - 3))),
          round,
        );
      }
      try {
        await expectAllAccountedFor(path, scope);
        savedRounds++;
      } catch (error) {
        // A root page that is gone leaves nothing to read; then that is said.
        expect(error).toMatchObject({ code: 'TESSERA_CORRUPT' });
      }
      const backend = await openDatabase({ path, threads: 0 });
      await backend.deleteCollection(SCOPE, 'saved').catch(() => {});
      expect(await backend.countCollections(SCOPE)).toBe(1);
      await backend.close();
    }
    expect(savedRounds).toBeGreaterThan(10);
    expect(readdirSync(dirname(file)).filter((name) => name.includes('damaged'))).toEqual([]);
  });

  it('of a file that is none, or is gone, says so and leaves nothing', async () => {
    const { path, scope, file } = await prepare();
    for (const harm of [() => writeFileSync(file, 'x'.repeat(9_000)), () => rmSync(file)]) {
      harm();
      const backend = await openDatabase({ path, threads: 0 });
      await expect(backend.salvage(scope, 'saved')).rejects.toMatchObject({ code: 'TESSERA_CORRUPT' });
      expect(await backend.countCollections(SCOPE)).toBe(1);
      await backend.close();
    }
  });

  it('of a collection in memory is a copy', async () => {
    const backend = await openTestDatabase();
    const scope = await makeCollection(backend);
    await backend.add(scope, batchOf({ id: 'a', embedding: [1, 2] }));
    const { collectionId, savedCount } = await backend.salvage(scope, 'saved');
    expect(savedCount).toBe(1);
    expect(await backend.count({ ...SCOPE, collectionId })).toBe(1);
  });
});

describe('a file in another’s place', () => {
  it('is noticed, by readers and writers', async () => {
    const path = temporaryDirectory();
    const first = await openDatabase({ path, threads: 0 });
    const [a, b] = [await makeCollection(first, 'aaa'), await makeCollection(first, 'bbb')];
    await first.add(a, batchOf({ id: 'x', embedding: [1, 2] }));
    await first.add(b, batchOf({ id: 'y', embedding: [3, 4] }));
    await first.close();
    const [one, other] = [a, b].map(({ collectionId }) => collectionFile(path, collectionId)) as [
      string,
      string,
    ];
    const bytes = readFileSync(one);
    writeFileSync(one, readFileSync(other));
    writeFileSync(other, bytes);
    for (const readOnly of [true, false]) {
      const backend = await openDatabase({ path, threads: 0, readOnly });
      for (const scope of [a, b]) {
        const damage = { code: 'TESSERA_CORRUPT', message: expect.stringMatching(/of another collection/) };
        await expect(backend.get(scope, getRequest())).rejects.toMatchObject(damage);
        await expect(backend.count(scope)).rejects.toMatchObject(damage);
        expect(await backend.verify(scope).catch((error) => error)).toMatchObject({ faultCount: 1 });
      }
      await backend.close();
    }
  });
});
