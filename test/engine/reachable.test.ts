/**
 * Every live record stays reachable: scenarios of public reports about Chroma, played at the scale of
 * thousands of records with cells, and the promises that they broke.
 */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, test } from 'vitest';
import {
  type Backend,
  type CollectionScope,
  type Neighbours,
  parseWhere,
  type Settings,
} from '../../src/api/index.ts';
import { seededNumbers, seededRandom } from '../../src/base/index.ts';
import { type Collection, DatabaseClient } from '../../src/client/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { batchOf, deleteRequest, getRequest, queryRequest } from '../support/batches.ts';
import { makeCollection, openTestDatabase } from '../support/database.ts';
import { FAMILIES, gaussian, vector } from '../support/hard-vectors.ts';
import { SMALL_INDEX } from '../support/kept-cells.ts';
import {
  type Hit,
  NaiveCollection,
  type NaiveFilter,
  type NaiveRecord,
  nearestRequest,
  selectionOf,
  testRecord,
} from '../support/naive-collection.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { tickingClock } from '../support/ticking-clock.ts';

const MINUTE_MS = 60_000;

/** A database whose collections have cells of some forty records from three hundred records on. */
async function open(settings: Partial<Settings>, tuning: object = {}): Promise<Backend> {
  const backend = await openDatabase(
    { threads: 0, durability: 'relaxed', ...settings },
    {
      clock: tickingClock(0.1),
      random: seededRandom(1),
      indexTuning: {
        ...SMALL_INDEX,
        cells: { ...SMALL_INDEX.cells, startCount: 300, sizeMin: 40, ...tuning },
      },
    },
  );
  onTestFinished(() => backend.close());
  return backend;
}

/** Lets the upkeep of the indexes have some turns. */
async function rest(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}

function recordOf(id: string, embedding: Float32Array, group = 0, word = 'amber'): NaiveRecord {
  return { id, embedding, group, word };
}

async function nearest(
  backend: Backend,
  scope: CollectionScope,
  queries: readonly Float32Array[],
  k: number,
  recall: number | null = null,
  filter: NaiveFilter = {},
): Promise<Hit[][]> {
  const answers = await backend.query(scope, nearestRequest(queries, k, recall, filter));
  return answers.map(({ ids, distances }: Neighbours) =>
    ids.map((id, i) => ({ id, distance: distances![i]! })),
  );
}

