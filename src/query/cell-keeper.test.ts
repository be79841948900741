import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FAMILIES } from '../../test/support/hard-vectors.ts';
import { copyAsLeft, KeptCollection } from '../../test/support/kept-collection.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { seededNumbers } from '../base/index.ts';
import { sqlDriverName } from '../sqlite/index.ts';

const DIMENSION = 1_024;
/** So many that their cells take several slices to write. */
const COUNT = 1_400;

function open(path: string): KeptCollection {
  const collection = new KeptCollection(path, DIMENSION);
  onTestFinished(() => collection.store.close());
  return collection;
}

const ids = (count: number, first = 0): string[] => Array.from({ length: count }, (_, i) => `r${first + i}`);

interface Scene {
  readonly path: string;
  readonly draw: () => Float32Array;
  readonly collection: KeptCollection;
}

/** A collection whose index has taken in all its records and kept no cells yet. */
function scene(seed: number): Scene {
  const path = join(temporaryDirectory(), 'collection.sqlite3');
  const draw = FAMILIES['clustered unit vectors'](DIMENSION, seededNumbers(seed));
  const collection = open(path);
  collection.upsert(ids(COUNT), draw);
  return { path, draw, collection };
}

/** What a kill would leave at this moment answers rightly; gives the position its cells stand for. */
function examine(path: string, queries: readonly Float32Array[]): number {
  const folder = join(path, '..', 'copy');
  mkdirSync(folder);
  const copy = join(folder, 'collection.sqlite3');
  copyAsLeft(path, copy);
  const left = new KeptCollection(copy, DIMENSION);
  try {
    left.follow();
    const { savedPosition } = left;
    const model = left.model();
    for (const query of queries) {
      expect(left.search(query, 5, 1)).toEqual(model.nearest(query, 5));
      expect(left.search(query, 5, 0.99)).toHaveLength(5);
    }
    expect(left.faults()).toEqual([]);
    return savedPosition;
  } finally {
    left.store.close();
    rmSync(folder, { recursive: true });
  }
}

test('cells are kept slice by slice, and whatever moment a kill comes at leaves a whole set of them', () => {
  const { path, draw, collection } = scene(1);
  const queries = [draw(), draw()];
  const positions: number[] = [];
  const slices: number[] = [];
  let former: number[] = [];
  const keepAll = (): void => {
    for (let isMore = true; isMore; ) {
      isMore = collection.step();
      const table = "SELECT count(*) FROM sqlite_schema WHERE name = 'cells'";
      if (collection.store.database.prepare(table).get()![0] === 0) continue;
      const now = collection.cellIds();
      if (now.join() === former.join()) continue;
      former = now;
      slices.push(now.length);
      // Looking at all of it takes a fifth of a second: at each third slice, and whenever another set counts.
      const { savedPosition } = collection;
      if (slices.length % 3 !== 1 && savedPosition === positions.at(-1)) continue;
      positions.push(examine(path, queries));
      expect(positions.at(-1)).toBe(savedPosition);
    }
  };
  keepAll();
  expect(slices.length).toBeGreaterThan(2);
  const sequence = collection.statistics.position;
  expect(collection.savedPosition).toBe(sequence);
  expect(examine(path, queries)).toBe(sequence);
  collection.upsert(ids(300), draw);
  collection.delete(ids(20, 400));
  keepAll();
  // Until the header is replaced, the former set stands.
  expect(new Set(positions)).toEqual(new Set([0, sequence, collection.statistics.position]));
  expect(examine(path, queries)).toBe(collection.statistics.position);
}, 60_000);

test('only cells that have changed are written again, and superseded ones are removed', () => {
  const { draw, collection } = scene(2);
  collection.settle();
  const before = collection.cellIds();
  expect(before).toHaveLength(collection.statistics.cellCount);
  collection.upsert(ids(5), draw);
  collection.settle();
  const after = collection.cellIds();
  expect(after).toHaveLength(collection.statistics.cellCount);
  const same = after.filter((id) => before.includes(id));
  expect(same.length).toBeGreaterThan(before.length * 0.6);
  expect(same.length).toBeLessThan(after.length);
  expect(collection.savedPosition).toBe(collection.statistics.position);
});

test('nothing is kept before the lag is worth it, and everything when it is asked for', () => {
  const { draw, collection } = scene(3);
  collection.settle();
  const position = collection.savedPosition;
  collection.upsert(ids(3), draw);
  while (collection.step(false));
  expect(collection.savedPosition).toBe(position);
  collection.settle();
  expect(collection.savedPosition).toBe(position + 3);
  collection.upsert(ids(40), draw);
  while (collection.step(false));
  expect(collection.savedPosition).toBe(position + 43);
});

