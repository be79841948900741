/** What lies in the directory: when files appear, go away, are closed, and whose directory it is. */
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Backend } from '../../src/api/index.ts';
import { DatabaseError } from '../../src/base/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { systemFiles } from '../../src/io/index.ts';
import { openSqlDatabase } from '../../src/sqlite/index.ts';
import { batchOf, deleteRequest, getRequest, queryRequest } from '../support/batches.ts';
import { makeCollection, openTestDatabase, SCOPE } from '../support/database.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const files = (path: string): string[] =>
  readdirSync(join(path, 'collections')).filter((name) => name.endsWith('.sqlite3'));

/** Holds a file's write lock, as another program would, until the test ends. */
function lockFile(path: string): void {
  const holder = openSqlDatabase({ path, readOnly: false, busyTimeoutMs: 1 });
  holder.exec('BEGIN IMMEDIATE');
  onTestFinished(() => holder.close());
}

async function fill(backend: Backend, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    const scope = await makeCollection(backend, `tiles-${i}`);
    await backend.add(scope, batchOf({ id: 'a', embedding: [i, 1, 2] }));
    ids.push(scope.collectionId);
  }
  return ids;
}

describe('collections and their files', () => {
  it('an empty collection has no file, whatever is asked of it', async () => {
    const path = temporaryDirectory();
    const backend = await openTestDatabase({ path });
    const scope = await makeCollection(backend);
    expect(await backend.count(scope)).toBe(0);
    expect((await backend.get(scope, getRequest())).ids).toEqual([]);
    expect(await backend.query(scope, queryRequest([[1, 2]]))).toMatchObject([{ ids: [] }]);
    await backend.update(scope, batchOf({ id: 'nobody', document: 'x' }));
    await backend.add(scope, batchOf());
    expect(files(path)).toEqual([]);
    await backend.add(scope, batchOf({ id: 'a', embedding: [1] }));
    expect(files(path)).toEqual([`${scope.collectionId}.sqlite3`]);
  });

  it('opening a directory opens none of its collections, and open ones are bounded', async () => {
    const path = temporaryDirectory();
    const first = await openDatabase({ path, threads: 0, openCollectionsMax: 3 });
    const ids = await fill(first, 8);
    const openFiles = (): number =>
      readdirSync(join(path, 'collections')).filter((name) => name.endsWith('-wal')).length;
    expect(openFiles()).toBe(3);
    await first.close();
    expect(openFiles()).toBe(0);
    const second = await openTestDatabase({ path, openCollectionsMax: 3 });
    expect(await second.countCollections(SCOPE)).toBe(8);
    expect(openFiles()).toBe(0);
    for (const [i, collectionId] of ids.entries()) {
      const { embeddings } = await second.get({ ...SCOPE, collectionId }, getRequest());
      expect([...embeddings!.values]).toEqual([i, 1, 2]);
    }
  });

  it('of one record take at most 32 KB each once closed', async () => {
    const path = temporaryDirectory();
    const backend = await openDatabase({ path, threads: 0 });
    const scope = await makeCollection(backend);
    const embedding = Array.from({ length: 512 }, (_, i) => i / 512);
    await backend.add(scope, batchOf({ id: 'a', embedding, document: 'x'.repeat(500), metadata: '{"k":1}' }));
    await backend.query(scope, queryRequest([embedding]));
    await backend.close();
    const [name] = readdirSync(join(path, 'collections'));
    expect(statSync(join(path, 'collections', name!)).size).toBeLessThanOrEqual(32_768);
  });

  it('go away with the collection, the database, and everything', async () => {
    const path = temporaryDirectory();
    const backend = await openTestDatabase({ path, allowReset: true });
    await fill(backend, 3);
    await backend.deleteCollection(SCOPE, 'tiles-1');
    expect(files(path)).toHaveLength(2);
    await backend.reset();
    expect(readdirSync(join(path, 'collections'))).toEqual([]);
    expect(await backend.countCollections(SCOPE)).toBe(0);
    await fill(backend, 2);
    await backend.deleteDatabase(SCOPE);
    expect(readdirSync(join(path, 'collections'))).toEqual([]);
  });

  it.each([
    ['damaged', (file: string) => writeFileSync(file, 'x'.repeat(8192))],
    ['locked by another program', (file: string) => lockFile(file)],
  ])('go away although they are %s, and the directory opens afterwards', async (_, harm) => {
    const path = temporaryDirectory();
    const first = await openDatabase({ path, threads: 0 });
    const [id, other] = await fill(first, 2);
    await first.close();
    harm(join(path, 'collections', `${id}.sqlite3`));
    const second = await openDatabase({ path, threads: 0, busyTimeoutMs: 20 });
    await second.deleteCollection(SCOPE, 'tiles-0');
    expect(readdirSync(join(path, 'collections')).filter((name) => name.startsWith(id!))).toEqual([]);
    await second.close();
    const third = await openTestDatabase({ path });
    expect(await third.count({ ...SCOPE, collectionId: other! })).toBe(1);
  });

  it('that the system does not let go are removed at the next opening', async () => {
    const path = temporaryDirectory();
    const first = await openDatabase({ path, threads: 0 });
    const [id] = await fill(first, 1);
    await first.close();
    const remove = (): never => {
      throw new DatabaseError('TESSERA_IO', 'The operating system refused to remove the file.');
    };
    for (let attempt = 0; attempt < 2; attempt++) {
      const stubborn = await openDatabase({ path, threads: 0 }, { files: { ...systemFiles, remove } });
      if (attempt === 0) await stubborn.deleteCollection(SCOPE, 'tiles-0');
      expect(await stubborn.countCollections(SCOPE)).toBe(0);
      await stubborn.close();
      expect(files(path)).toEqual([`${id}.sqlite3`]);
    }
    await openTestDatabase({ path });
    expect(files(path)).toEqual([]);
  });

  it.each(['get', 'add'] as const)('do not come back by a %s that the deletion overtook', async (verb) => {
    const path = temporaryDirectory();
    const other = await openTestDatabase({ path });
    const [collectionId] = await fill(other, 1);
    let isDeleted = false;
    const exists = (file: string): boolean => {
      const answer = systemFiles.exists(file);
      if (!isDeleted && file.endsWith(`${collectionId}.sqlite3`)) {
        isDeleted = true;
        // Takes effect at once: calls of this kind run before their promise is returned.
        void other.deleteCollection(SCOPE, 'tiles-0');
      }
      return answer;
    };
    const backend = await openTestDatabase({ path }, { files: { ...systemFiles, exists } });
    const scope = { ...SCOPE, collectionId: collectionId! };
    const call =
      verb === 'get'
        ? backend.get(scope, getRequest())
        : backend.add(scope, batchOf({ id: 'b', embedding: [1, 2, 3] }));
    await expect(call).rejects.toMatchObject({ code: 'TESSERA_COLLECTION_NOT_FOUND' });
    expect(files(path)).toEqual([]);
  });

  it('whose deletion was cut short are removed at the next opening; unknown files are left alone', async () => {
    const path = temporaryDirectory();
    const first = await openDatabase({ path, threads: 0 });
    const [doomed, kept] = await fill(first, 2);
    await first.close();
    const catalogue = openSqlDatabase({
      path: join(path, 'catalogue.sqlite3'),
      readOnly: false,
      busyTimeoutMs: 100,
    });
    catalogue.exec(
      `DELETE FROM collections WHERE id = '${doomed}'; INSERT INTO deleted_collections VALUES ('${doomed}')`,
    );
    catalogue.close();
    const stranger = '00000000-aaaa-4aaa-8aaa-000000000000.sqlite3';
    writeFileSync(join(path, 'collections', stranger), 'somebody else’s');
    await openTestDatabase({ path });
    expect(files(path).sort()).toEqual([stranger, `${kept}.sqlite3`].sort());
  });
});

