/** Backups and their restoring: what they hold, what they refuse, and that nothing is half-made. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import type { Backend, CollectionScope } from '../../src/api/index.ts';
import { DatabaseError } from '../../src/base/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { systemFiles } from '../../src/io/index.ts';
import { openSqlDatabase } from '../../src/sqlite/index.ts';
import { SYSTEM } from '../../src/transfer/backup.ts';
import { backup, restore } from '../../src/transfer/index.ts';
import { batchOf, deleteRequest, getRequest, queryRequest } from '../support/batches.ts';
import { makeCollection, openTestDatabase, SCOPE, withCode } from '../support/database.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** Records `from` to `to`, in batches of ten. */
async function fill(backend: Backend, scope: CollectionScope, from: number, to: number): Promise<void> {
  for (let start = from; start < to; start += 10) {
    const numbers = Array.from({ length: Math.min(10, to - start) }, (_, i) => start + i);
    const records = numbers.map((i) => ({
      id: `id-${i}`,
      embedding: [i, i % 7, 1],
      document: `The document ${i}`,
      metadata: JSON.stringify({ i }),
    }));
    await backend.upsert(scope, batchOf(...records));
  }
}

interface Prepared {
  readonly parent: string;
  readonly path: string;
  readonly backend: Backend;
  readonly films: CollectionScope;
  readonly books: CollectionScope;
}

async function prepare(): Promise<Prepared> {
  const parent = temporaryDirectory();
  const path = join(parent, 'data');
  const backend = await openTestDatabase({ path });
  const films = await makeCollection(backend, 'films');
  const books = await makeCollection(backend, 'books');
  await makeCollection(backend, 'nothing-yet');
  await fill(backend, films, 0, 100);
  await fill(backend, books, 0, 30);
  return { parent, path, backend, films, books };
}

/** All that a collection holds, in order. */
async function contents(path: string, scope: CollectionScope): Promise<unknown> {
  const backend = await openDatabase({ path, threads: 0 });
  const columns = await backend.get(scope, getRequest());
  const [nearest] = await backend.query(scope, queryRequest([[5, 5, 1]]));
  const report = await backend.verify(scope);
  await backend.close();
  return { columns, nearest: nearest!.ids, faults: report.faultCount };
}

