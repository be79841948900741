/**
 * A collection in process from end to end: documents and metadata, files and threads.
 *
 *   TESSERA_BENCH_DATA=DIR npm run bench -- collection [--count 100000] [--only queries,churn] [--json FILE]
 *
 * Parts, each of which can be asked for alone with `--only`:
 *
 * - `queries`: `collection.query` with documents, metadata and distances, one caller, inline and through
 *   worker threads, and eight callers at once; recall; where the time goes.
 * - `ingest`: batches of 500 with documents and metadata, each acknowledged and durable before the next, in
 *   turns with `@lancedb/lancedb`, both in one process on one core. LanceDB takes objects, as we do, or
 *   columns of its own, made beforehand. It never syncs a file to the disk; its like is our 'relaxed'.
 * - `peer`: the same queries as LanceDB's with an HNSW-SQ index answers them, at `--peer-count` rows (50,000)
 *   without a filter and with one that admits a third; one process on one core.
 * - `churn`: ten rounds of deleting and adding again 20 %, against a store that was filled once.
 * - `reopen`: from making the client to the first answer, in a new process each time; the answer is checked.
 * - `load`: queries to an idle store and while as many records again are added, and how long the caller's
 *   event loop stood still.
 * - `filling`: the same while all records come to an empty store, beside the idle store that it becomes; also
 *   from the 32,768th record on, where cells begin.
 * - `memory`: resident memory of a process that holds the collection and has answered queries, less that of
 *   one that has loaded the same modules, relative to the floats; by default and with a compact budget; right
 *   after the queries, and at rest, when nothing was called for 25 s.
 *
 * `reach` is what is to be reached; where two sides are compared, `ratio` is ours to theirs. Records that are
 * added under load are noise around those of the set (dataset.mjs). The peer is installed in bench/peers.
 */
import { cpSync } from 'node:fs';
import path from 'node:path';
import { seededNumbers } from '../dist/base/index.js';
import { PersistentClient } from '../dist/index.js';
import { exactThresholds, QUERY_COUNT, readDataset } from './dataset.mjs';
import { directoryBytes, inChild, median, quantile, tell, timeInTurns, withDirectory } from './measure.mjs';
import { ask, BATCH, fill, K, openCollection, recallOf, recordsOf, withCollection } from './store.mjs';

export const title = 'A collection in process, end to end';

const TASKS = new URL('./collection-tasks.mjs', import.meta.url).href;
const TURN = 250;
const TURNS = 12;
const CALLERS = 8;
const SEED = 7;
const RECALL_QUERIES = 500;
const CORE = 1;