it('a damaged list of what has to go removes no file of a live collection', async () => {
  const path = temporaryDirectory();
  const first = await openDatabase({ path, threads: 0 });
  const [live] = await fill(first, 1);
  await first.close();
  const file = join(path, 'catalogue.sqlite3');
  const catalogue = openSqlDatabase({ path: file, readOnly: false, busyTimeoutMs: 100 });
  // As where another page of the catalogue stands in place of the list's.
  catalogue.exec(`INSERT INTO deleted_collections VALUES ('${live}'), ('default_tenant'), ('../../etc')`);
  catalogue.close();
  const backend = await openTestDatabase({ path });
  expect(files(path)).toEqual([`${live}.sqlite3`]);
  expect(await backend.count({ ...SCOPE, collectionId: live! })).toBe(1);
});

it('a file shrinks when most of its records are deleted', async () => {
  const path = temporaryDirectory();
  const backend = await openTestDatabase({ path });
  const scope = await makeCollection(backend);
  const ids = Array.from({ length: 2_000 }, (_, i) => `r${i}`);
  const embedding = Array.from({ length: 64 }, (_, d) => d);
  await backend.add(scope, batchOf(...ids.map((id) => ({ id, embedding }))));
  const full = (await backend.statistics(scope)).fileBytes;
  await backend.delete(scope, deleteRequest({ ids: ids.slice(10) }));
  await backend.settle(scope);
  expect((await backend.statistics(scope)).fileBytes).toBeLessThan(full / 2);
});

