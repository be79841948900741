/** What a fork leaves in the directory, whatever happens to it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Backend, CollectionScope } from '../../src/api/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { systemFiles } from '../../src/io/index.ts';
import { RecordCopy } from '../../src/records/index.ts';
import { openSqlDatabase } from '../../src/sqlite/index.ts';
import { batchOf, getRequest } from '../support/batches.ts';
import { makeCollection, openTestDatabase, SCOPE } from '../support/database.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const files = (path: string): string[] =>
  readdirSync(join(path, 'collections')).filter((name) => name.endsWith('.sqlite3'));

async function filled(path: string, count: number): Promise<{ backend: Backend; source: CollectionScope }> {
  const backend = await openTestDatabase({ path });
  const source = await makeCollection(backend, 'source');
  const records = Array.from({ length: count }, (_, i) => ({
    id: `${i}`,
    embedding: [i, 1],
    document: `d${i}`,
  }));
  await backend.add(source, batchOf(...records));
  return { backend, source };
}

describe('a fork', () => {
  it('lets other calls in while it is made, and holds none of what they write', async () => {
    const { backend, source } = await filled(temporaryDirectory(), 5_000);
    let isForked = false;
    const forking = backend.fork(source, 'copy').finally(() => {
      isForked = true;
    });
    let writes = 0;
    // A turn for the fork to begin in.
    await new Promise((resolve) => setImmediate(resolve));
    while (!isForked) {
      await backend.add(source, batchOf({ id: `late-${writes++}`, embedding: [1, 1] }));
    }
    expect(writes).toBeGreaterThan(1);
    const { id } = await forking;
    expect(await backend.count({ ...SCOPE, collectionId: id })).toBe(5_000);
    expect(await backend.count(source)).toBe(5_000 + writes);
  });

  it('that is given up halfway is gone at once, with its name', async () => {
    const path = temporaryDirectory();
    const { backend, source } = await filled(path, 5_000);
    const controller = new AbortController();
    const forking = backend.fork(source, 'copy', { signal: controller.signal });
    await new Promise((resolve) => setImmediate(resolve));
    expect(files(path)).toHaveLength(2);
    controller.abort();
    await expect(forking).rejects.toMatchObject({ code: 'TESSERA_ABORTED' });
    expect(files(path)).toEqual([`${source.collectionId}.sqlite3`]);
    const { id } = await backend.fork(source, 'copy');
    expect((await backend.get({ ...SCOPE, collectionId: id }, getRequest())).ids).toHaveLength(5_000);
  });

  it('that the closing of the database overtakes is gone, and closing waits for that', async () => {
    const path = temporaryDirectory();
    const { backend, source } = await filled(path, 5_000);
    const forking = backend.fork(source, 'copy');
    const refused = expect(forking).rejects.toMatchObject({ code: 'TESSERA_CLOSED' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(files(path)).toHaveLength(2);
    await Promise.all([backend.close(), backend.close()]);
    expect(files(path)).toEqual([`${source.collectionId}.sqlite3`]);
    await refused;
  });

  it('under way is not taken for a leftover by who opens the directory meanwhile', async () => {
    const path = temporaryDirectory();
    const { backend, source } = await filled(path, 5_000);
    const forking = backend.fork(source, 'copy');
    await new Promise((resolve) => setImmediate(resolve));
    const other = await openTestDatabase({ path });
    expect(files(path)).toHaveLength(2);
    const { id } = await forking;
    expect(await other.count({ ...SCOPE, collectionId: id })).toBe(5_000);
  });

  it('that a process died over is removed at the next opening', async () => {
    const path = temporaryDirectory();
    const { backend } = await filled(path, 10);
    await backend.close();
    const id = '00000000-aaaa-4aaa-8aaa-000000000000';
    const catalogue = openSqlDatabase({
      path: join(path, 'catalogue.sqlite3'),
      readOnly: false,
      busyTimeoutMs: 9,
    });
    catalogue.prepare('INSERT INTO deleted_collections VALUES (?)').run(id);
    const copy = RecordCopy.create(join(path, 'collections', `${id}.sqlite3`), id, catalogue);
    catalogue.close();
    copy.putChange(1, 1);
    copy.close();
    expect(existsSync(join(path, 'collections', `${id}.sqlite3`))).toBe(true);
    await openTestDatabase({ path });
    expect(files(path)).toHaveLength(1);
  });

  it('whose file somebody else removed is told as busy, and can be made again', async () => {
    const path = temporaryDirectory();
    const { backend: first, source } = await filled(path, 10);
    await first.close();
    let isBlind = true;
    const exists = (file: string): boolean => {
      const isCopy =
        file.endsWith('.sqlite3') && !file.includes(source.collectionId) && /collections/.test(file);
      return isCopy && isBlind ? false : systemFiles.exists(file);
    };
    const backend = await openTestDatabase({ path }, { files: { ...systemFiles, exists } });
    await expect(backend.fork(source, 'copy')).rejects.toMatchObject({ code: 'TESSERA_BUSY' });
    isBlind = false;
    expect(await backend.countCollections(SCOPE)).toBe(1);
    expect((await backend.fork(source, 'copy')).name).toBe('copy');
    expect(files(path)).toHaveLength(2);
  });

  it('of a damaged record is refused, and names it', async () => {
    const path = temporaryDirectory();
    const { backend, source } = await filled(path, 10);
    const file = join(path, 'collections', `${source.collectionId}.sqlite3`);
    const tampered = openSqlDatabase({ path: file, readOnly: false, busyTimeoutMs: 9 });
    tampered.exec(`UPDATE records SET document = 'forged' WHERE id = '3'`);
    tampered.close();
    await expect(backend.fork(source, 'copy')).rejects.toMatchObject({
      code: 'TESSERA_CORRUPT',
      message: expect.stringMatching(/record "3"/),
    });
    expect(files(path)).toHaveLength(1);
  });

  it('holds nothing of what was deleted before', async () => {
    const path = temporaryDirectory();
    const { backend, source } = await filled(path, 10);
    await backend.add(source, batchOf({ id: 'secret', embedding: [7, 7], document: 'the secret text' }));
    await backend.delete(source, { ids: ['secret'], where: null, whereDocument: null, limit: null });
    const { id } = await backend.fork(source, 'copy');
    const bytes = readFileSync(join(path, 'collections', `${id}.sqlite3`));
    expect(bytes.includes('secret')).toBe(false);
  });

  it('is refused where nothing may be written', async () => {
    const path = temporaryDirectory();
    const { backend, source } = await filled(path, 1);
    await backend.close();
    const reader = await openDatabase({ path, threads: 0, readOnly: true });
    await expect(reader.fork(source, 'copy')).rejects.toMatchObject({ code: 'TESSERA_READ_ONLY' });
    await reader.close();
  });
});
