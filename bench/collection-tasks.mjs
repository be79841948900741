/** Parts of `collection` that need a process of their own (see `inChild` in measure.mjs). */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { exactThresholds, judge, QUERY_COUNT, readDataset, readQueries } from './dataset.mjs';
import { median, now, processMemory, timeInTurns, withDirectory } from './measure.mjs';
import {
  ask,
  askAll,
  BATCH,
  fill,
  grownBatches,
  K,
  recallOf,
  recordsOf,
  toRows,
  withCollection,
} from './store.mjs';

/** Rows that are added under load come from another part of the grown set than those that are there. */
const GROWN_FROM = 300_000;

/** Records that one side adds before it is the next one's turn. */
const TURN_OF_INGEST = 10 * BATCH;

/** Milliseconds that a side takes for some records in batches; making them is not counted. */
async function addTurn({ prepare, table }, dataset, first, end) {
  let spent = 0;
  for (let from = first; from < end; from += BATCH) {
    const batch = prepare(dataset, from, Math.min(end, from + BATCH));
    const start = now();
    await table.add(batch);
    spent += now() - start;
  }
  return spent;
}

/** Calls `work` with our collections, by name, each in a directory of its own. */
async function withOwn(directory, settings, work) {
  const opened = new Map();
  const open = ([name, more], ...rest) =>
    withCollection({ ...more, path: path.join(directory, String(opened.size)) }, (collection) => {
      opened.set(name, collection);
      return rest.length === 0 ? work(opened) : open(...rest);
    });
  return open(...Object.entries(settings));
}

const OWN = {
  'tessera, threads: 1': { threads: 1 },
  'tessera, threads: 0': { threads: 0 },
  "tessera, threads: 0, durability: 'relaxed'": { threads: 0, durability: 'relaxed' },
};

/** Records per second of us, inline and with the worker, and of LanceDB, in turns of ten batches. */
export async function ingest({ count }) {
  const lance = await import('./peer-lancedb.mjs');
  const dataset = readDataset(count, 1);
  return withDirectory((directory) =>
    withOwn(directory, OWN, async (own) => {
      const tables = [];
      for (const name of ['objects', 'columns']) {
        mkdirSync(path.join(directory, name));
        tables.push(await lance.openTable(path.join(directory, name)));
      }
      const sides = [
        ...[...own].map(([name, collection]) => ({
          name,
          prepare: recordsOf,
          table: collection,
          collection,
        })),
        { name: 'LanceDB, objects', prepare: lance.objectsOf, table: tables[0] },
        { name: 'LanceDB, columns of its own', prepare: lance.columnsOf, table: tables[1] },
      ].map((side) => ({ ...side, adding: 0, settling: 0 }));
      for (let first = 0; first < count; first += TURN_OF_INGEST) {
        const end = Math.min(count, first + TURN_OF_INGEST);
        // Another one begins each time: what a side leaves behind, the next one pays for.
        const begin = (first / TURN_OF_INGEST) % sides.length;
        for (const side of [...sides.slice(begin), ...sides.slice(0, begin)]) {
          side.adding += await addTurn(side, dataset, first, end);
          // What is left for idle times is ours to pay for, and not to do while it is the peer's turn.
          const start = now();
          await side.collection?.settle();
          side.settling += now() - start;
        }
      }
      const settled = sides
        .filter(({ collection }) => collection !== undefined)
        .map(({ name, adding, settling }) => ({
          name: `${name}, settled after each turn`,
          adding: adding + settling,
        }));
      return [...sides, ...settled].map(({ name, adding }) => ({ name, rate: (1000 * count) / adding }));
    }),
  );
}

const PEER_QUERIES = 500;
const PEER_TURN = 25;

/** Our queries and those of LanceDB at the least width that reaches 0.99, in turns. */
export async function queryPeer({ count }) {
  const lance = await import('./peer-lancedb.mjs');
  const dataset = readDataset(count, PEER_QUERIES);
  return withDirectory((directory) =>
    withCollection({ path: path.join(directory, 'own'), threads: 0 }, async (collection) => {
      await fill(collection, dataset);
      const table = await lance.openTable(path.join(directory, 'lance'));
      for (let first = 0; first < count; first += 5_000) {
        await table.add(lance.columnsOf(dataset, first, Math.min(count, first + 5_000)));
      }
      await lance.makeIndex(table);
      const isDebian = (row) => dataset.metadatas[row].source === 'debian';
      const cases = [
        { name: 'no filter', options: {}, filter: undefined, keep: () => true },
        { name: 'source = debian', options: { where: { source: 'debian' } }, filter: "source = 'debian'" },
      ];
      const found = [];
      for (const { name, options, filter, keep = isDebian } of cases) {
        const truth = exactThresholds(dataset, PEER_QUERIES, K, keep);
        const peer = await reachWithLance(lance, table, dataset, truth, filter);
        const own = await recallOf(collection, dataset, truth, options);
        const askPart = (askOne) => async (turn) => {
          const first = ((turn + 2) * PEER_TURN) % PEER_QUERIES;
          for (let i = 0; i < PEER_TURN; i++) await askOne(dataset.query(first + i));
        };
        const times = await timeInTurns(
          [
            askPart((query) => ask(collection, query, options)),
            askPart((query) => lance.askTable(table, query, K, peer.width, filter)),
          ],
          12,
          2,
        );
        const [ownRate, peerRate] = times.map((ms) => (1000 * PEER_TURN) / ms);
        found.push({
          name,
          width: peer.width,
          own: { rate: ownRate, recall: own.recall },
          peer: { rate: peerRate, recall: peer.recall },
        });
      }
      return found;
    }),
  );
}