/** Holds the write lock of a file on another thread for a while; resolves once it has it. */
async function holdLock(path: string, ms: number): Promise<void> {
  const name = sqlDriverName();
  const driver = name === 'node:sqlite' ? name : createRequire(import.meta.url).resolve(name);
  const holder = new Worker(HOLDER, { eval: true, workerData: { path, driver, ms } });
  onTestFinished(async () => void (await holder.terminate()));
  await once(holder, 'message');
}

const HOLDER = `
const { parentPort, workerData } = require('node:worker_threads');
const { path, driver, ms } = workerData;
const loaded = driver === 'node:sqlite' ? process.getBuiltinModule(driver).DatabaseSync : require(driver);
const database = new loaded(path);
database.exec('BEGIN IMMEDIATE');
parentPort.postMessage('held');
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
database.exec('COMMIT');
database.close();`;

test('settling waits for another connection to give up the write lock', async () => {
  const { path, draw, collection } = scene(4);
  collection.settle();
  const position = collection.savedPosition;
  collection.upsert(ids(50), draw);
  await holdLock(path, 300);
  collection.settle();
  expect(collection.savedPosition).toBe(position + 50);
});

test('while another connection holds the write lock, nothing is done of its own accord, nor waits', () => {
  const { path, draw, collection } = scene(4);
  collection.settle();
  const position = collection.savedPosition;
  collection.upsert(ids(50), draw);
  const other = open(path);
  other.store.write(() => {
    for (let i = 0; i < 500; i++) collection.step(false);
    expect(collection.savedPosition).toBe(position);
  });
  collection.settle();
  expect(collection.savedPosition).toBe(position + 50);
  expect(examine(path, [draw()])).toBe(position + 50);
});

describe('two openers of one file', () => {
  test('the second goes on from what the first has kept, and the first leaves it at that', () => {
    const { path, draw, collection: first } = scene(5);
    first.settle();
    const second = open(path);
    second.follow();
    expect(second.statistics).toMatchObject({ kind: 'cells', savedPosition: first.savedPosition });
    const before = second.cellIds();
    second.upsert(ids(10), draw);
    second.settle();
    const after = second.cellIds();
    expect(after.filter((id) => before.includes(id)).length).toBeGreaterThan(before.length / 2);
    first.follow();
    first.settle();
    expect(first.cellIds()).toEqual(after);
    expect(first.savedPosition).toBe(second.savedPosition);
  });

  test('who is overtaken in the middle gives way, and takes over later', () => {
    const { path, draw, collection: first } = scene(6);
    first.settle();
    const second = open(path);
    second.settle();
    first.upsert(ids(1_000), draw);
    // The first has written some slices, and no header, when the second comes.
    const before = first.cellIds();
    while (first.cellIds().length === before.length) expect(first.step()).toBe(true);
    expect(first.savedPosition).toBeLessThan(first.statistics.position);
    second.settle();
    const kept = second.cellIds();
    expect(second.savedPosition).toBe(second.statistics.position);
    first.settle();
    expect(first.cellIds()).toEqual(kept);
    expect(examine(path, [draw()])).toBe(second.savedPosition);
    first.upsert(ids(30), draw);
    first.settle();
    expect(first.savedPosition).toBe(first.statistics.position);
    expect(first.cellIds()).toHaveLength(first.statistics.cellCount);
    expect(examine(path, [draw()])).toBe(first.savedPosition);
    second.follow();
    second.settle();
    expect(second.faults()).toEqual([]);
    expect(second.savedPosition).toBe(first.savedPosition);
  });

  test('whoever keeps in turns with another loses nothing', () => {
    const { path, draw, collection: first } = scene(7);
    const second = open(path);
    const openers = [first, second];
    const chance = seededNumbers(7);
    for (let round = 0; round < 12; round++) {
      const writer = openers[round % 2]!;
      writer.upsert(ids(40, Math.floor(chance() * COUNT)), draw);
      for (let i = 0; i < 60; i++) openers[Math.floor(chance() * 2)]!.step();
      if (round % 4 === 3) examine(path, [draw()]);
    }
    for (const opener of openers) {
      opener.settle();
      expect(opener.faults()).toEqual([]);
    }
    expect(examine(path, [draw()])).toBe(first.statistics.position);
    expect(first.cellIds().length).toBeLessThanOrEqual(
      Math.max(first.statistics.cellCount, second.statistics.cellCount),
    );
  }, 60_000);
});
