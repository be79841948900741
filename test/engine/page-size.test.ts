/** The page size of a collection's file follows from the first write, and every copy keeps it. */
import { readdirSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Backend, CollectionScope, RecordBatch } from '../../src/api/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { batchOf, getRequest, queryRequest } from '../support/batches.ts';
import { makeCollection, openTestDatabase, SCOPE } from '../support/database.ts';
import { collectionFile } from '../support/kept-cells.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const DIMENSION = 512;
/** 128 embeddings of 512 dimensions are 256 KiB. */
const LARGE = 128;
const SMALL_PAGE = 2_048;
const LARGE_PAGE = 8_192;

const embeddingOf = (i: number): number[] =>
  Array.from({ length: DIMENSION }, (_, d) => Math.fround(Math.sin(i * DIMENSION + d)));

function batch(first: number, count: number): RecordBatch {
  const numbers = Array.from({ length: count }, (_, i) => first + i);
  return batchOf(
    ...numbers.map((i) => ({ id: `id-${i}`, embedding: embeddingOf(i), document: `text ${i}` })),
  );
}

/** What SQLite's header says at offset 16, whose file has at least one page. */
const pageBytesOf = (file: string): number => readFileSync(file).readUInt16BE(16);

async function filled(
  counts: readonly number[],
): Promise<{ path: string; backend: Backend; scope: CollectionScope; file: string }> {
  const path = temporaryDirectory();
  const backend = await openDatabase({ path, threads: 0 });
  const scope = await makeCollection(backend);
  let first = 0;
  for (const count of counts) {
    await backend.add(scope, batch(first, count));
    first += count;
  }
  return { path, backend, scope, file: collectionFile(path, scope.collectionId) };
}

async function expectAll(backend: Backend, scope: CollectionScope, count: number): Promise<void> {
  expect(await backend.count(scope)).toBe(count);
  const [nearest] = await backend.query(scope, queryRequest([embeddingOf(count - 1)], { nResults: 1 }));
  expect(nearest!.ids).toEqual([`id-${count - 1}`]);
  expect(await backend.verify(scope)).toMatchObject({ faultCount: 0 });
}

describe('the page size of a collection', () => {
  it.each([
    ['small where the first write is small, whatever follows', [1, LARGE], SMALL_PAGE],
    ['small just below 256 KiB of embeddings', [LARGE - 1], SMALL_PAGE],
    ['large from there on', [LARGE, 1], LARGE_PAGE],
  ] as const)('is %s', async (_name, counts, pageBytes) => {
    const { path, backend, scope, file } = await filled(counts);
    await backend.close();
    expect(pageBytesOf(file)).toBe(pageBytes);
    expect(statSync(file).size % pageBytes).toBe(0);
    const again = await openTestDatabase({ path });
    await expectAll(
      again,
      scope,
      counts.reduce((a: number, b) => a + b, 0),
    );
    expect((await again.statistics(scope)).fileBytes).toBe(statSync(file).size);
  });

  it.each([
    ['small', [1, LARGE], SMALL_PAGE],
    ['large', [LARGE + 1], LARGE_PAGE],
  ] as const)(
    'of %s pages is that of its fork and of what is saved of it',
    async (_name, counts, pageBytes) => {
      const { path, backend, scope, file } = await filled(counts);
      const fork = await backend.fork(scope, 'fork');
      await expectAll(backend, { ...SCOPE, collectionId: fork.id }, LARGE + 1);
      await backend.close();
      expect(pageBytesOf(collectionFile(path, fork.id))).toBe(pageBytes);
      // Without its last page SQLite refuses the file, which says that it has more.
      truncateSync(file, statSync(file).size - pageBytes);
      const damaged = await openTestDatabase({ path });
      const report = await damaged.salvage(scope, 'saved');
      expect(report.savedCount + report.lostCount).toBe(LARGE + 1);
      expect(report.savedCount).toBeGreaterThan(LARGE / 2);
      const saved = { ...SCOPE, collectionId: report.collectionId };
      const { ids } = await damaged.get(saved, getRequest());
      expect(ids.length).toBe(report.savedCount);
      await damaged.close();
      expect(pageBytesOf(collectionFile(path, report.collectionId))).toBe(pageBytes);
    },
  );

  it('does not change how many bytes the log may have', async () => {
    const sizes = [];
    for (const counts of [
      [1, ...Array.from({ length: 30 }, () => LARGE)],
      Array.from({ length: 31 }, () => LARGE),
    ]) {
      const { path, backend } = await filled(counts);
      const logs = readdirSync(join(path, 'collections')).filter((name) => name.endsWith('-wal'));
      sizes.push(logs.reduce((total, name) => total + statSync(join(path, 'collections', name)).size, 0));
      await backend.close();
    }
    const [small, large] = sizes as [number, number];
    expect(small).toBeGreaterThan(1e6);
    expect(large).toBeLessThan(small * 1.5);
  });
});