describe('a backup', () => {
  it.each([false, true])('holds everything, and is restored as it was (archive: %s)', async (archive) => {
    const { parent, path, backend, films, books } = await prepare();
    const to = join(parent, 'copy');
    const report = await backup({ from: path, to, archive });
    const named = report.collections.map(({ name, recordCount, kind }) => [name, recordCount, kind]);
    expect(named.toSorted()).toEqual([
      ['books', 30, 'whole'],
      ['films', 100, 'whole'],
      ['nothing-yet', 0, 'whole'],
    ]);
    expect(statSync(to).isDirectory()).toBe(!archive);
    expect(readdirSync(parent).sort()).toEqual(['copy', 'data']);
    const target = join(parent, 'restored');
    expect(await restore({ from: to, to: target })).toMatchObject({ to: target, replaced: null });
    await backend.close();
    for (const scope of [films, books]) {
      expect(await contents(target, scope)).toEqual(await contents(path, scope));
    }
    const restored = await openTestDatabase({ path: target });
    expect(await restored.countCollections(SCOPE)).toBe(3);
    expect(readdirSync(parent).sort()).toEqual(['copy', 'data', 'restored']);
  });

  it('is an archive that names its files as sqlite3 -A does', async () => {
    const { parent, path, films } = await prepare();
    const to = join(parent, 'copy.sqlar');
    await backup({ from: path, to, archive: true, collections: ['films'] });
    const archive = openSqlDatabase({ path: to, readOnly: true, busyTimeoutMs: 1 });
    const names = archive.prepare('SELECT name, sz = length(data) FROM sqlar ORDER BY name').all();
    archive.close();
    expect(names).toEqual([
      ['catalogue.sqlite3', 1],
      [`collections/${films.collectionId}.sqlite3`, 1],
      ['manifest.json', 1],
    ]);
  });

  it('holds the chosen collections alone', async () => {
    const { parent, path, films, books } = await prepare();
    const to = join(parent, 'copy');
    await backup({ from: path, to, collections: ['books'] });
    const bytes = readFileSync(join(to, 'catalogue.sqlite3'));
    expect([bytes.includes('books'), bytes.includes('films')]).toEqual([true, false]);
    const target = join(parent, 'restored');
    await restore({ from: to, to: target });
    const restored = await openTestDatabase({ path: target });
    expect(await restored.count(books)).toBe(30);
    await expect(restored.count(films)).rejects.toThrow(withCode('TESSERA_COLLECTION_NOT_FOUND') as never);
    await expect(backup({ from: path, to: join(parent, 'b'), collections: ['nope'] })).rejects.toMatchObject({
      code: 'TESSERA_COLLECTION_NOT_FOUND',
    });
  });

  it('of a collection that gets its first records meanwhile can be restored', async () => {
    const { parent, path, backend } = await prepare();
    const { id: collectionId } = await backend.getCollection(SCOPE, 'nothing-yet');
    const scope = { ...SCOPE, collectionId };
    let isWritten = false;
    const exists = (asked: string): boolean => {
      const isThere = systemFiles.exists(asked);
      // Just after the backup has seen that there is no file. A read makes the write that waits go first.
      if (asked.includes(collectionId) && !isWritten) {
        isWritten = true;
        void backend.add(scope, batchOf({ id: 'a', embedding: [1, 2] }));
        void backend.count(scope);
      }
      return isThere;
    };
    const files = { ...systemFiles, exists };
    await backup({ from: path, to: join(parent, 'copy') }, { ...SYSTEM, files });
    await restore({ from: join(parent, 'copy'), to: join(parent, 'restored') });
    const restored = await openTestDatabase({ path: join(parent, 'restored') });
    expect([isWritten, await restored.count(scope)]).toEqual([true, 1]);
  });

  it('of a collection whose file another process has only begun to make holds it without records', async () => {
    const { parent, path, backend } = await prepare();
    const { id: collectionId } = await backend.getCollection(SCOPE, 'nothing-yet');
    writeFileSync(join(path, 'collections', `${collectionId}.sqlite3`), '');
    const { collections } = await backup({ from: path, to: join(parent, 'copy') });
    expect(collections.filter(({ error }) => error === null)).toHaveLength(3);
    await restore({ from: join(parent, 'copy'), to: join(parent, 'restored') });
    const restored = await openTestDatabase({ path: join(parent, 'restored') });
    expect(await restored.count({ ...SCOPE, collectionId })).toBe(0);
  });

  it('of a collection that is succeeded meanwhile holds all records under its name', async () => {
    const { parent, path, backend, films } = await prepare();
    const heir = await makeCollection(backend, 'heir');
    await fill(backend, heir, 0, 90);
    const { sequence } = await backend.changes(films, { after: 0, afterRow: 0, throughRow: null, limit: 1 });
    let isSucceeded = false;
    function* read(asked: string, pieceBytes: number): Generator<Uint8Array> {
      // Just after the backup has copied the successor, which lacks ten records.
      if (asked.includes(heir.collectionId) && !isSucceeded) {
        isSucceeded = true;
        void fill(backend, heir, 90, 100);
        void backend.succeed(films, { successorId: heir.collectionId, sequence, formerName: 'former' });
      }
      yield* systemFiles.read(asked, pieceBytes);
    }
    const files = { ...systemFiles, read };
    await backup({ from: path, to: join(parent, 'copy') }, { ...SYSTEM, files });
    await restore({ from: join(parent, 'copy'), to: join(parent, 'restored') });
    const restored = await openTestDatabase({ path: join(parent, 'restored') });
    const { id } = await restored.getCollection(SCOPE, 'films');
    expect([isSucceeded, await restored.count({ ...SCOPE, collectionId: id })]).toEqual([true, 100]);
  });

  it('of a collection that is renamed each time it was copied says that it is not in there', async () => {
    const { parent, path, backend, films } = await prepare();
    let renameCount = 0;
    const exists = (asked: string): boolean => {
      // Where its file is looked for, it is about to be copied. A read makes the call that waits go first.
      if (asked.includes(films.collectionId)) {
        void backend.updateCollection(films, { name: `films-${renameCount++}` });
        void backend.count(films);
      }
      return systemFiles.exists(asked);
    };
    const files = { ...systemFiles, exists };
    const to = join(parent, 'copy');
    const { collections } = await backup({ from: path, to }, { ...SYSTEM, files });
    const errors = collections.map(({ name, error }) => [name.replace(/\d+/, 'N'), error?.code]);
    expect(errors.toSorted()).toEqual([
      ['books', undefined],
      ['films-N', 'TESSERA_BUSY'],
      ['nothing-yet', undefined],
    ]);
    await restore({ from: to, to: join(parent, 'restored') });
    const restored = await openTestDatabase({ path: join(parent, 'restored') });
    const listed = await restored.listCollections(SCOPE, { limit: null, offset: 0 });
    expect(listed.map(({ name }) => name).toSorted()).toEqual(['books', 'nothing-yet']);
  });

  it('gives nothing away of what was deleted before', async () => {
    const { parent, path, backend, films } = await prepare();
    await backend.add(films, batchOf({ id: 'x', embedding: [1, 2, 3], document: 'the secret text' }));
    await backend.delete(films, deleteRequest({ ids: ['x'] }));
    await backend.createCollection(SCOPE, {
      ...(await backend.getCollection(SCOPE, 'films')),
      name: 'secret-name',
      getOrCreate: false,
    });
    await backend.deleteCollection(SCOPE, 'secret-name');
    const to = join(parent, 'copy');
    await backup({ from: path, to });
    for (const name of ['catalogue.sqlite3', `collections/${films.collectionId}.sqlite3`]) {
      expect(readFileSync(join(to, name)).includes('secret')).toBe(false);
    }
  });
});

