/**
 * Tessera's server from end to end, over HTTP, on real texts; and, with `--peer URL`, another server of the
 * same protocol measured in the same run, one after the other.
 *
 *   TESSERA_BENCH_DATA=DIR npm run bench -- http [--count 20000] [--peer http://localhost:8000]
 *                                                [--peer-pid PID] [--peer-dir DIR] [--json FILE]
 *
 * The client is one keep-alive agent of `node:http`, and it is a part of what is measured: on two cores it
 * competes with the server. Bodies are made before the clock starts. Recall is against the exact answer,
 * computed here in double precision; a row that is as near as the k-th counts as found.
 */
import { spawn } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { exactThresholds, readDataset, similarity } from './dataset.mjs';

export const title = 'HTTP server, end to end';

const QUERIES = 300;
const FILTERED_QUERIES = 100;
const K = 10;
const BATCH = 500;
const SCOPE = '/api/v2/tenants/default_tenant/databases/default_database';
const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

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

/** A connection to one server: sends bodies that are ready and returns parsed answers. */
class Connection {
  #agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  #base;

  constructor(base) {
    this.#base = new URL(base);
  }

  request(method, target, body) {
    const { hostname, port } = this.#base;
    const headers =
      body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length };
    return new Promise((resolve, reject) => {
      const options = { hostname, port, method, path: target, agent: this.#agent, headers };
      const request = http.request(options, (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          if (response.statusCode < 300) resolve(text === '' ? null : JSON.parse(text));
          else reject(new Error(`${method} ${target}: ${response.statusCode} ${text.slice(0, 300)}`));
        });
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  close() {
    this.#agent.destroy();
  }
}

const encode = (value) => Buffer.from(JSON.stringify(value));
const quantile = (values, q) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))];

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

/** The share of the exact answers that were given. */
function recallOf(dataset, rowOf, thresholds, answers) {
  let found = 0;
  let wanted = 0;
  answers.forEach((answer, i) => {
    const { threshold, count } = thresholds[i % thresholds.length];
    wanted += count;
    for (const id of answer.ids[0]) {
      if (similarity(dataset, rowOf.get(id), i % thresholds.length) >= threshold - 1e-6) found++;
    }
  });
  return wanted === 0 ? 1 : Math.min(1, found / wanted);
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
  const checks = await connection.request('GET', '/api/v2/pre-flight-checks');
  const toWire = (embedding) => {
    if (!checks.supports_base64_encoding) return Array.from(embedding);
    return Buffer.from(embedding.buffer, embedding.byteOffset, embedding.byteLength).toString('base64');
  };
  const latencies = [];
  for (let from = 0; from < dataset.ids.length; from += BATCH) {
    const slice = (values) => values.slice(from, from + BATCH);
    const body = encode({
      ids: slice(dataset.ids),
      embeddings: slice([...dataset.ids.keys()]).map((row) => toWire(dataset.embedding(row))),
      documents: slice(dataset.documents),
      metadatas: slice(dataset.metadatas),
    });
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

/** Measures one server; `truths` keeps the exact answers, which are the same for every server. */
async function measure(base, dataset, truths, footprint) {
  const connection = new Connection(base);
  const results = new Map();
  const add = (measure, value, better = 'more') => results.set(measure, { value, better });
  const rowOf = new Map(dataset.ids.map((id, row) => [id, row]));
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
    if (concurrency === 1) add(`${name}, recall@${K}`, recallOf(dataset, rowOf, truth, run.answers));
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
  for (const [name, value] of footprint()) add(name, value, 'less');
  connection.close();
  return results;
}

/** Resident memory of a process and allocated bytes of a directory, where they can be known. */
function footprintOf(pid, directory) {
  const rows = [];
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    rows.push(['resident memory, MB', Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024]);
  } catch {
    // Not Linux, or no process given: the row is left out.
  }
  if (directory !== undefined) {
    const entries = readdirSync(directory, { recursive: true }).map((name) =>
      lstatSync(path.join(directory, name)),
    );
    rows.push(['on disk, MB', entries.reduce((total, entry) => total + entry.blocks * 512, 0) / 1e6]);
  }
  return rows;
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Starts Tessera's server in a new directory. */
async function startTessera() {
  const directory = mkdtempSync(path.join(tmpdir(), 'tessera-bench-'));
  const port = await freePort();
  const child = spawn(process.execPath, [CLI, 'run', '--path', directory, '--port', String(port)], {
    stdio: 'inherit',
  });
  const base = `http://127.0.0.1:${port}`;
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(`${base}/api/v2/heartbeat`).catch(() => null);
    if (answer?.ok) break;
    if (attempt === 100 || child.exitCode !== null) throw new Error('The server did not start.');
    await sleep(100);
  }
  const stop = async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
  return { base, directory, pid: child.pid, stop };
}

/** Runs the comparison; one row for each measure. */
export async function run(options) {
  const dataset = readDataset(Number(options.count ?? 20_000), QUERIES);
  const truths = new Map();
  const server = await startTessera();
  let own;
  try {
    own = await measure(server.base, dataset, truths, () => footprintOf(server.pid, server.directory));
  } finally {
    await server.stop();
  }
  if (options.peer === undefined) {
    return { rows: [...own].map(([measure, { value }]) => ({ measure, tessera: value })) };
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
    };
  });
  return { rows, notes: ['“times better” is above 1 where Tessera is faster, smaller or more exact.'] };
}
