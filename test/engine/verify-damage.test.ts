/**
 * Flipped bits again: whatever bit of a collection's file turns over, `verify` comes to its end, and finds
 * fault with every file that a reader finds fault with. `repair` changes no record, and leaves nothing to
 * find but damage of the records themselves.
 *
 * Run with another seed by changing `SEED`; a failing flip names its offset and bit.
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Backend, CollectionScope, VerifyReport } from '../../src/api/index.ts';
import { DEFAULT_SETTINGS } from '../../src/api/index.ts';
import { DatabaseError, seededNumbers } from '../../src/base/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { absorbText } from '../../src/maintenance/index.ts';
import { RecordStore } from '../../src/records/index.ts';
import { batchOf, deleteRequest, getRequest, queryRequest } from '../support/batches.ts';
import { makeCollection } from '../support/database.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const SEED = 11;
const FLIP_COUNT = 200;
const RECORD_COUNT = 60;

async function isReadable(backend: Backend, scope: CollectionScope): Promise<boolean> {
  try {
    const { ids } = await backend.get(scope, getRequest());
    const found = await backend.get(scope, getRequest({ ids, include: [] }));
    await backend.query(scope, queryRequest([[1, 2, 3]]));
    return found.ids.length === ids.length;
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    return false;
  }
}

/** The outcome of a call; `null` where the file does not even open. */
async function attempt<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    return null;
  }
}

/** Whether only that is left which nothing can be made from, or which SQLite can neither read nor drop. */
const isBeyondRepair = (report: VerifyReport): boolean =>
  report.faults.some(({ part }) => part === 'record') ||
  report.faults.every(({ message }) => /^The text index of .* is damaged/.test(message));

it(`${FLIP_COUNT} single flipped bits are found where readers find them, and repaired where they can be`, async () => {
  const path = temporaryDirectory();
  const first = await openDatabase({ path, threads: 0 });
  const scope = await makeCollection(first);
  const records = Array.from({ length: RECORD_COUNT }, (_, i) => ({
    id: `record-${i}`,
    embedding: [i, (i * 7) % 11, -i / 3],
    document: `The document of record ${i} says ${'something '.repeat(i % 7)}.`,
    metadata: JSON.stringify({ parity: i % 2 }),
  }));
  await first.add(scope, batchOf(...records));
  await first.delete(scope, deleteRequest({ ids: ['record-5', 'record-50'] }));
  await first.close();
  const file = join(path, 'collections', `${scope.collectionId}.sqlite3`);
  const store = RecordStore.open({ ...DEFAULT_SETTINGS, path: file });
  while (absorbText(store, true));
  store.close();

  const intact = join(path, 'intact');
  copyFileSync(file, intact);
  const bytes = readFileSync(intact);
  const next = seededNumbers(SEED);
  const outcomes = { sound: 0, mended: 0, left: 0, closed: 0 };
  for (let flip = 0; flip < FLIP_COUNT; flip++) {
    const [offset, bit] = [Math.floor(next() * bytes.length), Math.floor(next() * 8)];
    const damaged = Buffer.from(bytes);
    damaged[offset]! ^= 1 << bit;
    writeFileSync(file, damaged);
    const backend = await openDatabase({ path, threads: 0 });
    const readable = await isReadable(backend, scope);
    const report = await attempt(backend.verify(scope));
    const found = report === null || report.faultCount > 0;
    expect({ offset, bit, isUnnoticed: !readable && !found }).toEqual({ offset, bit, isUnnoticed: false });
    const repaired = report === null ? null : await attempt(backend.repair(scope));
    if (report?.faultCount === 0) outcomes.sound++;
    else if (repaired === null) outcomes.closed++;
    else {
      const { after } = repaired;
      if (after.faultCount === 0) outcomes.mended++;
      else outcomes.left++;
      const isWorse = after.faultCount > repaired.before.faultCount;
      const isIndexLeft = !isBeyondRepair(after);
      expect({ offset, bit, isWorse, isIndexLeft }).toEqual({
        offset,
        bit,
        isWorse: false,
        isIndexLeft: false,
      });
    }
    await backend.close();
  }
  // Were nothing flipped, all would be sound; were nothing repaired, none would be mended.
  expect(outcomes.left).toBeGreaterThan(0);
  expect(outcomes.mended).toBeGreaterThan(0);
});