describe('a backup since another one', () => {
  it('holds what has changed, and is restored to the same', async () => {
    const { parent, path, backend, films, books } = await prepare();
    const copies = [0, 1, 2, 3].map((i) => join(parent, `copy-${i}`));
    await backup({ from: path, to: copies[0]! });
    await fill(backend, films, 40, 45);
    await backend.delete(films, deleteRequest({ ids: ['id-7', 'id-99'] }));
    await fill(backend, films, 200, 203);
    const second = await backup({ from: path, to: copies[1]!, since: copies[0]! });
    const kinds = Object.fromEntries(second.collections.map(({ name, kind }) => [name, kind]));
    expect(kinds).toEqual({ films: 'changes', books: 'unchanged', 'nothing-yet': 'unchanged' });
    expect(readdirSync(join(copies[1]!, 'collections'))).toHaveLength(1);
    await fill(backend, books, 10, 12);
    await backend.delete(films, deleteRequest({ ids: ['id-200', 'id-0'] }));
    await backup({ from: path, to: copies[2]!, since: copies[1]! });
    const target = join(parent, 'restored');
    await restore({ from: copies[2]!, to: target });
    await backend.close();
    for (const scope of [films, books]) {
      expect(await contents(target, scope)).toEqual(await contents(path, scope));
    }
    await backup({ from: path, to: copies[3]!, since: copies[2]! });
    const again = JSON.parse(readFileSync(join(copies[3]!, 'manifest.json'), 'utf8'));
    expect(again.collections.every(({ file }: { file: unknown }) => file === null)).toBe(true);
    await restore({ from: copies[3]!, to: join(parent, 'restored-3') });
    expect(await contents(join(parent, 'restored-3'), films)).toEqual(await contents(path, films));
  });

  it('holds a collection whole that is new, lives another life or has forgotten what it deleted', async () => {
    const { parent, path, backend, films } = await prepare();
    await backup({ from: path, to: join(parent, 'a') });
    const later = await makeCollection(backend, 'later');
    await fill(backend, later, 0, 10);
    await fill(backend, films, 1_000, 3_000);
    const ids = Array.from({ length: 2_000 }, (_, i) => `id-${1_000 + i}`);
    await backend.delete(films, deleteRequest({ ids }));
    const kindsOf = async (to: string, since: string): Promise<object> => {
      const { collections } = await backup({ from: path, to: join(parent, to), since: join(parent, since) });
      return Object.fromEntries(collections.map(({ name, kind }) => [name, kind]));
    };
    expect(await kindsOf('b', 'a')).toMatchObject({ films: 'whole', later: 'whole', books: 'unchanged' });
    await restore({ from: join(parent, 'b'), to: join(parent, 'c') });
    await backend.close();
    expect(await contents(join(parent, 'c'), films)).toEqual(await contents(path, films));
    await restore({ from: join(parent, 'a'), to: path, replace: true });
    expect(await kindsOf('d', 'b')).toMatchObject({ films: 'whole', books: 'whole' });
  });

  it('is refused as an archive', async () => {
    const { parent, path } = await prepare();
    await backup({ from: path, to: join(parent, 'a') });
    const input = { from: path, to: join(parent, 'b'), since: join(parent, 'a'), archive: true };
    await expect(backup(input)).rejects.toMatchObject({ code: 'TESSERA_INVALID_ARGUMENT' });
  });
});