describe('live records stay reachable through deletes and upserts (chroma#7758)', () => {
  const DIMENSION = 64;
  const RECORD_COUNT = 4_000;

  /** Ids of records that a query with their own embedding does not bring back among `k`. */
  async function unreachable(
    collection: Collection,
    model: ReadonlyMap<string, Float32Array>,
    k: number,
    exact = false,
  ): Promise<string[]> {
    const ids = [...model.keys()];
    const queryEmbeddings = [...model.values()];
    const answer = await collection.query({ queryEmbeddings, nResults: k, include: [], exact });
    return ids.filter((id, i) => !answer.ids[i]!.includes(id));
  }

  async function expectReachable(
    client: DatabaseClient,
    model: ReadonlyMap<string, Float32Array>,
  ): Promise<void> {
    const collection = await client.getCollection({ name: 'churned' });
    const backend = await client.backend();
    const scope = { tenant: client.tenant, database: client.database, collectionId: collection.id };
    expect(await collection.count()).toBe(model.size);
    expect((await collection.get({ ids: [...model.keys()], include: [] })).ids).toHaveLength(model.size);
    expect(await unreachable(collection, model, 1, true)).toEqual([]);
    expect(await unreachable(collection, model, 100)).toEqual([]);
    expect(await unreachable(collection, model, 10)).toEqual([]);
    expect(await backend.verify(scope)).toMatchObject({ recordCount: model.size, faultCount: 0 });
  }

  it('at once, after the indexes have settled, and after reopening', { timeout: MINUTE_MS }, async () => {
    const path = temporaryDirectory();
    const chance = seededNumbers(7_758);
    const draw = (): Float32Array => vector(DIMENSION, () => gaussian(chance));
    const first = new DatabaseClient(() => open({ path }));
    const collection = await first.createCollection({
      name: 'churned',
      configuration: { hnsw: { space: 'l2' } },
    });
    const model = new Map<string, Float32Array>();
    const write = async (ids: string[]): Promise<void> => {
      const embeddings = ids.map(draw);
      ids.forEach((id, i) => {
        model.set(id, embeddings[i]!);
      });
      await collection.upsert({ ids, embeddings });
    };

    const all = Array.from({ length: RECORD_COUNT }, (_, i) => `r${i}`);
    for (let i = 0; i < RECORD_COUNT; i += 500) await write(all.slice(i, i + 500));
    await collection.query({ queryEmbeddings: [draw()], nResults: 1 });
    await rest(200);
    const gone = all.filter(() => chance() < 0.5);
    await collection.delete({ ids: gone });
    for (const id of gone) model.delete(id);
    await rest(20);
    await write([...model.keys()].filter(() => chance() < 0.3));
    await expectReachable(first, model);

    // And on, as a store lives that is synchronised every day.
    for (let day = 0; day < 5; day++) {
      const leaving = [...model.keys()].filter(() => chance() < 0.2);
      await collection.delete({ ids: leaving });
      for (const id of leaving) model.delete(id);
      await rest(10);
      await write(leaving.filter(() => chance() < 0.5));
      await write([...model.keys()].filter(() => chance() < 0.1));
      await write(Array.from({ length: 100 }, (_, i) => `day${day}-${i}`));
      await rest(10);
    }
    await expectReachable(first, model);
    const backend = await first.backend();
    const scope = { tenant: first.tenant, database: first.database, collectionId: collection.id };
    await backend.settle(scope);
    await expectReachable(first, model);
    const { vectors } = await backend.statistics(scope);
    expect(vectors).toMatchObject({ kind: 'cells', waitingCount: 0, lag: 0 });
    await first.close();

    const second = new DatabaseClient(() => open({ path }));
    await expectReachable(second, model);
    await second.close();
  });
});

describe('answers after a delete are those of a collection that never had the record (chroma#4275)', () => {
  const A = [1, 2, 3];
  const B = [4, 5, 6];
  const C = [7, 8, 9];

  test.each([1, 2, 3])('the nearest %i of two that are left of three', async (k) => {
    const backend = await open({}, { startCount: 1, sizeMin: 1 });
    const without = await makeCollection(backend, 'without');
    await backend.add(without, batchOf({ id: 'B', embedding: B }, { id: 'C', embedding: C }));
    const within = await makeCollection(backend, 'within');
    const records = [A, B, C].map((embedding, i) => ({ id: 'ABC'[i]!, embedding }));
    await backend.add(within, batchOf(...records));
    await nearest(backend, within, [Float32Array.from(A)], k);
    await backend.delete(within, deleteRequest({ ids: ['A'] }));
    for (const recall of [null, 1]) {
      const expected = await nearest(backend, without, [Float32Array.from(A)], k, recall);
      expect(expected[0]!.map(({ id }) => id)).toEqual(['B', 'C'].slice(0, k));
      expect(await nearest(backend, within, [Float32Array.from(A)], k, recall)).toEqual(expected);
    }
  });

  it('holds as the nearest record is deleted again and again until none is left', async () => {
    const backend = await open({});
    const scope = await makeCollection(backend);
    const draw = FAMILIES['clustered unit vectors'](16, seededNumbers(4_275));
    const model = new NaiveCollection('l2');
    const records = Array.from({ length: 600 }, (_, i) => recordOf(`r${i}`, draw()));
    await backend.add(scope, batchOf(...records.map(testRecord)));
    model.add(records);
    const query = draw();
    while (model.records.size > 0) {
      await rest(1);
      const exact = model.nearest(query, 1);
      expect(await nearest(backend, scope, [query], 1, 1)).toEqual([exact]);
      const [found] = await nearest(backend, scope, [query], 10);
      expect(found).toHaveLength(Math.min(10, model.records.size));
      for (const { id } of found!) expect(model.records.has(id)).toBe(true);
      const ids = [exact[0]!.id, ...found!.slice(-2).map(({ id }) => id)];
      await backend.delete(scope, deleteRequest({ ids }));
      model.delete({ ids });
    }
    expect(await backend.count(scope)).toBe(0);
    expect(await nearest(backend, scope, [query], 1)).toEqual([[]]);
  });
});