/** Queries of one turn, by some callers at once. */
async function askTurn(collection, query, turn, callers = 1) {
  const first = ((turn + 2) * TURN) % QUERY_COUNT;
  let next = 0;
  const caller = async () => {
    for (let i = next++; i < TURN; i = next++) await ask(collection, query(first + i));
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

const toRates = (times) => times.map((ms) => (1000 * TURN) / ms);

async function measureQueries({ store, dataset, truth }) {
  const reaches = new Map([
    ['0/1', '≥ 3,000'],
    ['1/1', '≥ 2,000'],
  ]);
  const clients = [0, 1, 2].map((threads) => ({
    threads,
    client: new PersistentClient({ path: store, threads }),
  }));
  try {
    const sides = [];
    for (const { threads, client } of clients) {
      const collection = await openCollection(client);
      await collection.settle();
      const { recall } = await recallOf(collection, dataset, truth);
      const callers = threads === 0 ? [1] : [1, CALLERS];
      sides.push(...callers.map((count) => ({ threads, collection, recall, callers: count })));
    }
    const works = sides.map(
      ({ collection, callers }) =>
        (turn) =>
          askTurn(collection, dataset.query, turn, callers),
    );
    const rates = toRates(await timeInTurns(works, TURNS, 2));
    const rows = sides.map(({ threads, callers, recall }, i) => ({
      measure: `queries/s, threads: ${threads}, ${callers} at once`,
      value: rates[i],
      recall,
      reach: reaches.get(`${threads}/${callers}`),
    }));
    return [...rows, ...(await explainQueries(sides[0].collection, dataset, 1000 / rates[0]))];
  } finally {
    for (const { client } of clients) await client.close();
  }
}

/** Where the time of an inline query goes, as its plan tells; medians. */
async function explainQueries(collection, dataset, whole) {
  const plans = [];
  for (let i = 0; i < RECALL_QUERIES; i++) {
    const result = await collection.query({
      queryEmbeddings: [dataset.query(i)],
      nResults: K,
      explain: true,
    });
    plans.push(result.plans[0]);
  }
  const parts = {
    followMs: 'following',
    filterMs: 'filter',
    searchMs: 'search',
    hydrateMs: 'reading records',
  };
  const rows = Object.entries(parts).map(([member, name]) => ({
    measure: `of an inline query, ms: ${name}`,
    value: median(plans.map(({ timings }) => timings[member])),
  }));
  const known = rows.reduce((sum, { value }) => sum + value, 0);
  const rest = { measure: 'of an inline query, ms: client, checks, results', value: whole - known };
  const counts = ['cellsVisited', 'estimatedCount', 'candidateCount', 'rerankedCount', 'readCount'];
  return [
    ...rows,
    rest,
    ...counts.map((member) => ({
      measure: `of an inline query: ${member}`,
      value: median(plans.map((plan) => plan[member])),
    })),
  ];
}

async function measureIngest({ count }) {
  const sides = await inChild(TASKS, 'ingest', { count }, { core: CORE });
  const beside = sides.find(({ name }) => name === 'LanceDB, objects').rate;
  return sides.map(({ name, rate }) => {
    const isDurable = /^tessera, threads: .$/.test(name);
    const row = { measure: `ingest, records/s, ${name}`, value: rate };
    return name.startsWith('LanceDB')
      ? row
      : { ...row, beside, ratio: rate / beside, reach: isDurable ? '≥ 2' : undefined };
  });
}

async function measurePeer({ peerCount }) {
  const found = await inChild(TASKS, 'queryPeer', { count: peerCount }, { core: CORE });
  return found.flatMap(({ name, own, peer, width }) => [
    { measure: `queries/s at ${peerCount}, ${name}, tessera`, value: own.rate, recall: own.recall },
    {
      measure: `queries/s at ${peerCount}, ${name}, LanceDB, ef ${width}`,
      value: peer.rate,
      recall: peer.recall,
      ratio: own.rate / peer.rate,
    },
  ]);
}

/** Deletes and adds again a random fifth of the records, in batches. */
async function replaceFifth(collection, dataset, chance) {
  const rows = [...dataset.ids.keys()].filter(() => chance() < 0.2);
  for (let i = 0; i < rows.length; i += BATCH) {
    await collection.delete({ ids: rows.slice(i, i + BATCH).map((row) => dataset.ids[row]) });
  }
  for (let i = 0; i < rows.length; i += BATCH) {
    const batch = rows.slice(i, i + BATCH).map((row) => recordsOf(dataset, row, row + 1));
    await collection.add({
      ids: batch.flatMap(({ ids }) => ids),
      embeddings: batch.flatMap(({ embeddings }) => embeddings),
      documents: batch.flatMap(({ documents }) => documents),
      metadatas: batch.flatMap(({ metadatas }) => metadatas),
    });
  }
  return 2 * rows.length;
}

async function measureChurn({ store, directory, dataset, truth }) {
  const worn = path.join(directory, 'worn');
  cpSync(store, worn, { recursive: true });
  const chance = seededNumbers(SEED);
  let changes = 0;
  const start = performance.now();
  await withCollection({ path: worn }, async (collection) => {
    for (let round = 0; round < 10; round++) changes += await replaceFifth(collection, dataset, chance);
    await collection.settle();
  });
  const perSecond = (1000 * changes) / (performance.now() - start);
  tell('churn: ten rounds done');
  const [freshBytes, wornBytes] = [store, worn].map(directoryBytes);
  return withCollection({ path: store, threads: 0 }, (fresh) =>
    withCollection({ path: worn, threads: 0 }, async (old) => {
      const { recall, shortCount } = await recallOf(old, dataset, truth);
      const works = [fresh, old].map((collection) => (turn) => askTurn(collection, dataset.query, turn));
      const rates = toRates(await timeInTurns(works, TURNS, 2));
      return [
        { measure: 'churn: changes/s, settled', value: perSecond },
        {
          measure: 'churn: MB on disk, beside those of the fresh store',
          value: wornBytes / 1e6,
          beside: freshBytes / 1e6,
          ratio: wornBytes / freshBytes,
          reach: '≤ 1.3',
        },
        {
          measure: 'churn: queries/s, beside those of the fresh store',
          value: rates[1],
          beside: rates[0],
          recall,
          ratio: rates[1] / rates[0],
          reach: '≥ 0.85, recall ≥ 0.99',
        },
        { measure: 'churn: answers with fewer than k', value: shortCount, reach: '0' },
      ];
    }),
  );
}

async function measureReopening({ store, dataset, truth }) {
  const times = [];
  let rightCount = 0;
  for (let i = 0; i < 5; i++) {
    const { ms, ids } = await inChild(TASKS, 'reopen', { path: store, query: i });
    const rows = new Set(ids.map((id) => dataset.ids.indexOf(id)));
    const similarity = (row) =>
      dataset.embedding(row).reduce((sum, x, j) => sum + x * dataset.query(i)[j], 0);
    const hits = [...rows].filter((row) => similarity(row) / dataset.norms[row] >= truth[i].threshold - 1e-6);
    if (hits.length >= truth[i].count - 1) rightCount++;
    times.push(ms);
  }
  const right = `${rightCount} of 5 answers right (9 of the 10 nearest at least)`;
  return [
    { measure: 'reopen to first answer, ms, median of 5', value: median(times), reach: '≤ 150' },
    { measure: `reopen: ${right}`, value: Math.max(...times), reach: 'the slowest, ms' },
  ];
}

async function measureLoad({ store, directory, count, threads }) {
  const copy = path.join(directory, 'loaded');
  cpSync(store, copy, { recursive: true });
  const found = await inChild(TASKS, 'load', { path: copy, count, threads }, { flags: ['--expose-gc'] });
  const { idle, busy, after, rate, stall, stallP999, settleMs } = found;
  const ratio = quantile(busy, 0.99) / quantile(idle, 0.99);
  const at = `threads: ${threads}`;
  return [
    { measure: `load: idle, p50 ms, ${at}`, value: quantile(idle, 0.5) },
    { measure: `load: idle, p99 ms, ${at}`, value: quantile(idle, 0.99) },
    {
      measure: `load: while adding, p50 ms, ${at}`,
      value: quantile(busy, 0.5),
      ratio: quantile(busy, 0.5) / quantile(idle, 0.5),
    },
    { measure: `load: while adding, p99 ms, ${at}`, value: quantile(busy, 0.99), ratio, reach: '≤ 3' },
    { measure: `load: idle again at twice the size, p99 ms, ${at}`, value: quantile(after, 0.99) },
    { measure: 'load: longest stall of the event loop, ms', value: stall, reach: '≤ 20' },
    { measure: 'load: stall that one turn in 1,000 exceeds, ms', value: stallP999 },
    { measure: 'load: records/s added meanwhile', value: rate },
    { measure: 'load: settled after, ms', value: settleMs },
  ];
}

/** Records from which on a collection has cells. */
const CELLS_FROM = 32_768;

async function measureFilling({ directory, count, threads }) {
  const task = { path: path.join(directory, 'filling'), count, threads };
  const found = await inChild(TASKS, 'fillUnderQueries', task, { flags: ['--expose-gc'] });
  const { busy, after, rate, settleMs } = found;
  const idle = quantile(after, 0.99);
  const at = `threads: ${threads}`;
  const rowsOf = (name, times) =>
    [0.5, 0.99, 1].map((share) => {
      const value = quantile(times, share);
      const which = share === 1 ? 'slowest' : `p${100 * share}`;
      return {
        measure: `${name}, ${which} ms, ${at}`,
        value,
        ...(share === 0.99 && { ratio: value / idle }),
      };
    });
  const late = busy.filter(({ added }) => added >= CELLS_FROM);
  return [
    { measure: `filling: idle afterwards, p99 ms, ${at}`, value: idle },
    ...rowsOf(
      'filling: from the first record on',
      busy.map(({ ms }) => ms),
    ),
    ...rowsOf(
      'filling: since cells began',
      late.map(({ ms }) => ms),
    ),
    { measure: 'filling: queries answered meanwhile', value: busy.length },
    { measure: 'filling: records/s added meanwhile', value: rate },
    { measure: 'filling: settled after, ms', value: settleMs },
  ];
}

async function measureMemory({ store, count, compact }) {
  const floats = count * 512 * 4;
  const flags = ['--expose-gc'];
  const empty = await inChild(TASKS, 'restMemory', {}, { flags });
  const rows = [{ measure: 'memory: Node with modules and queries loaded, MB', value: empty.resident / 1e6 }];
  const budgets = [
    ['default budget', undefined, '≤ 1.3'],
    ['compact budget', compact ?? Math.floor(floats / 8), '≤ 0.125'],
  ];
  for (const [name, memory, reach] of budgets) {
    const found = await inChild(TASKS, 'holdMemory', { path: store, memory }, { flags });
    const beyond = (measure, moment) => {
      const bytes = found[moment] - empty[moment];
      return { measure, value: bytes / 1e6, beside: floats / 1e6, ratio: bytes / floats, reach };
    };
    rows.push(
      beyond(`memory: beyond Node's own, MB, ${name}, beside the floats`, 'resident'),
      beyond(`memory: the same at rest, MB, ${name}`, 'atRest'),
      { measure: `memory: queries/s, ${name}`, value: found.rate },
      { measure: `memory: MB that stats() tells, ${name}`, value: found.stats.memory.used / 1e6 },
    );
  }
  return rows;
}

const PARTS = {
  queries: measureQueries,
  ingest: measureIngest,
  peer: measurePeer,
  churn: measureChurn,
  reopen: measureReopening,
  load: measureLoad,
  filling: measureFilling,
  memory: measureMemory,
};

/** Parts that fill stores of their own. */
const STORELESS = ['ingest', 'peer', 'filling'];

/** Runs the parts that were asked for, all unless `only` names some. */
export async function run(options = {}) {
  const count = Number(options.count ?? 100_000);
  const wanted = options.only?.split(',') ?? Object.keys(PARTS);
  const dataset = readDataset(count, QUERY_COUNT);
  const truth = exactThresholds(dataset, RECALL_QUERIES, K);
  return withDirectory(async (directory) => {
    const store = path.join(directory, 'store');
    const needsStore = wanted.some((name) => !STORELESS.includes(name));
    if (needsStore) {
      await withCollection({ path: store }, (collection) => fill(collection, dataset));
      tell(`${count} records stored`);
    }
    const { compact, threads = 2 } = options;
    const peerCount = Math.min(count, Number(options['peer-count'] ?? 50_000));
    const context = { store, directory, dataset, truth, count, compact, threads: Number(threads), peerCount };
    const rows = [];
    for (const name of wanted) {
      rows.push(...(await PARTS[name](context)));
      tell(`${name} measured`);
    }
    if (!needsStore) return { rows };
    return { rows, notes: [`The store takes ${(directoryBytes(store) / 1e6).toFixed(1)} MB on disk.`] };
  });
}
