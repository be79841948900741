/**
 * Tessera's server from end to end, over HTTP, on real texts; and, with `--peer URL`, another server of the
 * same protocol measured in the same run, one after the other, by the same client.
 *
 *   TESSERA_BENCH_DATA=DIR npm run bench -- http [--count 50000] [--peer http://localhost:8000]
 *                                                [--peer-pid PID] [--peer-dir DIR] [--json FILE]
 *
 * The client is one keep-alive agent of `node:http`, and it is a part of what is measured: on two cores it
 * competes with the server. Bodies are made before the clock starts. Recall is against the exact answer,
 * computed here in double precision; a row that is as near as the k-th counts as found. Nothing waits for
 * indexes: queries come as soon as the last batch is acknowledged, once 50 have gone before. At the end
 * queries run while batches of 100 are upserted, each as soon as the one before it is done, and once more
 * after a tenth of the records was deleted.
 *
 * Where the time of a query goes is measured by `query-time`.
 */
import { exactThresholds, judge, readDataset } from './dataset.mjs';
import { Connection, encode, SCOPE, startTessera } from './http-server.mjs';
import { directoryBytes, processMemory, quantile, withDirectory } from './measure.mjs';
import { toRows } from './store.mjs';

export const title = 'HTTP server, end to end';

const QUERIES = 300;
const FILTERED_QUERIES = 100;
const K = 10;
const BATCH = 500;
const UPSERTED = 100;
const UPSERT_BODIES = 200;

const FILTERS = [
  ['source = debian', { source: 'debian' }, (m) => m.source === 'debian'],
  ['even = true (50 %)', { even: true }, (m) => m.even],
  ['section = noun.animal', { section: 'noun.animal' }, (m) => m.section === 'noun.animal'],
  ['bucket < 10 (1 %)', { bucket: { $lt: 10 } }, (m) => m.bucket < 10],
  ['bucket = 7 (0.1 %)', { bucket: 7 }, (m) => m.bucket === 7],
  ['priority = required', { priority: 'required' }, (m) => m.priority === 'required'],
  [
    'length > 80 and (section or section or section in)',
    {
      $and: [
        { length: { $gt: 80 } },
        {
          $or: [{ section: 'noun.artifact' }, { section: 'devel' }, { section: { $in: ['python', 'perl'] } }],
        },
      ],
    },
    (m) => m.length > 80 && ['noun.artifact', 'devel', 'python', 'perl'].includes(m.section),
  ],
];

