/**
 * What is deleted, or replaced, is in no file of the directory any more: neither in free pages, nor in
 * write-ahead logs, nor in an index. Public report: chroma-core/chroma 7659.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Backend, CollectionScope, Settings } from '../../src/api/index.ts';
import { DatabaseError } from '../../src/base/index.ts';
import { SYSTEM_COMPONENTS } from '../../src/engine/components.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { LocalBackend } from '../../src/engine/local-backend.ts';
import { completeSettings } from '../../src/engine/settings.ts';
import { systemFiles } from '../../src/io/index.ts';
import { openSqlDatabase } from '../../src/sqlite/index.ts';
import { batchOf, deleteRequest, queryRequest, type TestRecord } from '../support/batches.ts';
import { makeCollection, openTestDatabase, SCOPE } from '../support/database.ts';
import { pagesWithRemnants } from '../support/gaps.ts';
import { collectionFile, SMALL_INDEX, withFile } from '../support/kept-cells.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** Numbers whose bytes occur nowhere else. */
const SECRET_EMBEDDING = [1234.567, -98.7654, 0.00123, 5.4321e-7];

const EMBEDDING_BYTES = Buffer.from(new Float32Array(SECRET_EMBEDDING).buffer);

function secret(i: number): TestRecord {
  return {
    id: `SECRETID${i}`,
    embedding: SECRET_EMBEDDING.map((value) => value),
    document: `Before SECRETTEXT${i} and after. ${'More SECRETTEXT. '.repeat(i * 40)}`,
    uri: `file:///SECRETURI${i}`,
    metadata: JSON.stringify({ [`SECRETKEY`]: `SECRETVALUE${i}` }),
  };
}

function plain(i: number): TestRecord {
  return { id: `plain-${i}`, embedding: [i, 1, 2, 3], document: `An ordinary text, number ${i}` };
}

/** Files of a directory that hold any of the secrets, with what they hold. */
function traces(path: string): string[] {
  const needles = ['SECRETID', 'SECRETTEXT', 'SECRETURI', 'SECRETVALUE', 'SECRETNAME', EMBEDDING_BYTES];
  const files = readdirSync(path, { recursive: true, encoding: 'utf8' });
  return files.flatMap((name) => {
    if (statSync(join(path, name)).isDirectory()) return [];
    const bytes = readFileSync(join(path, name));
    return needles
      .filter((needle) => bytes.includes(needle))
      .map((needle) => `${name}: ${needle.toString()}`);
  });
}

async function filled(threads = 0): Promise<{ path: string; backend: Backend; scope: CollectionScope }> {
  const path = temporaryDirectory();
  const backend = await openTestDatabase({ path, threads });
  const scope = await makeCollection(backend);
  await backend.add(scope, batchOf(...Array.from({ length: 60 }, (_, i) => plain(i))));
  await backend.add(scope, batchOf(...Array.from({ length: 12 }, (_, i) => secret(i))));
  await backend.add(scope, batchOf(...Array.from({ length: 60 }, (_, i) => plain(100 + i))));
  return { path, backend, scope };
}

const SECRET_IDS = Array.from({ length: 12 }, (_, i) => `SECRETID${i}`);

