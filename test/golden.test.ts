/** Files of every release: they open, hold what they held, and can be had back after they were brought up. */
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDatabase } from '../src/engine/index.ts';
import { COLLECTION_MIGRATIONS } from '../src/records/format.ts';
import { formerPaths, type OpenFileOptions, openFile } from '../src/records/open-file.ts';
import { backup, restore } from '../src/transfer/index.ts';
import { batchOf, getRequest, queryRequest } from './support/batches.ts';
import { openTestDatabase, SCOPE } from './support/database.ts';
import { temporaryDirectory } from './support/temporary.ts';

const GOLDEN = new URL('./golden/', import.meta.url).pathname;
const RELEASES = readdirSync(GOLDEN).filter((name) => /^\d+\.\d+\.\d+$/.test(name));

/** A copy of a release's directory, in which files may change. */
function copyOf(release: string): string {
  const path = join(temporaryDirectory(), 'data');
  cpSync(join(GOLDEN, release), path, { recursive: true });
  return path;
}

describe.each(RELEASES)('a database of release %s', (release) => {
  it('holds what was written then, for readers and for writers', async () => {
    const path = copyOf(release);
    for (const readOnly of [true, false]) {
      const backend = await openDatabase({ path, threads: 0, readOnly });
      const { id: collectionId, metadata, configuration } = await backend.getCollection(SCOPE, 'films');
      expect([metadata, configuration.hnsw.space]).toEqual(['{"kind":"golden"}', 'cosine']);
      const scope = { ...SCOPE, collectionId };
      const { ids, documents, metadatas, uris, embeddings } = await backend.get(scope, getRequest());
      expect(ids).toEqual(
        Array.from({ length: 40 }, (_, i) => `id-${i}`).filter((id) => !['id-7', 'id-8'].includes(id)),
      );
      expect([documents![0], documents![1], documents![3]]).toEqual([null, 'The document 1', 'Changed']);
      expect(metadatas![2]).toBe('{"i":2,"half":2.5,"even":true,"tags":["a","t2"]}');
      expect(metadatas![3]).toBe('{"half":3.5,"even":false,"tags":["a","t0"]}');
      expect(uris![39 - 2]).toBe('file:///39');
      expect([...embeddings!.values.subarray(9, 12)]).toEqual([9, 9, 9]);
      const [nearest] = await backend.query(scope, queryRequest([[1, 1, 1]], { nResults: 1 }));
      expect(nearest!.ids).toEqual(['id-3']);
      expect(await backend.verify(scope)).toEqual({ recordCount: 38, faultCount: 0, faults: [] });
      expect(
        await backend.count({ ...SCOPE, collectionId: (await backend.getCollection(SCOPE, 'empty')).id }),
      ).toBe(0);
      await backend.close();
    }
  });

  it('takes writes, forks, backups and their restoring', async () => {
    const path = copyOf(release);
    const backend = await openTestDatabase({ path });
    const { id: collectionId } = await backend.getCollection(SCOPE, 'films');
    const scope = { ...SCOPE, collectionId };
    const untouched = `${path}-untouched`;
    await backup({ from: copyOf(release), to: untouched });
    await backend.add(scope, batchOf({ id: 'new', embedding: [1, 2, 3] }));
    const { id: forkId } = await backend.fork(scope, 'copy');
    expect(await backend.count({ ...SCOPE, collectionId: forkId })).toBe(39);
    await backup({ from: path, to: `${path}-copy`, since: untouched });
    await restore({ from: `${path}-copy`, to: `${path}-restored` });
    const restored = await openTestDatabase({ path: `${path}-restored` });
    expect(await restored.count(scope)).toBe(39);
  });
});

describe('a file that is brought up to a new format', () => {
  const options = (path: string, migrations: readonly string[]): OpenFileOptions => ({
    path,
    migrations,
    durability: 'full',
    readOnly: false,
    busyTimeoutMs: 100,
    walPagesMax: 1_000,
  });
  const next = [...COLLECTION_MIGRATIONS, "ALTER TABLE records ADD COLUMN language TEXT DEFAULT 'en'"];

  it('is kept as it was beside itself, and can be put back', () => {
    const path = join(copyOf('0.1.0'), 'collections');
    const file = join(path, readdirSync(path)[0]!);
    const count = 'SELECT count(*) FROM records';
    const upgraded = openFile(options(file, next));
    expect(upgraded.pragma('user_version')).toBe(2);
    upgraded.exec("DELETE FROM records WHERE id = 'id-1'");
    expect(upgraded.prepare(count).get()).toEqual([37]);
    upgraded.close();
    expect(() => openFile(options(file, COLLECTION_MIGRATIONS))).toThrow(/Use a newer release/);
    expect(readdirSync(path).sort()).toEqual(
      [file, `${file}.format-1`].map((name) => name.slice(path.length + 1)),
    );
    renameSync(`${file}.format-1`, file);
    const former = openFile(options(file, COLLECTION_MIGRATIONS));
    expect(former.prepare(count).get()).toEqual([38]);
    expect(former.pragma('user_version')).toBe(1);
    former.close();
  });

  it('leaves nothing of a copy that a dead process had begun', () => {
    const path = join(copyOf('0.1.0'), 'collections');
    const file = join(path, readdirSync(path)[0]!);
    for (const begun of [`${file}.format-1.4711-0`, `${file}.format-1.4711-0-journal`]) {
      writeFileSync(begun, 'cut short');
    }
    openFile(options(file, next)).close();
    expect(readdirSync(path).sort()).toEqual(
      [file, `${file}.format-1`].map((name) => name.slice(path.length + 1)),
    );
  });

  it('keeps the first copy, whoever opens it how often, and none of a new file', () => {
    const path = join(copyOf('0.1.0'), 'collections');
    const file = join(path, readdirSync(path)[0]!);
    openFile(options(file, next)).close();
    const kept = readFileSync(`${file}.format-1`);
    openFile(options(file, next)).close();
    expect(readFileSync(`${file}.format-1`)).toEqual(kept);
    const fresh = join(path, 'fresh.sqlite3');
    openFile(options(fresh, next)).close();
    expect(existsSync(`${fresh}.format-1`)).toBe(false);
    // By these names it goes with its collection.
    expect(formerPaths(file, next)).toEqual([`${file}.format-1`]);
  });
});