/** Sends `count` requests made by `bodyOf`, `concurrency` at a time. Times are in milliseconds. */
async function drive(connection, target, bodyOf, count, concurrency = 1) {
  const bodies = Array.from({ length: count }, (_, i) => encode(bodyOf(i)));
  const latencies = [];
  const answers = new Array(count);
  let next = 0;
  const began = performance.now();
  const worker = async () => {
    for (let i = next++; i < count; i = next++) {
      const sent = performance.now();
      answers[i] = await connection.request('POST', target, bodies[i]);
      latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const ms = performance.now() - began;
  return {
    perSecond: (count / ms) * 1e3,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    answers,
  };
}

/** The share of the exact answers that were given; a query that was asked again counts once. */
function recallOf(dataset, thresholds, answers) {
  const rows = toRows(
    dataset,
    answers.slice(0, thresholds.length).map((answer) => answer.ids[0]),
  );
  return judge(dataset, thresholds, rows).recall;
}

/** Makes the bodies of writes, with embeddings in the form that the server says it reads best. */
async function bodyMaker(connection, dataset) {
  const checks = await connection.request('GET', '/api/v2/pre-flight-checks');
  const toWire = (embedding) => {
    if (!checks.supports_base64_encoding) return Array.from(embedding);
    return Buffer.from(embedding.buffer, embedding.byteOffset, embedding.byteLength).toString('base64');
  };
  return (from, count) => {
    const slice = (values) => values.slice(from, from + count);
    return encode({
      ids: slice(dataset.ids),
      embeddings: slice([...dataset.ids.keys()]).map((row) => toWire(dataset.embedding(row))),
      documents: slice(dataset.documents),
      metadatas: slice(dataset.metadatas),
    });
  };
}

/** Fills a new collection and returns its address with the rate. */
async function ingest(connection, dataset, add) {
  await connection.request('DELETE', `${SCOPE}/collections/bench`).catch(() => {});
  const space = { hnsw: { space: 'cosine' } };
  const created = await connection.request(
    'POST',
    `${SCOPE}/collections`,
    encode({ name: 'bench', configuration: space }),
  );
  const address = `${SCOPE}/collections/${created.id}`;
  const bodyOf = await bodyMaker(connection, dataset);
  const latencies = [];
  for (let from = 0; from < dataset.ids.length; from += BATCH) {
    const body = bodyOf(from, BATCH);
    const sent = performance.now();
    await connection.request('POST', `${address}/add`, body);
    latencies.push(performance.now() - sent);
  }
  const ms = latencies.reduce((total, each) => total + each, 0);
  add('ingest, records/s', (dataset.ids.length / ms) * 1e3);
  add(`ingest, batch of ${BATCH}, p50 ms`, quantile(latencies, 0.5), 'less');
  add(`ingest, batch of ${BATCH}, p99 ms`, quantile(latencies, 0.99), 'less');
  return address;
}

/** Reads by id and by filter. */
async function measureReads(connection, address, dataset, add) {
  const columns = ['documents', 'metadatas'];
  const idOf = (i) => dataset.ids[(i * 7_919) % dataset.ids.length];
  const byId = await drive(connection, `${address}/get`, (i) => ({ ids: [idOf(i)], include: columns }), 300);
  add('get by id, p50 ms', byId.p50, 'less');
  const where = { bucket: { $lt: 10 } };
  const byFilter = await drive(
    connection,
    `${address}/get`,
    () => ({ where, limit: 1_000, include: columns }),
    50,
  );
  add('get where (1 %), p50 ms', byFilter.p50, 'less');
}

/** Calls `ask` while one request after the other upserts a hundred records as they are. */
async function measureUnderUpserts(connection, address, dataset, add, ask) {
  const bodyOf = await bodyMaker(connection, dataset);
  const batchCount = Math.min(UPSERT_BODIES, Math.ceil(dataset.ids.length / UPSERTED));
  const bodies = Array.from({ length: batchCount }, (_, i) => bodyOf(i * UPSERTED, UPSERTED));
  let isAsking = true;
  let count = 0;
  let ms = 0;
  const writing = (async () => {
    while (isAsking) {
      const body = bodies[(count / UPSERTED) % batchCount];
      const sent = performance.now();
      await connection.request('POST', `${address}/upsert`, body);
      ms += performance.now() - sent;
      count += UPSERTED;
    }
  })();
  await ask();
  isAsking = false;
  await writing;
  add('upserts under queries, records/s', (count / ms) * 1e3);
}

async function deleteTenth(connection, address, dataset) {
  const gone = dataset.ids.filter((_, row) => row % 10 === 3);
  for (let from = 0; from < gone.length; from += BATCH) {
    await connection.request('POST', `${address}/delete`, encode({ ids: gone.slice(from, from + BATCH) }));
  }
}

/** Measures one server; `truths` keeps the exact answers, which are the same for every server. */
async function measure(base, dataset, truths, footprint) {
  const connection = new Connection(base);
  const results = new Map();
  const add = (measure, value, better = 'more') => results.set(measure, { value, better });
  const truthOf = (name, count, keep) => {
    if (!truths.has(name)) truths.set(name, exactThresholds(dataset, count, K, keep));
    return truths.get(name);
  };

  const address = await ingest(connection, dataset, add);
  const include = ['documents', 'metadatas', 'distances'];
  const ask = async (name, extra, count, concurrency, keep) => {
    const truth = truthOf(keep === undefined ? 'all' : name, Math.min(count, QUERIES), keep);
    const bodyOf = (i) => {
      const query_embeddings = [Array.from(dataset.query(i % truth.length))];
      return { query_embeddings, n_results: K, include, ...extra };
    };
    const run = await drive(connection, `${address}/query`, bodyOf, count, concurrency);
    add(`${name}, queries/s`, run.perSecond);
    add(`${name}, p50 ms`, run.p50, 'less');
    add(`${name}, p99 ms`, run.p99, 'less');
    if (concurrency === 1) add(`${name}, recall@${K}`, recallOf(dataset, truth, run.answers));
  };
  await drive(
    connection,
    `${address}/query`,
    () => ({ query_embeddings: [Array.from(dataset.query(0))] }),
    50,
  );
  await ask('query, 1 client', {}, QUERIES, 1);
  await ask('query, 8 clients', {}, QUERIES * 4, 8);
  for (const [name, where, matches] of FILTERS) {
    await ask(`where ${name}`, { where }, FILTERED_QUERIES, 1, (row) => matches(dataset.metadatas[row]));
  }
  const where_document = { $contains: 'water' };
  const hasWater = (row) => dataset.documents[row].includes('water');
  await ask("where_document $contains 'water'", { where_document }, FILTERED_QUERIES, 1, hasWater);

  await measureReads(connection, address, dataset, add);
  await measureUnderUpserts(connection, address, dataset, add, () => ask('query under upserts', {}, 200, 1));
  await deleteTenth(connection, address, dataset);
  await ask('query after deleting 10 %', {}, QUERIES, 1, (row) => row % 10 !== 3);
  for (const [name, value] of footprint()) add(name, value, 'less');
  connection.close();
  return results;
}

/** Resident memory of a process and bytes of a directory, where they can be known. */
function footprintOf(pid, directory) {
  const rows = [];
  const { resident } = pid === undefined ? {} : processMemory(pid);
  if (resident !== undefined) rows.push(['resident memory, MB', resident / 1e6]);
  if (directory !== undefined) rows.push(['on disk, MB', directoryBytes(directory) / 1e6]);
  return rows;
}

/** What is to be reached: how many times the peer's rate, or a recall. */
function reachOf(measure) {
  if (measure.includes('recall')) return 'recall ≥ 0.99';
  if (measure === 'ingest, records/s') return '≥ 10 ×';
  const [, name] = /^(.*), queries\/s$/.exec(measure) ?? [];
  if (name === undefined) return undefined;
  if (name === 'query under upserts') return '≥ 15 ×';
  if (name === 'query, 1 client') return '≥ 10 ×';
  if (name === 'query, 8 clients') return '≥ 12 ×';
  return name.startsWith('where ') ? '≥ 60 ×' : undefined;
}

/** Runs the comparison; one row for each measure. */
export async function run(options) {
  const dataset = readDataset(Number(options.count ?? 50_000), QUERIES);
  const truths = new Map();
  const own = await withDirectory(async (directory) => {
    const server = await startTessera(directory);
    try {
      return await measure(server.base, dataset, truths, () => footprintOf(server.pid, directory));
    } finally {
      await server.stop();
    }
  });
  if (options.peer === undefined) {
    return {
      rows: [...own].map(([measure, { value }]) => ({ measure, tessera: value, reach: reachOf(measure) })),
    };
  }
  const peer = await measure(options.peer, dataset, truths, () =>
    footprintOf(options['peer-pid'], options['peer-dir']),
  );
  const rows = [...own].map(([measure, { value, better }]) => {
    const other = peer.get(measure)?.value;
    const ratio = better === 'more' ? value / other : other / value;
    return {
      measure,
      tessera: value,
      peer: other,
      'times better': Number.isFinite(ratio) ? ratio : undefined,
      reach: reachOf(measure),
    };
  });
  return { rows, notes: ['“times better” is above 1 where Tessera is faster, smaller or more exact.'] };
}