test('a collection that grows past 1,000 records answers each question differently (chroma#5814)', async () => {
  const backend = await open({ path: temporaryDirectory() });
  const scope = await makeCollection(backend, 'growing', 'cosine');
  const chance = seededNumbers(5_814);
  const topics = Array.from({ length: 150 }, () => vector(48, () => gaussian(chance)));
  const draw = (topic: number): Float32Array => topics[topic]!.map((x) => x + 0.2 * gaussian(chance));
  const model = new NaiveCollection('cosine');
  const add = async (count: number): Promise<void> => {
    const records = Array.from({ length: count }, () => {
      const next = model.records.size;
      const record = recordOf(`r${next}`, draw(next % topics.length));
      model.add([record]);
      return record;
    });
    await backend.add(scope, batchOf(...records.map(testRecord)));
  };
  for (const step of [900, 99, 1, 1, 1, 998]) {
    await add(step);
    const questions = topics.map((_, topic) => draw(topic));
    const expected = questions.map((question) => model.nearest(question, 7));
    expect(await nearest(backend, scope, questions, 7, 1)).toEqual(expected);
    const found = await nearest(backend, scope, questions, 7);
    for (const [topic, hits] of found.entries()) {
      expect(hits.map(({ id }) => Number(id.slice(1)) % topics.length)).toContain(topic);
      expect(new Set(hits.map(({ id }) => id)).size).toBe(7);
    }
    expect(new Set(found.map((hits) => hits[0]!.id)).size).toBeGreaterThan(topics.length * 0.9);
    await rest(50);
  }
});

describe('a process that ends without closing leaves an index that finds everything (chroma#6975)', () => {
  // Below and above the number of records from which on there are cells, and so something to keep.
  test.each([10, 299, 301, 900])('with %i records', async (count) => {
    const path = temporaryDirectory();
    const draw = FAMILIES.gaussian(24, seededNumbers(count));
    const model = new NaiveCollection('l2');
    const backend = await open({ path: join(path, '0') });
    const scope = await makeCollection(backend);
    let generation = 0;
    for (const batch of [0, 1, 2]) {
      const size = Math.ceil(count / 3);
      const records = Array.from({ length: size }, (_, i) => recordOf(`r${batch * size + i}`, draw()));
      await backend.add(scope, batchOf(...records.map(testRecord)));
      model.add(records);
      await nearest(backend, scope, [draw()], 1);
      await rest(batch * 20);
      // What a process leaves behind that ends here is what is in its files.
      const left = join(path, String(++generation));
      cpSync(join(path, '0'), left, { recursive: true });
      const next = await open({ path: left });
      const queries = [...model.records.values()].map(({ embedding }) => embedding);
      const expected = queries.map((query) => model.nearest(query, 1));
      expect(await nearest(next, scope, queries, 1, 1)).toEqual(expected);
      const found = await nearest(next, scope, queries, 10);
      expect(found.filter((hits, i) => !hits.some(({ id }) => id === expected[i]![0]!.id))).toEqual([]);
      expect(await next.verify(scope)).toMatchObject({ recordCount: model.records.size, faultCount: 0 });
      await next.close();
    }
  });
});