describe('records that were deleted', () => {
  it.each([0, 1, 3])('are in no file once the collection is settled (threads: %i)', async (threads) => {
    const { path, backend, scope } = await filled(threads);
    expect(traces(path)).not.toEqual([]);
    await backend.query(scope, queryRequest([[1, 2, 3, 4]]));
    await backend.delete(scope, deleteRequest({ ids: SECRET_IDS }));
    await backend.settle(scope);
    expect(traces(path)).toEqual([]);
    expect(await backend.count(scope)).toBe(120);
  });

  it('are in no file once the database is closed', async () => {
    const { path, backend, scope } = await filled();
    await backend.delete(scope, deleteRequest({ ids: SECRET_IDS }));
    await backend.close();
    expect(traces(path)).toEqual([]);
  });

  it('are in no file once nothing was called for a while', async () => {
    const { path, backend, scope } = await filled();
    await backend.delete(scope, deleteRequest({ ids: SECRET_IDS }));
    await expect.poll(() => traces(path), { timeout: 20_000, interval: 200 }).toEqual([]);
  });

  it('with all the others leave nothing, not even a code of theirs', async () => {
    const path = temporaryDirectory();
    const backend = await openTestDatabase({ path }, { indexTuning: SMALL_INDEX });
    const scope = await makeCollection(backend);
    const embeddings = Array.from({ length: 100 }, (_, i) => [Math.sin(i), Math.cos(i), i / 50, 1]);
    await backend.add(scope, batchOf(...embeddings.map((embedding, i) => ({ id: `${i}`, embedding }))));
    await backend.settle(scope);
    const cells = (): number => {
      const file = openSqlDatabase({
        path: collectionFile(path, scope.collectionId),
        readOnly: true,
        busyTimeoutMs: 9,
      });
      try {
        return file.prepare('SELECT count(*) FROM cells').get()![0] as number;
      } catch {
        return 0;
      } finally {
        file.close();
      }
    };
    expect(cells()).toBeGreaterThan(0);
    await backend.delete(scope, deleteRequest({ ids: embeddings.map((_, i) => `${i}`) }));
    await backend.settle(scope);
    expect(cells()).toBe(0);
    await backend.add(scope, batchOf(...embeddings.map((embedding, i) => ({ id: `${i}`, embedding }))));
    await backend.settle(scope);
    expect(cells()).toBeGreaterThan(0);
    expect(await backend.verify(scope)).toMatchObject({ faultCount: 0 });
  });
});

describe('copies of records that SQLite has left where it had moved them', () => {
  /** Records of many lengths that change and go, until there are such copies. */
  async function churned(
    count = 300,
    settings: Partial<Settings> = {},
  ): Promise<{ file: string; backend: Backend; scope: CollectionScope }> {
    const path = temporaryDirectory();
    const backend = await openTestDatabase({ path, ...settings });
    const scope = await makeCollection(backend);
    const ids = Array.from({ length: count }, (_, i) => `${i}`);
    for (let turn = 0; turn < 5; turn++) {
      const records = ids.map((id, i) => {
        const document = `${id} in turn ${turn} `.padEnd(20 + ((i * 37 + turn * 53) % 300), '.');
        return { id, document, embedding: [i, turn] };
      });
      await backend.upsert(scope, batchOf(...records));
      await backend.delete(scope, deleteRequest({ ids: ids.filter((_, i) => (i + turn) % 7 === 0) }));
    }
    return { file: collectionFile(path, scope.collectionId), backend, scope };
  }

  const NONE = { records: 0, vectors: 0 };

  it('are gone once the collection is settled', async () => {
    const { file, backend, scope } = await churned();
    await backend.settle(scope);
    expect(pagesWithRemnants(file)).toEqual(NONE);
  });

  it('are gone once the database is closed', async () => {
    const { file, backend } = await churned();
    await backend.close();
    expect(pagesWithRemnants(file)).toEqual(NONE);
  });

  it('are gone once nothing was called for a while', async () => {
    const { file } = await churned();
    // The log is emptied before and after, and pages in a log that is not empty are not those of the file.
    const look = (): object => ({ logBytes: statSync(`${file}-wal`).size, ...pagesWithRemnants(file) });
    await expect.poll(look, { timeout: 20_000, interval: 200 }).toEqual({ logBytes: 0, ...NONE });
  });

  it('are gone also where the collection is closed for another one again and again', async () => {
    const { file, backend, scope } = await churned(600, { openCollectionsMax: 1 });
    const other = await makeCollection(backend, 'other');
    await backend.add(other, batchOf(plain(1)));
    let isSettled = false;
    const settling = backend.settle(scope).then(() => {
      isSettled = true;
    });
    for (let i = 0; i < 2_000 && !isSettled; i++) {
      expect(await backend.count(other)).toBe(1);
      await new Promise(setImmediate);
    }
    expect(isSettled).toBe(true);
    await settling;
    expect(pagesWithRemnants(file)).toEqual(NONE);
  });

  it('stay while another process has the lock for too long, which settling says', async () => {
    const { file, backend, scope } = await churned(300, { busyTimeoutMs: 20 });
    const other = openSqlDatabase({ path: file, readOnly: false, busyTimeoutMs: 20 });
    onTestFinished(() => other.close());
    other.exec('BEGIN IMMEDIATE');
    await expect(backend.settle(scope)).rejects.toMatchObject({ code: 'TESSERA_BUSY' });
    other.exec('COMMIT');
    await backend.settle(scope);
    expect(pagesWithRemnants(file)).toEqual(NONE);
  });

  it('stay in a damaged collection, which keeps nothing from going elsewhere', async () => {
    const { file, backend } = await churned();
    const damaged = openSqlDatabase({ path: file, readOnly: false, busyTimeoutMs: 1_000 });
    damaged.exec('UPDATE records SET vector_checksum = vector_checksum + 1');
    damaged.close();
    const other = await makeCollection(backend, 'other');
    await backend.add(other, batchOf(plain(1), plain(2)));
    await backend.delete(other, deleteRequest({ ids: ['plain-1'] }));
    const log = (): number => statSync(`${collectionFile(join(file, '../..'), other.collectionId)}-wal`).size;
    expect(log()).toBeGreaterThan(0);
    await expect.poll(log, { timeout: 20_000, interval: 200 }).toBe(0);
    expect(pagesWithRemnants(file).records).toBeGreaterThan(0);
  });

  it('stay in a large collection of which little has changed until it is settled', async () => {
    const { file, backend, scope } = await churned();
    await backend.settle(scope);
    for (let i = 0; i < 25; i++) {
      const records = Array.from({ length: 1_000 }, (_, j) => ({ id: `more-${i}-${j}`, embedding: [i, j] }));
      await backend.add(scope, batchOf(...records));
    }
    const documents = Array.from({ length: 200 }, (_, i) => ({ id: `${i}`, document: '.'.repeat(i * 3) }));
    await backend.update(scope, batchOf(...documents));
    await expect.poll(() => statSync(`${file}-wal`).size, { timeout: 20_000, interval: 200 }).toBe(0);
    expect(pagesWithRemnants(file).records).toBeGreaterThan(0);
    await backend.settle(scope);
    expect(pagesWithRemnants(file)).toEqual(NONE);
  });
});

