/**
 * Where the time of one query over HTTP goes, and what of it no program could save.
 *
 *   TESSERA_BENCH_DATA=DIR npm run bench -- query-time [--count 50000] [--json FILE]
 *
 * One caller asks the same queries, with documents, metadata and distances, of five: a bare `node:http`
 * server in a process of its own that reads the body and sends a ready answer of the same length; Tessera's
 * server; a client with one worker thread; an inline client; and an inline client with `explain`. They take
 * turns of 100 queries, and all open the same directory. What lies between two of them, medians of the turns,
 * is what the one does more than the other.
 *
 * For the limits of the machine: JSON is parsed and written by itself, and the bytes that the plan says were
 * looked at are divided by what the memory delivers to a copy.
 */
import http from 'node:http';
import { PersistentClient } from '../dist/index.js';
import { startBare } from './bare-server.mjs';
import { readDataset } from './dataset.mjs';
import { Connection, encode, SCOPE, startTessera } from './http-server.mjs';
import { median, now, tell, timeInTurns, withDirectory } from './measure.mjs';
import { ask, fill, K, NAME, openCollection, withCollection } from './store.mjs';

export const title = 'Where the time of a query goes';

const TURN = 100;
const TURNS = 10;
const COPIED = 256 * 2 ** 20;

/** Sends a body and reads the answer without parsing it. */
function exchange(agent, port, path, body) {
  const headers = { 'content-type': 'application/json', 'content-length': body.length };
  return new Promise((resolve, reject) => {
    const options = { hostname: '127.0.0.1', port, path, method: 'POST', agent, headers };
    const request = http.request(options, (response) => {
      let length = 0;
      response.on('data', (chunk) => {
        length += chunk.length;
      });
      response.on('end', () => resolve(length));
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Milliseconds a query of each side, and the plans that were told on the way. */
async function compareSides(server, directory, dataset) {
  const connection = new Connection(server.base);
  const { id } = await connection.request('GET', `${SCOPE}/collections/${NAME}`);
  connection.close();
  const include = ['documents', 'metadatas', 'distances'];
  const bodies = Array.from({ length: TURN }, (_, i) =>
    encode({ query_embeddings: [Array.from(dataset.query(i))], n_results: K, include }),
  );
  const target = `${SCOPE}/collections/${id}/query`;
  const serverPort = Number(new URL(server.base).port);
  const agent = new http.Agent({ keepAlive: true });
  const bare = await startBare(await exchange(agent, serverPort, target, bodies[0]));
  const inline = new PersistentClient({ path: directory, threads: 0 });
  const threaded = new PersistentClient({ path: directory, threads: 1 });
  try {
    const [own, worker] = [await openCollection(inline), await openCollection(threaded)];
    for (const collection of [own, worker]) await collection.settle();
    const plans = [];
    const turn = (one) => async () => {
      for (let i = 0; i < TURN; i++) await one(i);
    };
    const works = [
      turn((i) => exchange(agent, bare.port, target, bodies[i])),
      turn((i) => exchange(agent, serverPort, target, bodies[i])),
      turn((i) => ask(worker, dataset.query(i))),
      turn((i) => ask(own, dataset.query(i))),
      turn(async (i) => {
        const request = { queryEmbeddings: [dataset.query(i)], nResults: K, explain: true };
        plans.push((await own.query(request)).plans[0]);
      }),
    ];
    const times = (await timeInTurns(works, TURNS, 2)).map((ms) => ms / TURN);
    return {
      times,
      plans,
      body: bodies[0],
      answer: await own.query({ queryEmbeddings: [dataset.query(0)] }),
    };
  } finally {
    agent.destroy();
    bare.stop();
    await inline.close();
    await threaded.close();
  }
}

/** Milliseconds of `work`, the median of many. */
function timeOf(work, count = 500) {
  const times = [];
  for (let i = 0; i < count; i++) {
    const start = now();
    work();
    times.push(now() - start);
  }
  return median(times);
}

/** Bytes a millisecond that a copy of a large buffer reads. */
function memoryRate() {
  const [source, copy] = [Buffer.alloc(COPIED, 1), Buffer.alloc(COPIED, 2)];
  return COPIED / timeOf(() => source.copy(copy), 9);
}

/** Bytes that a search had to look at: codes of one bit or of eight, codes ranked, floats. */
function bytesOf(plan, dimension) {
  const estimated = plan.estimatedCount * (plan.kind === 'exact' ? dimension : dimension / 8);
  const ranked = plan.kind === 'exact' ? 0 : plan.candidateCount * dimension;
  return estimated + ranked + plan.rerankedCount * dimension * 4;
}

/** One row a part. */
export async function run(options = {}) {
  const dataset = readDataset(Number(options.count ?? 50_000), TURN);
  return withDirectory(async (directory) => {
    await withCollection({ path: directory }, (collection) => fill(collection, dataset));
    tell('stored');
    const server = await startTessera(directory);
    let found;
    try {
      found = await compareSides(server, directory, dataset);
    } finally {
      await server.stop();
    }
    const { times, plans, body, answer } = found;
    const [bare, whole, worker, inline] = times;
    const text = body.toString();
    const timing = (member) => median(plans.map(({ timings }) => timings[member]));
    const engine = ['followMs', 'filterMs', 'searchMs', 'hydrateMs'].map(timing);
    const bytes = median(plans.map((plan) => bytesOf(plan, dataset.query(0).length)));
    const json = timeOf(() => JSON.parse(text)) + timeOf(() => JSON.stringify(answer));
    const parts = [
      ['client and bare node:http, there and back', bare],
      ['framework, reading JSON, checking, writing the answer', whole - bare - worker],
      ['to the worker thread and back', worker - inline],
      ['client object, checks, columns to results', inline - engine.reduce((sum, ms) => sum + ms, 0)],
      ['indexes follow the changes', engine[0]],
      ['filter', engine[1]],
      ['search', engine[2]],
      ['reading ten records, with their checksums', engine[3]],
      ['in all, over HTTP', whole],
      ['limit: parsing and writing the JSON alone', json],
      [`limit: ${(bytes / 1e6).toFixed(2)} MB looked at, as fast as memory is copied`, bytes / memoryRate()],
    ];
    return {
      rows: parts.map(([part, ms]) => ({ part, ms, share: ms / whole })),
      notes: ['“search” is to be compared with the limit of memory, the framework with that of JSON.'],
    };
  });
}