describe('nothing is overwritten', () => {
  it('by a backup', async () => {
    const { parent, path } = await prepare();
    mkdirSync(join(parent, 'empty'));
    await backup({ from: path, to: join(parent, 'empty') });
    const before = readFileSync(join(parent, 'empty/manifest.json'));
    for (const to of ['empty', 'data']) {
      await expect(backup({ from: path, to: join(parent, to) })).rejects.toMatchObject({
        code: 'TESSERA_ALREADY_EXISTS',
      });
    }
    expect(readFileSync(join(parent, 'empty/manifest.json'))).toEqual(before);
  });

  it('nor what lies where the work is done, unless a process that died has left it', async () => {
    const { parent, path } = await prepare();
    for (const name of ['copy.partial', 'data-2.restoring']) {
      mkdirSync(join(parent, name));
      writeFileSync(join(parent, name, 'letter'), 'mine');
    }
    const taken = { code: 'TESSERA_ALREADY_EXISTS' };
    await expect(backup({ from: path, to: join(parent, 'copy') })).rejects.toMatchObject(taken);
    mkdirSync(join(parent, 'other.partial/collections'), { recursive: true });
    writeFileSync(join(parent, 'other.partial/catalogue.sqlite3-wal'), 'left over');
    await backup({ from: path, to: join(parent, 'other') });
    const call = restore({ from: join(parent, 'other'), to: join(parent, 'data-2') });
    await expect(call).rejects.toMatchObject(taken);
    expect(readFileSync(join(parent, 'copy.partial/letter'), 'utf8')).toBe('mine');
    expect(readFileSync(join(parent, 'data-2.restoring/letter'), 'utf8')).toBe('mine');
    expect(readdirSync(parent)).not.toContain('other.partial');
  });

  it('by restoring, unless asked to, and then it is kept', async () => {
    const { parent, path, backend, films } = await prepare();
    await backup({ from: path, to: join(parent, 'copy') });
    await fill(backend, films, 500, 510);
    await backend.close();
    const input = { from: join(parent, 'copy'), to: path };
    await expect(restore(input)).rejects.toMatchObject({ code: 'TESSERA_ALREADY_EXISTS' });
    const { replaced } = await restore({ ...input, replace: true });
    const restored = await openTestDatabase({ path });
    expect(await restored.count(films)).toBe(100);
    const former = await openTestDatabase({ path: replaced! });
    expect(await former.count(films)).toBe(110);
  });
});