describe('texts, metadata and embeddings that were replaced', () => {
  it('are in no file once the collection is settled', async () => {
    const { path, backend, scope } = await filled();
    const records = SECRET_IDS.map((_, i) => ({ ...plain(i), id: `plain-${i}` }));
    await backend.upsert(scope, batchOf(...SECRET_IDS.map((_, i) => ({ ...secret(i), id: `plain-${i}` }))));
    await backend.delete(scope, deleteRequest({ ids: SECRET_IDS }));
    const metadata = JSON.stringify({ SECRETKEY: null });
    await backend.upsert(scope, batchOf(...records.map((record) => ({ ...record, uri: 'u', metadata }))));
    await backend.settle(scope);
    expect(traces(path)).toEqual([]);
  });
});

describe('the text index', () => {
  it('keeps no trigram of a deleted document once the collection is settled', async () => {
    const path = temporaryDirectory();
    const backend = new LocalBackend(completeSettings({ path, threads: 0 }, 1e9), SYSTEM_COMPONENTS);
    const scope = await makeCollection(backend);
    await backend.add(scope, batchOf(...Array.from({ length: 300 }, (_, i) => plain(i))));
    await backend.add(scope, batchOf({ id: 'x', embedding: [1, 2, 3, 4], document: 'the word qqxzz' }));
    await backend.add(scope, batchOf({ id: 'y', embedding: [1, 2, 3, 4], document: 'the word jjwvv' }));
    backend.noteTextIndexWanted(scope);
    await backend.settle(scope);
    const file = openSqlDatabase({
      path: collectionFile(path, scope.collectionId),
      readOnly: false,
      busyTimeoutMs: 100,
    });
    file.exec("CREATE VIRTUAL TABLE temp.terms USING fts5vocab('main', 'text_index', 'row')");
    const has = (term: string): boolean =>
      file.prepare('SELECT 1 FROM terms WHERE term = ?').get(term) !== undefined;
    expect([has('qxz'), has('jwv')]).toEqual([true, true]);
    await backend.delete(scope, deleteRequest({ ids: ['x'] }));
    await backend.upsert(scope, batchOf({ id: 'y', embedding: [1, 2, 3, 4], document: 'the word kkpbb' }));
    await backend.settle(scope);
    expect([has('qxz'), has('jwv'), has('kpb')]).toEqual([false, false, true]);
    file.close();
    expect(await backend.verify(scope)).toMatchObject({ recordCount: 301, faultCount: 0 });
    await backend.close();
  });
});