test('k results come back whenever k exist, however few a filter admits and wherever they are', async () => {
  const backend = await open({});
  const scope = await makeCollection(backend);
  const chance = seededNumbers(99);
  const draw = FAMILIES['clustered unit vectors'](24, chance);
  const model = new NaiveCollection('l2');
  const far = vector(24, () => 5);
  // Group 0 has few records; group 99 lies far from all queries; `birch` is one record in a thousand.
  const records = Array.from({ length: 3_000 }, (_, i) => {
    const group = i % 300 === 0 ? 0 : 1 + Math.floor(chance() * 98);
    const isFar = i % 40 === 1;
    const embedding = isFar ? draw().map((x, d) => x + far[d]!) : draw();
    return recordOf(`r${i}`, embedding, isFar ? 99 : group, i % 1_000 === 2 ? 'birch' : 'amber');
  });
  for (let i = 0; i < records.length; i += 500) {
    await backend.add(scope, batchOf(...records.slice(i, i + 500).map(testRecord)));
  }
  model.add(records);
  const filters: readonly NaiveFilter[] = [
    { groupBelow: 50 },
    { groupBelow: 10 },
    { groupBelow: 1 },
    { group: 99 },
    { word: 'birch' },
    { groupBelow: 20, word: 'birch' },
    { ids: records.slice(0, 15).map(({ id }) => id) },
    { group: 99, ids: records.slice(0, 400).map(({ id }) => id) },
    { groupBelow: 0 },
  ];
  const queries = Array.from({ length: 10 }, draw);
  const check = async (): Promise<void> => {
    for (const filter of filters) {
      for (const k of [1, 10, 100]) {
        const expected = queries.map((query) => model.nearest(query, k, filter));
        expect(await nearest(backend, scope, queries, k, 1, filter)).toEqual(expected);
        for (const recall of [null, 0.5]) {
          const found = await nearest(backend, scope, queries, k, recall, filter);
          expect(found.map((hits) => hits.length)).toEqual(expected.map((hits) => hits.length));
          const admitted = new Set(model.select(filter).map(({ id }) => id));
          expect(found.flat().filter(({ id }) => !admitted.has(id))).toEqual([]);
        }
      }
    }
  };
  await check();
  await backend.settle(scope);
  expect((await backend.statistics(scope)).vectors.kind).toBe('cells');
  await check();
  const gone = { groupBelow: 30 };
  await backend.delete(scope, deleteRequest(selectionOf(gone)));
  model.delete(gone);
  await check();
});

test('deleted records are never returned, whatever recall is asked for', async () => {
  const backend = await open({ path: temporaryDirectory() });
  const scope = await makeCollection(backend, 'shrinking', 'cosine');
  const draw = FAMILIES.duplicates(16, seededNumbers(31));
  const live = new Map(Array.from({ length: 1_200 }, (_, i) => [`r${i}`, draw()]));
  const chance = seededNumbers(32);
  await backend.add(
    scope,
    batchOf(...[...live].map(([id, embedding]) => ({ id, embedding: Array.from(embedding) }))),
  );
  for (let round = 0; round < 12; round++) {
    const leaving = [...live.keys()].filter(() => chance() < 0.15);
    const queries = leaving.slice(0, 8).map((id) => live.get(id)!);
    await backend.delete(scope, deleteRequest({ ids: leaving }));
    for (const id of leaving) live.delete(id);
    for (const recall of [0.5, null, 1]) {
      // Copies of what was deleted are left, at distance zero, and dead ones would come among them.
      for (const hits of await nearest(backend, scope, queries, 300, recall)) {
        expect(hits).toHaveLength(Math.min(300, live.size));
        expect(hits.filter(({ id }) => !live.has(id))).toEqual([]);
      }
    }
    await rest(round * 2);
  }
  expect((await backend.get(scope, getRequest({ include: [] }))).ids).toEqual([...live.keys()]);
});