describe('damage', () => {
  it('of a backup is found before anything is changed', async () => {
    const { parent, path, backend, films } = await prepare();
    const copy = join(parent, 'copy');
    await backup({ from: path, to: copy });
    await backend.close();
    const file = join(copy, 'collections', `${films.collectionId}.sqlite3`);
    const sound = readFileSync(file);
    const before = await contents(path, films);
    const harms: (() => void)[] = [
      () => writeFileSync(file, sound.subarray(0, -2048)),
      () =>
        writeFileSync(
          file,
          sound.map((byte, i) => (i === 9_000 ? byte ^ 4 : byte)),
        ),
      () => writeFileSync(join(copy, 'catalogue.sqlite3'), ''),
      () => writeFileSync(join(copy, 'manifest.json'), 'not json'),
    ];
    for (const harm of harms) {
      harm();
      await expect(restore({ from: copy, to: path, replace: true })).rejects.toMatchObject({
        code: 'TESSERA_CORRUPT',
      });
      writeFileSync(file, sound);
    }
    expect(readdirSync(parent).sort()).toEqual(['copy', 'data']);
    expect(await contents(path, films)).toEqual(before);
  });

  it('of a manifest that leads out of the backup is refused', async () => {
    const { parent, path } = await prepare();
    const copy = join(parent, 'copy');
    await backup({ from: path, to: copy });
    const manifest = JSON.parse(readFileSync(join(copy, 'manifest.json'), 'utf8'));
    manifest.catalogue.path = '../data/catalogue.sqlite3';
    writeFileSync(join(copy, 'manifest.json'), JSON.stringify(manifest));
    await expect(restore({ from: copy, to: join(parent, 'r') })).rejects.toThrow(/leads out of the backup/);
  });

  it('of a manifest is told as damage, whichever of its members is missing or another', async () => {
    const { parent, path } = await prepare();
    const copy = join(parent, 'copy');
    await backup({ from: path, to: copy });
    const text = readFileSync(join(copy, 'manifest.json'), 'utf8');
    const harms = [
      text.replace('"base"', '"bare"'),
      text.replace('"base": null', '"base": {}'),
      text.replace('"file"', '"fill"'),
      text.replace('"sha256"', '"sha257"'),
      text.replace('"tenant": "default_tenant"', '"tenant": "default_tenent"'),
      text.replace(/"id": "./, '"id": "x'),
      text.replace('"films"', '"filmz"'),
      // Without this the catalogue would have collections of which nobody has looked for the records.
      JSON.stringify({ ...JSON.parse(text), collections: [] }),
    ];
    for (const harm of harms) {
      expect(harm).not.toBe(text);
      writeFileSync(join(copy, 'manifest.json'), harm);
      const call = restore({ from: copy, to: join(parent, 'r') });
      await expect(call, harm).rejects.toMatchObject({ code: 'TESSERA_CORRUPT' });
    }
    expect(readdirSync(parent).sort()).toEqual(['copy', 'data']);
  });

  it('of an archive is told as damage, and not as a refusal of the operating system', async () => {
    const { parent, path } = await prepare();
    const to = join(parent, 'copy.sqlar');
    await backup({ from: path, to, archive: true });
    const bytes = readFileSync(to);
    // The pages of the bytes of the files, and then the text that defines the table.
    const harms = [
      Buffer.concat([bytes.subarray(0, 8_192), Buffer.alloc(bytes.length - 8_192, 0xff)]),
      Buffer.from(bytes.toString('latin1').replace('data BLOB', 'date BLOB'), 'latin1'),
      Buffer.from(bytes.toString('latin1').replace('(name TEXT', '(nane TEXT'), 'latin1'),
    ];
    for (const harm of harms) {
      writeFileSync(to, harm);
      const call = restore({ from: to, to: join(parent, 'r') });
      await expect(call).rejects.toMatchObject({ code: 'TESSERA_CORRUPT' });
    }
    expect(readdirSync(parent).sort()).toEqual(['copy.sqlar', 'data']);
  });

  it('of an earlier backup of the chain is found, and one in its place', async () => {
    const { parent, path, backend, films } = await prepare();
    const [a, b] = [join(parent, 'a'), join(parent, 'b')];
    await backup({ from: path, to: a });
    await fill(backend, films, 100, 110);
    await backup({ from: path, to: b, since: a });
    const manifest = readFileSync(join(a, 'manifest.json'), 'utf8');
    writeFileSync(join(a, 'manifest.json'), manifest.replace('"films"', '"filme"'));
    await expect(restore({ from: b, to: join(parent, 'r') })).rejects.toThrow(/goes on from/);
    writeFileSync(join(a, 'manifest.json'), manifest);
    await restore({ from: b, to: join(parent, 'r') });
    const restored = await openTestDatabase({ path: join(parent, 'r') });
    expect(await restored.count(films)).toBe(110);
  });

  it('of a record is copied as it is, and said; restoring takes it only when told to', async () => {
    const { parent, path, backend, films } = await prepare();
    await backend.close();
    const file = join(path, 'collections', `${films.collectionId}.sqlite3`);
    const store = openSqlDatabase({ path: file, readOnly: false, busyTimeoutMs: 9 });
    store.exec(`UPDATE records SET document = 'forged' WHERE id = 'id-3'`);
    store.close();
    const copy = join(parent, 'copy');
    const { collections } = await backup({ from: path, to: copy });
    expect(collections.find(({ name }) => name === 'films')).toMatchObject({ damagedCount: 1, error: null });
    const input = { from: copy, to: join(parent, 'r') };
    await expect(restore(input)).rejects.toMatchObject({ code: 'TESSERA_CORRUPT' });
    const report = await restore({ ...input, acceptDamage: true });
    expect(report.collections.find(({ name }) => name === 'films')!.faultCount).toBeGreaterThan(0);
  });

  it('of a whole file keeps the other collections in the backup', async () => {
    const { parent, path, backend, films, books } = await prepare();
    await backend.close();
    writeFileSync(join(path, 'collections', `${films.collectionId}.sqlite3`), 'x'.repeat(40_000));
    const copy = join(parent, 'copy');
    await expect(backup({ from: path, to: copy })).resolves.toMatchObject({
      collections: expect.arrayContaining([
        expect.objectContaining({ name: 'films', error: expect.objectContaining({}) }),
      ]),
    });
    await restore({ from: copy, to: join(parent, 'r') });
    const restored = await openTestDatabase({ path: join(parent, 'r') });
    expect(await restored.count(books)).toBe(30);
    expect(await restored.countCollections(SCOPE)).toBe(2);
  });
});

it('a file that is missing is told of, and the other collections are in the backup', async () => {
  const { parent, path, backend, films, books } = await prepare();
  await backend.close();
  rmSync(join(path, 'collections', `${films.collectionId}.sqlite3`));
  const { collections } = await backup({ from: path, to: join(parent, 'copy') });
  const told = collections.find(({ name }) => name === 'films');
  expect(told!.error).toMatchObject({ code: 'TESSERA_CORRUPT', message: expect.stringMatching(/missing/) });
  await restore({ from: join(parent, 'copy'), to: join(parent, 'r') });
  expect(await (await openTestDatabase({ path: join(parent, 'r') })).count(books)).toBe(30);
});

describe('a backup that fails', () => {
  it('leaves nothing at its place, nor beside it', async () => {
    const { parent, path } = await prepare();
    const full = (): never => {
      throw new DatabaseError('TESSERA_DISK_FULL', 'planted: the disk is full');
    };
    for (const fault of [{ write: full }, { rename: full }, { syncDirectory: full }]) {
      const files = { ...systemFiles, ...fault };
      const call = backup({ from: path, to: join(parent, 'copy') }, { ...SYSTEM, files });
      await expect(call).rejects.toMatchObject({ code: 'TESSERA_DISK_FULL' });
      expect(readdirSync(parent)).toEqual(['data']);
    }
  });

  it('or is given up leaves nothing, too', async () => {
    const { parent, path, backend, films } = await prepare();
    await fill(backend, films, 0, 3_000);
    const controller = new AbortController();
    const call = backup({ from: path, to: join(parent, 'copy'), signal: controller.signal });
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: 'TESSERA_ABORTED' });
    expect(readdirSync(parent)).toEqual(['data']);
  });

  it('for want of a database says so', async () => {
    const parent = temporaryDirectory();
    const none = { code: 'TESSERA_NOT_A_DATABASE' };
    await expect(backup({ from: join(parent, 'x'), to: join(parent, 'y') })).rejects.toMatchObject(none);
    await expect(restore({ from: join(parent, 'x'), to: join(parent, 'y') })).rejects.toMatchObject(none);
    writeFileSync(join(parent, 'letter'), 'Dear reader. '.repeat(100));
    const call = restore({ from: join(parent, 'letter'), to: join(parent, 'y') });
    await expect(call).rejects.toMatchObject(none);
    expect(readdirSync(parent)).toEqual(['letter']);
  });
});

test('a backup without a base can be opened as a database', async () => {
  const { parent, path, films } = await prepare();
  await backup({ from: path, to: join(parent, 'copy') });
  const opened = await openTestDatabase({ path: join(parent, 'copy'), readOnly: true });
  expect(await opened.count(films)).toBe(100);
});
