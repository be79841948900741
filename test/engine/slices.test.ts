/** Calls that take long: others come in between, a signal ends them, and closing does too. */
import { describe, expect, it } from 'vitest';
import type { Backend, CollectionScope, RecordBatch } from '../../src/api/index.ts';
import { seededNumbers } from '../../src/base/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { getRequest, pack, queryRequest } from '../support/batches.ts';
import { BUILT_WORKER, makeCollection, openTestDatabase, withCode } from '../support/database.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { tickingClock } from '../support/ticking-clock.ts';
import { turnsDuring } from '../support/turns.ts';

const DIMENSION = 16;
/** Enough for cells. */
const LARGE_COUNT = 34_000;

function batch(count: number, prefix = 'r'): RecordBatch {
  const numbers = seededNumbers(3);
  const rows = Array.from({ length: count }, () => Array.from({ length: DIMENSION }, () => numbers() - 0.5));
  return {
    ids: rows.map((_, i) => `${prefix}${i}`),
    embeddings: pack(rows),
    documents: rows.map((_, i) => `Document ${i} of the collection`),
    uris: null,
    metadatas: null,
    metadataKeys: [],
  };
}

async function fill(backend: Backend, count: number): Promise<CollectionScope> {
  const scope = await makeCollection(backend);
  await backend.add(scope, batch(count));
  return scope;
}

const QUERY = queryRequest([Array.from({ length: DIMENSION }, (_, d) => d / DIMENSION)], {
  recall: null,
  explain: true,
});