async function reachWithLance(lance, table, dataset, truth, filter) {
  let best = { width: lance.WIDTHS[0], recall: 0 };
  for (const width of lance.WIDTHS) {
    const answers = [];
    for (let i = 0; i < truth.length; i++) {
      answers.push(await lance.askTable(table, dataset.query(i), K, width, filter));
    }
    const { recall } = judge(dataset, truth, toRows(dataset, answers));
    if (recall > best.recall) best = { width, recall };
    if (recall >= 0.99) break;
  }
  return best;
}

/** Opens a store and asks one query. Loading modules and reading the query are not part of the time. */
export async function reopen({ path: store, query, memory }) {
  const vector = readQueries(query + 1)(query);
  const start = now();
  return withCollection({ path: store, memory }, async (collection) => {
    const ids = await ask(collection, vector);
    return { ms: now() - start, ids, ...processMemory() };
  });
}

/** Adds batches while one caller queries: what each query took, records/s, stalls of the event loop. */
async function queryBeside(collection, query, batches) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const start = now();
  let added = 0;
  let isAdding = true;
  const adding = (async () => {
    for (const batch of batches) {
      await collection.add(batch);
      added += batch.ids.length;
    }
    isAdding = false;
  })();
  const busy = [];
  for (let i = 0; isAdding; i++) {
    const sent = now();
    await ask(collection, query(i % QUERY_COUNT));
    busy.push({ ms: now() - sent, added });
    await nextTurn();
  }
  await adding;
  const rate = (1000 * added) / (now() - start);
  const settling = now();
  await collection.settle();
  const settleMs = now() - settling;
  delay.disable();
  return { busy, rate, settleMs, stall: delay.max / 1e6, stallP999: delay.percentile(99.9) / 1e6 };
}

/** Latencies of queries in an idle store, while `count` records are added, and after that. */
export async function load({ path: store, count, threads }) {
  const query = readQueries(QUERY_COUNT);
  // Made beforehand: what the caller does with its own loop is not to be measured.
  const batches = [...grownBatches(GROWN_FROM, GROWN_FROM + count)];
  return withCollection({ path: store, threads }, async (collection) => {
    await collection.settle();
    await askAll(collection, query, 200);
    // The batches are a hundred thousand young objects, whose move is none of the database's business.
    globalThis.gc();
    const idle = await askAll(collection, query, QUERY_COUNT);
    const { busy, ...beside } = await queryBeside(collection, query, batches);
    await askAll(collection, query, 200);
    const after = await askAll(collection, query, QUERY_COUNT);
    return { ...beside, idle: idle.times, busy: busy.map(({ ms }) => ms), after: after.times };
  });
}

/** The same while `count` records come to an empty store. */
export async function fillUnderQueries({ path: store, count, threads }) {
  const query = readQueries(QUERY_COUNT);
  const batches = [...grownBatches(0, count)];
  return withCollection({ path: store, threads }, async (collection) => {
    await collection.add(batches.shift());
    globalThis.gc();
    const beside = await queryBeside(collection, query, batches);
    await askAll(collection, query, 200);
    const after = await askAll(collection, query, QUERY_COUNT);
    return { ...beside, after: after.times };
  });
}

/** Longer than a writer's thread stays without work (src/engine/worker.ts). */
const REST_MS = 25_000;

/** Resident memory now, and when nothing was called for a while. */
async function nowAndAtRest() {
  globalThis.gc();
  const { resident } = processMemory();
  await sleep(REST_MS);
  globalThis.gc();
  return { resident, atRest: processMemory().resident };
}

/** Memory of a process with the same modules and queries, and nothing opened. */
export async function restMemory() {
  const query = readQueries(QUERY_COUNT);
  return { ...(await nowAndAtRest()), first: query(0)[0] };
}

/**
 * Memory of a process that holds a collection, in a thread of its own as by default, and has answered all
 * queries twice.
 */
export async function holdMemory({ path: store, memory: budget }) {
  const query = readQueries(QUERY_COUNT);
  return withCollection({ path: store, threads: 2, memory: budget }, async (collection) => {
    await askAll(collection, query, QUERY_COUNT);
    await collection.settle();
    const { times } = await askAll(collection, query, QUERY_COUNT);
    const memory = await nowAndAtRest();
    return { ...memory, rate: 1000 / median(times), stats: await collection.stats() };
  });
}