describe('a file that is lost', () => {
  const lost = { code: 'TESSERA_CORRUPT' };

  /** A directory with two collections, one of which loses its file or all of its content. */
  async function withLost(lose: (file: string) => void): Promise<{ path: string; ids: string[] }> {
    const path = temporaryDirectory();
    const first = await openDatabase({ path, threads: 0 });
    const ids = await fill(first, 2);
    await first.close();
    lose(join(path, 'collections', `${ids[0]}.sqlite3`));
    return { path, ids };
  }

  it.each([
    ['missing', (file: string) => rmSync(file)],
    ['empty', (file: string) => writeFileSync(file, '')],
  ])('because it is %s is no empty collection, for readers and for writers', async (_, lose) => {
    const { path, ids } = await withLost(lose);
    const [scope, other] = ids.map((collectionId) => ({ ...SCOPE, collectionId }));
    for (const readOnly of [true, false]) {
      const backend = await openTestDatabase({ path, readOnly });
      await expect(backend.count(scope!)).rejects.toMatchObject(lost);
      await expect(backend.get(scope!, getRequest())).rejects.toMatchObject(lost);
      await expect(backend.query(scope!, queryRequest([[0, 1, 2]]))).rejects.toMatchObject(lost);
      if (!readOnly) {
        await expect(backend.add(scope!, batchOf({ id: 'b', embedding: [1, 2, 3] }))).rejects.toMatchObject(
          lost,
        );
        await expect(backend.fork(scope!, 'copy')).rejects.toMatchObject(lost);
      }
      expect(await backend.count(other!)).toBe(1);
      await backend.close();
    }
  });

  it('can be given up by deleting the collection', async () => {
    const { path, ids } = await withLost((file) => rmSync(file));
    const backend = await openTestDatabase({ path });
    await backend.deleteCollection(SCOPE, 'tiles-0');
    expect(files(path)).toEqual([`${ids[1]}.sqlite3`]);
  });
});

