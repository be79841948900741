/**
 * Flipped bits: whatever bit of a collection's file turns over, what is read is right or an error, never
 * wrong.
 *
 * The file is closed, one bit is flipped, everything is read again in each of the ways a client reads: all
 * records with their columns and embeddings, the nearest of some, a filter, each record by its id. A damaged
 * index of ids may fail to find a record (SQLite's indexes have no checksum), but never gives another one.
 * Run with another seed by changing `SEED`; a failing flip names its offset and bit.
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Backend, type CollectionScope, parseWhere } from '../../src/api/index.ts';
import { DatabaseError, seededNumbers } from '../../src/base/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { batchOf, deleteRequest, getRequest, queryRequest } from '../support/batches.ts';
import { makeCollection } from '../support/database.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const SEED = 7;
const FLIP_COUNT = 300;
const RECORD_COUNT = 60;

const embeddingOf = (i: number): number[] =>
  Array.from({ length: 24 }, (_, d) => ((i * 7 + d * 3) % 11) - 5 + i / 100);

/** Everything that the records say, in one comparable value. */
async function readAll(backend: Backend, scope: CollectionScope): Promise<unknown> {
  const all = await backend.get(scope, getRequest());
  const queries = [3, 17, 41].map(embeddingOf);
  const nearest = await backend.query(scope, queryRequest(queries, { nResults: 5 }));
  const filtered = await backend.get(
    scope,
    getRequest({ where: parseWhere({ parity: 1 }), include: ['metadatas'] }),
  );
  const columns = { ...all, embeddings: [...all.embeddings!.values] };
  const count = await backend.count(scope);
  return JSON.parse(JSON.stringify({ columns, nearest, filtered, count }));
}

/** What a look-up by id finds has to be what is stored under it. */
async function checkById(
  backend: Backend,
  scope: CollectionScope,
  documents: ReadonlyMap<string, string>,
): Promise<void> {
  const found = await backend.get(scope, getRequest({ ids: [...documents.keys()], include: ['documents'] }));
  expect(found.documents).toEqual(found.ids.map((id) => documents.get(id)));
}

it(`${FLIP_COUNT} single flipped bits give the right answer or a typed error`, async () => {
  const path = temporaryDirectory();
  const first = await openDatabase({ path, threads: 0 });
  const scope = await makeCollection(first);
  const records = Array.from({ length: RECORD_COUNT }, (_, i) => ({
    id: `record-${i}`,
    embedding: embeddingOf(i),
    document: `The document of record ${i} says ${'something '.repeat(i % 7)}.`,
    metadata: JSON.stringify({ parity: i % 2, name: `n${i}` }),
  }));
  const documents = new Map(records.map(({ id, document }) => [id, document]));
  await first.add(scope, batchOf(...records));
  await first.delete(scope, deleteRequest({ ids: ['record-5', 'record-50'] }));
  const expected = await readAll(first, scope);
  await first.close();

  const file = join(path, 'collections', `${scope.collectionId}.sqlite3`);
  const intact = join(path, 'intact');
  copyFileSync(file, intact);
  const bytes = readFileSync(intact);
  const next = seededNumbers(SEED);
  const outcomes = { right: 0, noticed: 0 };
  for (let flip = 0; flip < FLIP_COUNT; flip++) {
    const offset = Math.floor(next() * bytes.length);
    const bit = Math.floor(next() * 8);
    const damaged = Buffer.from(bytes);
    damaged[offset]! ^= 1 << bit;
    writeFileSync(file, damaged);
    const backend = await openDatabase({ path, threads: 0 });
    try {
      expect({ offset, bit, answer: await readAll(backend, scope) }).toEqual({
        offset,
        bit,
        answer: expected,
      });
      await checkById(backend, scope, documents);
      outcomes.right++;
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      outcomes.noticed++;
    } finally {
      await backend.close();
    }
  }
  // Most of the file is content: were nothing noticed, nothing would have been flipped.
  expect(outcomes.noticed).toBeGreaterThan(FLIP_COUNT / 4);
  expect(outcomes.right + outcomes.noticed).toBe(FLIP_COUNT);
});