it('settling makes the cells of a large collection, by which queries are answered from then on', async () => {
  const backend = await openTestDatabase();
  const scope = await fill(backend, LARGE_COUNT);
  const settled = backend.settle(scope);
  let isSettled = false;
  void settled.then(() => {
    isSettled = true;
  });
  let overtakingCount = 0;
  while (!isSettled) {
    const [found] = await backend.query(scope, QUERY);
    expect(found!.ids).toHaveLength(10);
    overtakingCount++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  await settled;
  expect(overtakingCount).toBeGreaterThan(10);
  const { vectors } = await backend.statistics(scope);
  expect(vectors).toMatchObject({ kind: 'cells', lag: 0, waitingCount: 0, recall: 0.99 });
  expect(vectors.cellCount).toBeGreaterThan(10);
  expect(vectors.measuredRecall).toBeGreaterThan(0.9);
  const [{ plan } = { plan: null }] = await backend.query(scope, QUERY);
  expect(plan).toMatchObject({ kind: 'cells', recordCount: LARGE_COUNT, allowedCount: LARGE_COUNT });
  expect(plan!.effort).not.toBeNull();
  for (const count of [plan!.cellsVisited, plan!.estimatedCount, plan!.rerankedCount]) {
    expect(count).toBeGreaterThan(0);
  }
  expect(plan!.candidateCount).toBeLessThan(LARGE_COUNT);
  expect(await backend.verify(scope)).toEqual({ recordCount: LARGE_COUNT, faultCount: 0, faults: [] });
});

it('settling brings a text index up to the records, where there is one', async () => {
  const backend = await openTestDatabase({ path: temporaryDirectory() });
  const scope = await makeCollection(backend);
  // Longer in all than what is kept in memory, so that a filter asks for the index.
  const large = { ...batch(300), documents: Array.from({ length: 300 }, (_, i) => `${i} `.repeat(10_000)) };
  await backend.add(scope, large);
  const whereDocument = { kind: 'document', operator: '$contains', text: '299 299' } as const;
  await backend.get(scope, getRequest({ whereDocument, include: [] }));
  expect((await backend.statistics(scope)).text).toEqual({ isBuilt: false, position: 0, lag: 0 });
  await backend.settle(scope);
  expect((await backend.statistics(scope)).text).toEqual({ isBuilt: true, position: 300, lag: 0 });
  expect(await backend.verify(scope)).toMatchObject({ faultCount: 0 });
});

describe.each([0, 1, 2] as const)('a query of many embeddings (threads: %i)', (threads) => {
  /** More than fit into a slice and into what a thread is sent at once. */
  const many = queryRequest(
    Array.from({ length: 600 }, (_, i) => Array.from({ length: DIMENSION }, (_, d) => ((i + d) % 7) - 3)),
    { nResults: 3 },
  );

  async function begin(): Promise<{ backend: Backend; scope: CollectionScope; order: string[] }> {
    const path = threads === 2 ? temporaryDirectory() : null;
    const backend = await openTestDatabase({ threads, path }, { clock: tickingClock(5) });
    return { backend, scope: await fill(backend, 300), order: [] };
  }

  it('lets others have their turn, and is answered all the same', async () => {
    const { backend, scope, order } = await begin();
    const query = backend.query(scope, many).then((answers) => {
      order.push('query');
      return answers;
    });
    const counted = backend.count(scope).then(() => order.push('count'));
    const [answers] = await Promise.all([query, counted]);
    expect(order).toEqual(['count', 'query']);
    const { dimension, values } = many.embeddings;
    expect(answers).toHaveLength(values.length / dimension);
    for (const number of [0, 255, 256, 599]) {
      const alone = values.slice(number * dimension, (number + 1) * dimension);
      const embeddings = { dimension, values: alone, present: null };
      const [expected] = await backend.query(scope, { ...many, embeddings });
      expect(answers[number]).toEqual(expected);
    }
  });

  it('is finished before the database is closed, and given up at a signal', async () => {
    const { backend, scope } = await begin();
    const controller = new AbortController();
    const aborted = backend.query(scope, many, { signal: controller.signal });
    const refused = expect(aborted).rejects.toEqual(withCode('TESSERA_ABORTED'));
    await backend.count(scope);
    controller.abort();
    await refused;
    const query = backend.query(scope, many);
    await backend.count(scope);
    const closed = backend.close();
    await expect(backend.query(scope, many)).rejects.toEqual(withCode('TESSERA_CLOSED'));
    expect(await query).toHaveLength(600);
    await closed;
  });
});

it('of several long calls at once, one slice is worked on in a turn of the event loop', async () => {
  const backend = await openTestDatabase({}, { clock: tickingClock(5) });
  const scope = await fill(backend, 300);
  let sliceCount = 0;
  const counted = {
    ...queryRequest(Array.from({ length: 50 }, () => new Array<number>(DIMENSION).fill(1))),
    /** Looked at once in each slice. */
    get nResults(): number {
      sliceCount++;
      return 1;
    },
  };
  let isDone = false;
  const queries = [0, 1, 2].map(() => backend.query(scope, counted));
  void Promise.all(queries).then(() => {
    isDone = true;
  });
  let turnCount = 0;
  for (; !isDone; turnCount++) await new Promise((resolve) => setImmediate(resolve));
  expect(sliceCount).toBeGreaterThan(30);
  // The first slice of each is worked on where the call is made.
  expect(turnCount).toBeGreaterThanOrEqual(sliceCount - queries.length);
});

it.each([0, 1] as const)('a signal and a close end what is under way (threads: %i)', async (threads) => {
  const backend = await openDatabase({ threads }, { workerUrl: BUILT_WORKER });
  const scope = await fill(backend, 5_000);
  const controller = new AbortController();
  const aborted = backend.verify(scope, { signal: controller.signal });
  const closed = backend.verify(scope);
  const outcomes = Promise.allSettled([aborted, closed]);
  await backend.count(scope);
  controller.abort();
  await expect(aborted).rejects.toEqual(withCode('TESSERA_ABORTED'));
  await backend.close();
  const [, last] = await outcomes;
  expect(last).toMatchObject({ status: 'rejected', reason: { code: 'TESSERA_CLOSED' } });
});

it('verifying and settling work on a database that is opened for reading alone, repairing does not', async () => {
  const path = temporaryDirectory();
  const first = await openTestDatabase({ path });
  const scope = await fill(first, 100);
  const reader = await openTestDatabase({ path, readOnly: true });
  expect(await reader.verify(scope)).toEqual({ recordCount: 100, faultCount: 0, faults: [] });
  await reader.settle(scope);
  const statistics = await reader.statistics(scope);
  expect(statistics).toMatchObject({ recordCount: 100, vectors: { kind: 'exact', lag: 0 } });
  expect(statistics.fileBytes).toBeGreaterThan(100 * DIMENSION * 4);
  await expect(reader.repair(scope)).rejects.toEqual(withCode('TESSERA_READ_ONLY'));
});

it('a collection that is deleted meanwhile ends them', async () => {
  const backend = await openTestDatabase();
  const scope = await fill(backend, 5_000);
  const verified = backend.verify(scope);
  const deleted = backend.deleteCollection(scope, 'tiles');
  await expect(verified).rejects.toEqual(withCode('TESSERA_COLLECTION_NOT_FOUND'));
  await deleted;
});

it('a reader takes rows in for longer at a time while so many wait that queries are slow for them', async () => {
  const path = temporaryDirectory();
  const writer = await openTestDatabase({ path }, { role: { kind: 'writer', keepsCells: false } });
  const scope = await fill(writer, 4_000);
  const reader = await openTestDatabase(
    { path },
    {
      role: { kind: 'reader', keepsCells: false },
      clock: tickingClock(1),
      indexTuning: { cells: { startCount: 64 } },
    },
  );
  await reader.settle(scope);
  await writer.add(scope, batch(4_000, 'later'));
  const many = queryRequest(Array.from({ length: 10 }, (_, i) => new Array<number>(DIMENSION).fill(i)));
  const taken: { waiting: number; count: number }[] = [];
  for (let waiting = 4_000; waiting > 0; ) {
    await reader.query(scope, many);
    await new Promise((resolve) => setImmediate(resolve));
    const { vectors } = await reader.statistics(scope);
    taken.push({ waiting, count: waiting - vectors.waitingCount });
    waiting = vectors.waitingCount;
  }
  const counts = (isMeant: (waiting: number) => boolean): number[] =>
    taken.filter(({ waiting }) => isMeant(waiting)).map(({ count }) => count);
  // A slice has two steps by this clock, and a step takes in 64 rows at most.
  expect(Math.max(...counts((waiting) => waiting > 1_024))).toBeGreaterThan(128);
  expect(Math.max(...counts((waiting) => waiting <= 1_024))).toBeLessThanOrEqual(128);
});

it.each(['query', 'get'] as const)(
  'calls of %s that leave the event loop no turn let maintenance have one',
  async (verb) => {
    const indexTuning = { cells: { startCount: 64 } };
    const backend = await openTestDatabase({}, { clock: tickingClock(1), indexTuning });
    const scope = await fill(backend, 4_000);
    const ask =
      verb === 'query'
        ? () => backend.query(scope, QUERY)
        : () => backend.get(scope, getRequest({ ids: ['r7'] }));
    await backend.query(scope, QUERY);
    for (let i = 0; i < 2_000; i++) await ask();
    const { vectors } = await backend.statistics(scope);
    expect(vectors).toMatchObject({ kind: 'cells', waitingCount: 0 });
  },
);

it('calls that were made together wait for maintenance together', async () => {
  const indexTuning = { cells: { startCount: 64 } };
  const backend = await openTestDatabase({}, { clock: tickingClock(1), indexTuning });
  const scope = await fill(backend, 4_000);
  const get = (): Promise<unknown> => backend.get(scope, getRequest({ ids: ['r7'] }));
  // So long that maintenance has waited for its turn too long.
  for (let i = 0; i < 10; i++) await backend.query(scope, QUERY);
  const turnCount = await turnsDuring(() => Promise.all(Array.from({ length: 100 }, get)));
  expect(turnCount).toBeGreaterThan(0);
  expect(turnCount).toBeLessThan(10);
});

it.each([1, 4])(
  '%i callers whose queries look at all rows, since no cells have them yet, leave half of the thread to that',
  async (callerCount) => {
    let [nowMs, stepMs] = [0, 1];
    const monotonicMs = (): number => {
      nowMs += stepMs;
      return nowMs;
    };
    const clock = { nowNs: () => 0n, monotonicMs };
    const backend = await openTestDatabase({}, { clock, indexTuning: { cells: { startCount: 64 } } });
    const scope = await fill(backend, 4_000);
    const startMs = nowMs;
    let callsMs = 0;
    for (let isMeasured = false; !isMeasured; ) {
      stepMs = 50;
      const beforeMs = nowMs;
      const answered = Array.from({ length: callerCount }, () => backend.query(scope, QUERY));
      callsMs += nowMs - beforeMs;
      stepMs = 1;
      await Promise.all(answered);
      isMeasured = (await backend.statistics(scope)).vectors.measuredRecall !== null;
    }
    // A little more than half, since not all of a call is counted.
    expect(callsMs / (nowMs - startMs)).toBeLessThan(0.7);
  },
);