describe('whose directory it is', () => {
  const refused = { code: 'TESSERA_NOT_A_DATABASE' };

  it('a missing or empty directory becomes a database; one of something else is left as it was', async () => {
    const parent = temporaryDirectory();
    const fresh = join(parent, 'a/b');
    await (await openDatabase({ path: fresh, threads: 0 })).close();
    expect(readdirSync(fresh).sort()).toEqual(['catalogue.sqlite3', 'collections']);
    const other = join(parent, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'chroma.sqlite3'), '');
    await expect(openDatabase({ path: other, threads: 0 })).rejects.toMatchObject(refused);
    await expect(openDatabase({ path: other, threads: 0 })).rejects.toThrow(/chroma\.sqlite3/);
    expect(readdirSync(other)).toEqual(['chroma.sqlite3']);
    await expect(openDatabase({ path: join(other, 'chroma.sqlite3'), threads: 0 })).rejects.toMatchObject(
      refused,
    );
    const letter = join(parent, 'letter');
    mkdirSync(letter);
    writeFileSync(join(letter, 'catalogue.sqlite3'), 'not a database at all, only a letter '.repeat(40));
    await expect(openDatabase({ path: letter, threads: 0 })).rejects.toMatchObject(refused);
  });

  it('a directory of which a power cut left only the journal of the first transaction becomes a database', async () => {
    const path = temporaryDirectory();
    const journal = join(path, 'catalogue.sqlite3-journal');
    writeFileSync(journal, Buffer.alloc(512, 7));
    await expect(openDatabase({ path, threads: 0, readOnly: true })).rejects.toMatchObject(refused);
    const backend = await openTestDatabase({ path });
    await fill(backend, 1);
    expect((await backend.listCollections(SCOPE, { limit: null, offset: 0 })).length).toBe(1);
    expect(readdirSync(path)).not.toContain('catalogue.sqlite3-journal');
    const withMore = temporaryDirectory();
    mkdirSync(join(withMore, 'collections'));
    writeFileSync(join(withMore, 'catalogue.sqlite3-journal'), '');
    await expect(openDatabase({ path: withMore, threads: 0 })).rejects.toMatchObject(refused);
  });

  it('a directory that is read only, by choice, can be read and refuses every write', async () => {
    const path = temporaryDirectory();
    await expect(
      openDatabase({ path: join(path, 'none'), threads: 0, readOnly: true }),
    ).rejects.toMatchObject(refused);
    const first = await openDatabase({ path, threads: 0 });
    const [collectionId] = await fill(first, 1);
    await first.close();
    const reader = await openTestDatabase({ path, readOnly: true });
    const scope = { ...SCOPE, collectionId: collectionId! };
    expect(await reader.count(scope)).toBe(1);
    expect(await reader.query(scope, queryRequest([[0, 1, 2]]))).toMatchObject([{ ids: ['a'] }]);
    const readOnly = { code: 'TESSERA_READ_ONLY' };
    await expect(reader.add(scope, batchOf({ id: 'b', embedding: [1, 2, 3] }))).rejects.toMatchObject(
      readOnly,
    );
    await expect(reader.createTenant('other')).rejects.toMatchObject(readOnly);
    await expect(reader.deleteCollection(SCOPE, 'tiles-0')).rejects.toMatchObject(readOnly);
  });

  it('what is not made yet reads as empty, or as no database, where nothing may be written', async () => {
    const path = temporaryDirectory();
    const first = await openDatabase({ path, threads: 0 });
    const scope = await makeCollection(first);
    await first.close();
    writeFileSync(join(path, 'collections', `${scope.collectionId}.sqlite3`), '');
    const reader = await openTestDatabase({ path, readOnly: true });
    expect(await reader.count(scope)).toBe(0);
    expect((await reader.get(scope, getRequest())).ids).toEqual([]);
    const writer = await openTestDatabase({ path });
    await writer.add(scope, batchOf({ id: 'a', embedding: [1] }));
    expect(await reader.count(scope)).toBe(1);
    const unmade = temporaryDirectory();
    writeFileSync(join(unmade, 'catalogue.sqlite3'), '');
    await expect(openDatabase({ path: unmade, threads: 0, readOnly: true })).rejects.toMatchObject({
      code: 'TESSERA_NOT_A_DATABASE',
    });
  });

  it('a file of a newer version is refused with the way out', async () => {
    const path = temporaryDirectory();
    await (await openDatabase({ path, threads: 0 })).close();
    const catalogue = openSqlDatabase({
      path: join(path, 'catalogue.sqlite3'),
      readOnly: false,
      busyTimeoutMs: 100,
    });
    catalogue.exec('PRAGMA user_version = 2');
    catalogue.close();
    await expect(openDatabase({ path, threads: 0 })).rejects.toMatchObject({ code: 'TESSERA_NEWER_FORMAT' });
    await expect(
      openDatabase(
        { path, threads: 1 },
        { workerUrl: new URL('../../dist/engine/worker.js', import.meta.url) },
      ),
    ).rejects.toMatchObject({ code: 'TESSERA_NEWER_FORMAT' });
  });

  it('a file whose version is damaged is told as damaged, and is not brought up', async () => {
    const path = temporaryDirectory();
    await (await openDatabase({ path, threads: 0 })).close();
    const file = join(path, 'catalogue.sqlite3');
    const catalogue = openSqlDatabase({ path: file, readOnly: false, busyTimeoutMs: 100 });
    // One bit of SQLite's header: versions are signed.
    catalogue.exec(`PRAGMA user_version = ${1 - 2 ** 31}`);
    catalogue.close();
    const before = readFileSync(file);
    for (const readOnly of [false, true]) {
      await expect(openDatabase({ path, threads: 0, readOnly })).rejects.toMatchObject({
        code: 'TESSERA_CORRUPT',
      });
    }
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readdirSync(path).filter((name) => name.includes('format'))).toEqual([]);
  });

  it('a directory that is moved, removed or replaced while it is open takes no more writes', async () => {
    const parent = temporaryDirectory();
    const harms: ((path: string) => void)[] = [
      (path) => renameSync(path, `${path}-moved`),
      (path) => rmSync(path, { recursive: true }),
      (path) => {
        renameSync(path, `${path}-moved`);
        cpSync(`${path}-moved`, path, { recursive: true });
      },
    ];
    for (const [i, harm] of harms.entries()) {
      const path = join(parent, `data-${i}`);
      const backend = await openTestDatabase({ path });
      const [collectionId] = await fill(backend, 1);
      const scope = { ...SCOPE, collectionId: collectionId! };
      expect(await backend.count(scope)).toBe(1);
      harm(path);
      const moved = { code: 'TESSERA_IO', message: expect.stringMatching(/while it was open/) };
      await expect(backend.add(scope, batchOf({ id: 'b', embedding: [1, 2, 3] }))).rejects.toMatchObject(
        moved,
      );
      await expect(backend.createTenant('other')).rejects.toMatchObject(moved);
      await expect(backend.count(scope)).rejects.toMatchObject(moved);
    }
  });

  it('a collection’s file that is replaced while it is open is read anew, and one that is gone is missed', async () => {
    const path = temporaryDirectory();
    const backend = await openTestDatabase({ path });
    const [collectionId] = await fill(backend, 1);
    const scope = { ...SCOPE, collectionId: collectionId! };
    const file = join(path, 'collections', `${collectionId}.sqlite3`);
    await backend.settle(scope);
    cpSync(file, `${file}-kept`);
    await backend.add(scope, batchOf({ id: 'b', embedding: [1, 2, 3] }));
    await backend.settle(scope);
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
    await expect(backend.count(scope)).rejects.toMatchObject({ code: 'TESSERA_CORRUPT' });
    await expect(backend.add(scope, batchOf({ id: 'c', embedding: [1, 2, 3] }))).rejects.toMatchObject({
      code: 'TESSERA_CORRUPT',
    });
    renameSync(`${file}-kept`, file);
    expect((await backend.get(scope, getRequest())).ids).toEqual(['a']);
    expect(await backend.query(scope, queryRequest([[0, 1, 2]]))).toMatchObject([{ ids: ['a'] }]);
  });

  it('a directory that vanished gives typed errors, not a crash', async () => {
    const path = temporaryDirectory();
    const backend = await openTestDatabase({ path });
    const scope = await makeCollection(backend);
    rmSync(path, { recursive: true });
    await expect(backend.add(scope, batchOf({ id: 'a', embedding: [1] }))).rejects.toMatchObject({
      code: expect.stringMatching(/^TESSERA_(IO|READ_ONLY)$/),
    });
  });
});

describe('settings', () => {
  it('that are unknown or unusable are named', async () => {
    const invalid = { code: 'TESSERA_INVALID_ARGUMENT' };
    await expect(openDatabase({ threads: 65 })).rejects.toThrow(
      /threads to be an integer from 0 to 64, got 65/,
    );
    await expect(openDatabase({ paht: 'x' } as object)).rejects.toThrow(/"paht"/);
    await expect(openDatabase({ path: '' })).rejects.toMatchObject(invalid);
    await expect(openDatabase({ openCollectionsMax: 0 })).rejects.toThrow(/openCollectionsMax/);
  });
});
