import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { batchOf } from '../../test/support/batches.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { DEFAULT_SETTINGS } from '../api/index.ts';
import { RecordStore, type RecordWriter } from '../records/index.ts';
import { openSqlDatabase } from '../sqlite/index.ts';
import type { Catalogue } from './catalogue.ts';
import { Erasure } from './erasure.ts';
import type { OpenCollection, OpenCollections } from './open-collections.ts';

/** A collection of which records were changed, and what erases them, by a clock that the test sets. */
function changed(): {
  erasure: Erasure;
  collection: OpenCollection;
  change: () => void;
  close: () => void;
  at: (ms: number) => void;
} {
  const path = join(temporaryDirectory(), 'c.sqlite3');
  const store = RecordStore.open({ ...DEFAULT_SETTINGS, busyTimeoutMs: 1, path });
  onTestFinished(() => store.close());
  const write = (call: (writer: RecordWriter) => void): void => {
    expect(store.writeGroup([call])[0]!.ok).toBe(true);
  };
  const collection = { id: 'c', store } as OpenCollection;
  let open: OpenCollection | undefined = collection;
  let nowMs = 0;
  const catalogue = { isUnfolded: false, fold: () => {} } as unknown as Catalogue;
  const collections = { peek: () => open } as unknown as OpenCollections;
  // Each look at the clock takes a millisecond.
  const erasure = new Erasure(collections, catalogue, false, () => nowMs++);
  const change = (): void => {
    write((writer) => writer.upsert(batchOf({ id: 'a', embedding: [1, 2] })));
    erasure.note('c');
  };
  change();
  change();
  const close = (): void => {
    open = undefined;
  };
  const at = (ms: number): void => {
    nowMs = ms;
  };
  return { erasure, collection, change, close, at };
}

/** Does all slices; returns how many there were. */
function finish(erasure: Erasure, collection: OpenCollection): number {
  let count = 1;
  while (erasure.tidy(collection)) expect(count++).toBeLessThan(1_000);
  return count;
}

it('lets a collection rest after an unasked pass, and makes the next one in time', () => {
  const { erasure, collection, change, at } = changed();
  expect(erasure.calm().due).toEqual(['c']);
  const workMs = finish(erasure, collection);
  change();
  at(50 * workMs);
  expect(erasure.calm()).toEqual({ due: [], isMoreLeft: true });
  expect(erasure.isUnfolded).toBe(true);
  at(200 * workMs);
  expect(erasure.calm().due).toEqual(['c']);
  finish(erasure, collection);
  at(1_000 * workMs);
  expect(erasure.calm()).toEqual({ due: [], isMoreLeft: false });
  expect(erasure.isUnfolded).toBe(false);
});

it('goes on with a pass that another connection has hindered', () => {
  const { erasure, collection } = changed();
  expect(erasure.calm().due).toEqual(['c']);
  expect(erasure.tidy(collection)).toBe(true);
  const other = openSqlDatabase({ path: collection.store.database.path, readOnly: false, busyTimeoutMs: 1 });
  onTestFinished(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  expect(finish(erasure, collection)).toBeLessThan(100);
  other.exec('COMMIT');
  expect(collection.store.read(() => collection.store.erasedChanges(1))).toBe(0);
  expect(erasure.calm().due).toEqual(['c']);
  finish(erasure, collection);
  expect(collection.store.read(() => collection.store.erasedChanges(1))).toBe(1);
});

it('waits a minute where maintenance failed, and forgets what is closed', () => {
  const { erasure, close, at } = changed();
  expect(erasure.calm().due).toEqual(['c']);
  erasure.giveUp('c');
  at(30_000);
  expect(erasure.calm()).toEqual({ due: [], isMoreLeft: true });
  at(70_000);
  expect(erasure.calm().due).toEqual(['c']);
  erasure.giveUp('c');
  close();
  erasure.forget('c');
  expect(erasure.calm()).toEqual({ due: [], isMoreLeft: false });
  expect(erasure.isUnfolded).toBe(false);
});

it('clears gaps at closing, rested or not, within its time', () => {
  const { erasure, collection, change } = changed();
  erasure.calm();
  finish(erasure, collection);
  change();
  erasure.close();
  expect(collection.store.read(() => collection.store.erasedChanges(2))).toBe(2);
});