test('an update of an embedding retires the old entry, at once and for good', async () => {
  const path = temporaryDirectory();
  const backend = await open({ path });
  const scope = await makeCollection(backend);
  const chance = seededNumbers(41);
  const draw = FAMILIES.gaussian(24, chance);
  const model = new NaiveCollection('l2');
  const records = Array.from({ length: 1_000 }, (_, i) => recordOf(`r${i}`, draw()));
  await backend.add(scope, batchOf(...records.map(testRecord)));
  model.add(records);
  await backend.settle(scope);
  for (let round = 0; round < 60; round++) {
    const id = `r${round % 3}`;
    const former = model.records.get(id)!.embedding;
    const moved = recordOf(
      id,
      former.map((x) => x + (round % 2 === 0 ? 40 : -40)),
    );
    await backend.update(scope, batchOf(testRecord(moved)));
    model.update([moved], true);
    const queries = [former, moved.embedding];
    const expected = queries.map((query) => model.nearest(query, 5));
    expect(expected[1]![0]).toEqual({ id, distance: 0 });
    expect(await nearest(backend, scope, queries, 5, 1)).toEqual(expected);
    const [atFormer, atMoved] = await nearest(backend, scope, queries, 5);
    expect(atFormer!.filter((hit) => hit.distance === 0)).toEqual([]);
    expect(atMoved![0]).toEqual({ id, distance: 0 });
    await rest(round % 4);
  }
  await backend.settle(scope);
  const { vectors, recordCount } = await backend.statistics(scope);
  expect({ recordCount, lag: vectors.lag, waiting: vectors.waitingCount }).toEqual({
    recordCount: 1_000,
    lag: 0,
    waiting: 0,
  });
  expect(await backend.verify(scope)).toMatchObject({ recordCount: 1_000, faultCount: 0 });
  await backend.close();
  const reopened = await open({ path });
  const queries = records.slice(0, 3).map(({ embedding }) => embedding);
  expect(await nearest(reopened, scope, queries, 5, 1)).toEqual(
    queries.map((query) => model.nearest(query, 5)),
  );
});

test('the query by which deleted records become too many to keep a place for finds the right ones', async () => {
  const backend = await openTestDatabase();
  const scope = await makeCollection(backend);
  const ids = Array.from({ length: 4_000 }, (_, i) => `r${i}`);
  const records = ids.map((id, i) => ({ id, embedding: [i, 1], metadata: JSON.stringify({ side: i % 2 }) }));
  await backend.add(scope, batchOf(...records));
  const ask = async (i: number): Promise<string | undefined> => {
    const where = parseWhere({ side: i % 2 });
    return (await backend.query(scope, queryRequest([[i, 1]], { nResults: 1, where })))[0]!.ids[0];
  };
  expect(await ask(3_001)).toBe('r3001');
  // A quarter of all places and a thousand: the others move up.
  await backend.delete(scope, deleteRequest({ ids: ids.slice(0, 1_100) }));
  expect(await ask(3_001)).toBe('r3001');
  expect(await ask(3_002)).toBe('r3002');
});

test('the deletion by which all traces of deletions are dropped is seen by who had seen the others', async () => {
  const backend = await openTestDatabase();
  const scope = await makeCollection(backend);
  const ids = Array.from({ length: 1_100 }, (_, i) => `r${i}`);
  await backend.add(scope, batchOf(...ids.map((id, i) => ({ id, embedding: [i, 1] }))));
  const nearest = async (i: number): Promise<string | undefined> =>
    (await backend.query(scope, queryRequest([[i, 1]], { nResults: 1 })))[0]!.ids[0];
  // As many as are kept, and then one more.
  await backend.delete(scope, deleteRequest({ ids: ids.slice(0, 1_000) }));
  expect(await nearest(1_050)).toBe('r1050');
  await backend.delete(scope, deleteRequest({ ids: ['r1050'] }));
  expect(['r1049', 'r1051']).toContain(await nearest(1_050));
});

test('a filter that was asked before admits what has changed since', async () => {
  const backend = await openTestDatabase();
  const scope = await makeCollection(backend);
  const where = parseWhere({ side: 1 });
  const record = (id: string, side: number): Parameters<typeof batchOf>[number] => {
    return { id, embedding: [side, 1], metadata: JSON.stringify({ side }) };
  };
  const found = async (): Promise<string[]> => (await backend.get(scope, getRequest({ where }))).ids;
  await backend.add(scope, batchOf(record('a', 1), record('b', 0)));
  expect(await found()).toEqual(['a']);
  await backend.upsert(scope, batchOf(record('a', 0), record('b', 1), record('c', 1)));
  expect(await found()).toEqual(['b', 'c']);
  await backend.delete(scope, deleteRequest({ ids: ['b'] }));
  expect(await found()).toEqual(['c']);
});