describe('a collection that was deleted, renamed or given other metadata', () => {
  it('leaves neither its name nor its metadata in the catalogue', async () => {
    const { path, backend, scope } = await filled();
    await backend.delete(scope, deleteRequest({ ids: SECRET_IDS }));
    const { configuration, schema } = await backend.getCollection(SCOPE, 'tiles');
    for (const name of ['SECRETNAME-1', 'SECRETNAME-2']) {
      const metadata = JSON.stringify({ k: 'SECRETVALUE' });
      await backend.createCollection(SCOPE, { name, metadata, configuration, schema, getOrCreate: false });
    }
    const { id: collectionId } = await backend.getCollection(SCOPE, 'SECRETNAME-2');
    await backend.deleteCollection(SCOPE, 'SECRETNAME-1');
    await backend.updateCollection({ ...SCOPE, collectionId }, { name: 'renamed', metadata: null });
    await backend.settle(scope);
    expect(traces(path)).toEqual([]);
  });
});

/** Public report: chroma-core/chroma 2143. */
describe('the file', () => {
  it('does not grow by writing the same records again, ten times', async () => {
    const path = temporaryDirectory();
    const backend = await openTestDatabase({ path });
    const scope = await makeCollection(backend);
    const records = Array.from({ length: 2_000 }, (_, i) => ({
      id: `id-${i}`,
      embedding: Array.from({ length: 32 }, (_, d) => Math.sin(i * 32 + d)),
      document: `The document ${i}, which says a little more than its number.`,
      metadata: JSON.stringify({ i }),
    }));
    const size = async (): Promise<number> => {
      await backend.upsert(scope, batchOf(...records));
      await backend.settle(scope);
      const names = readdirSync(join(path, 'collections'));
      return names.reduce(
        (sum, name) => sum + (/-shm$/.test(name) ? 0 : statSync(join(path, 'collections', name)).size),
        0,
      );
    };
    const first = await size();
    for (let round = 2; round <= 10; round++) expect(await size()).toBeLessThan(first * 1.15);
  });

  it('stays below twice the live data while records come and go', async () => {
    const path = temporaryDirectory();
    const backend = await openTestDatabase({ path });
    const scope = await makeCollection(backend);
    const batch = (round: number): TestRecord[] =>
      Array.from({ length: 500 }, (_, i) => ({
        id: `${round}-${i}`,
        embedding: Array.from({ length: 64 }, (_, d) => Math.sin(round * 999 + i * 64 + d)),
        document: `Round ${round}, document ${i}, ${'and some more. '.repeat(5)}`,
      }));
    const file = collectionFile(path, scope.collectionId);
    await backend.add(scope, batchOf(...batch(0)));
    await backend.settle(scope);
    const one = statSync(file).size;
    for (let round = 1; round < 20; round++) {
      await backend.add(scope, batchOf(...batch(round)));
      const ids = Array.from({ length: 500 }, (_, i) => `${round - 1}-${i}`);
      await backend.delete(scope, deleteRequest({ ids }));
    }
    await backend.settle(scope);
    expect(statSync(file).size).toBeLessThan(2 * one);
    expect(await backend.count(scope)).toBe(500);
  });
});

describe('the file of a deleted collection', () => {
  it('is noted until a power cut cannot bring it back', async () => {
    const path = temporaryDirectory();
    let isFailing = false;
    const syncDirectory = (folder: string): void => {
      if (isFailing) throw new DatabaseError('TESSERA_IO', `planted: ${folder} cannot be synced`);
      systemFiles.syncDirectory(folder);
    };
    const backend = await openTestDatabase({ path }, { files: { ...systemFiles, syncDirectory } });
    const { collectionId } = await makeCollection(backend, 'first');
    await backend.add({ ...SCOPE, collectionId }, batchOf(secret(0)));
    isFailing = true;
    await backend.deleteCollection(SCOPE, 'first');
    await expect(backend.getCollection(SCOPE, 'first')).rejects.toMatchObject({ kind: 'not_found' });
    expect(traces(join(path, 'collections'))).toEqual([]);
    const noted = (): unknown[] =>
      withFile(join(path, 'catalogue.sqlite3'), (catalogue) =>
        catalogue.prepare('SELECT id FROM deleted_collections').all().flat(),
      );
    expect(noted()).toEqual([collectionId]);
    await (await openDatabase({ path, threads: 0 })).close();
    expect(noted()).toEqual([]);
  });
});
