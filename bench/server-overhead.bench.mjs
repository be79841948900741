/**
 * What the server costs over the same call in process: a query with documents over HTTP, split into its
 * parts, and what keys add.
 *
 *   TESSERA_BENCH_DATA=DIR npm run bench -- server-overhead [--count 50000] [--json FILE]
 *
 * The client is one socket that writes requests that are ready and looks for the end of the answer, so that
 * what is measured is the server. Four processes take turns of 100 queries each: a bare `node:http` server
 * that reads the body and sends a ready answer of the same length, Tessera's server without keys, the same
 * with a key, and this one, which makes the call in process (`Backend.query` on threads, as the server makes
 * it). Medians of all queries.
 *
 * The call in process is made after an answer of the bare server has come, and timed from there: a program
 * that calls again and again without a pause finds its threads awake, and one that serves does not.
 *
 * JSON in and out, and everything that the server does beside, are timed by themselves: the server's function
 * from a request to a reply, over a backend that answers at once with what the real one found.
 */
import { connect } from 'node:net';
import { packEmbeddings } from '../dist/api/index.js';
import { parseJson } from '../dist/base/index.js';
import { formatNeighbours } from '../dist/server/v2/columns.js';
import {
  Authenticator,
  createServer,
  hashKey,
  makeKey,
  openDatabase,
  parseGrantLines,
} from '../dist/server.js';
import { startBare } from './bare-server.mjs';
import { readDataset } from './dataset.mjs';
import { Connection, encode, SCOPE, startTessera } from './http-server.mjs';
import { median, now, tell, withDirectory } from './measure.mjs';
import { fill, K, NAME, withCollection } from './store.mjs';

export const title = 'What the server costs over the call in process';

const TURN = 100;
const TURNS = 40;
const WARM_TURNS = 5;
/** Where the call in process stands among what takes turns; the bare server is the first. */
const ENGINE_SIDE = 3;
const INCLUDE = ['documents', 'metadatas', 'distances'];

/** A socket that sends requests that are ready, and resolves with the answer's body. */
class RawClient {
  #socket;
  #received = Buffer.alloc(0);
  #resolve = () => {};

  constructor(port) {
    this.#socket = connect(port, '127.0.0.1').setNoDelay(true);
    this.#socket.on('data', (chunk) => this.#take(chunk));
  }

  send(request) {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#socket.write(request);
    });
  }

  close() {
    this.#socket.destroy();
  }

  #take(chunk) {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#received.latin1Slice(0, end);
    if (!head.startsWith('HTTP/1.1 200')) throw new Error(head);
    const length = end + 4 + Number(/content-length: (\d+)/i.exec(head)[1]);
    if (this.#received.length < length) return;
    const body = this.#received.subarray(end + 4, length);
    this.#received = this.#received.subarray(length);
    this.#resolve(body);
  }
}

function requestOf(path, body, key) {
  const lines = [`POST ${path} HTTP/1.1`, 'host: 127.0.0.1', 'content-type: application/json'];
  if (key !== null) lines.push(`authorization: Bearer ${key}`);
  lines.push(`content-length: ${body.length}`);
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body]);
}

/** Microseconds of each side's queries, which take turns; medians. */
async function takeTurns(works) {
  const times = works.map(() => []);
  for (let turn = 0; turn < WARM_TURNS + TURNS; turn++) {
    for (const [side, work] of works.entries()) {
      for (let i = 0; i < TURN; i++) {
        if (side === ENGINE_SIDE) await works[0](i);
        const start = now();
        await work(i);
        if (turn >= WARM_TURNS) times[side].push((now() - start) * 1_000);
      }
    }
  }
  return times.map(median);
}

/** A request without a socket, as the server's function reads it. */
function incomingOf(path, body, key = null) {
  const headers = { 'content-type': 'application/json', 'content-length': String(body.length) };
  if (key !== null) headers.authorization = `Bearer ${key}`;
  return {
    ...{ method: 'POST', target: path, remote: null, header: (name) => headers[name] ?? null },
    async readBody(take) {
      take(body.length);
      return body;
    },
    onGone() {},
  };
}

/** Everything that takes turns, over a directory that is filled. */
async function measureSides(directory, dataset, key) {
  const backend = await openDatabase({ path: directory });
  const line = `bench ${hashKey(key)} tenant=default_tenant access=read`;
  const servers = [
    await startTessera(directory),
    await startTessera(directory, {
      TESSERA_KEYS: `bench ${hashKey(key)} tenant=default_tenant access=read`,
    }),
  ];
  const connection = new Connection(servers[0].base);
  const { id } = await connection.request('GET', `${SCOPE}/collections/${NAME}`);
  connection.close();
  const path = `${SCOPE}/collections/${id}/query`;
  const bodies = Array.from({ length: TURN }, (_, i) =>
    encode({ query_embeddings: [Array.from(dataset.query(i))], n_results: K, include: INCLUDE }),
  );
  const scope = { tenant: 'default_tenant', database: 'default_database', collectionId: id };
  await backend.settle(scope);
  const requests = bodies.map((body) => ({
    ...{ ids: null, where: null, whereDocument: null, recall: null, explain: false },
    ...{ nResults: K, include: INCLUDE },
    embeddings: packEmbeddings(JSON.parse(body.toString()).query_embeddings, {
      field: 'x',
      allowNull: false,
    }),
  }));
  const found = await backend.query(scope, requests[0]);
  const instant = new Proxy(backend, {
    get: (target, name) => (name === 'query' ? async () => found : Reflect.get(target, name)),
  });
  const server = createServer(instant);
  const access = new Authenticator();
  access.replace(parseGrantLines(line, 'bench'));
  const keyed = createServer(instant, { access });
  const [plain, guarded] = servers.map(({ base }) => new RawClient(Number(new URL(base).port)));
  const sent = [null, key].map((secret) => bodies.map((body) => requestOf(path, body, secret)));
  const bare = await startBare((await plain.send(sent[0][0])).length);
  const naked = new RawClient(bare.port);
  const texts = bodies.map(String);
  try {
    return await takeTurns([
      (i) => naked.send(sent[0][i]),
      (i) => plain.send(sent[0][i]),
      (i) => guarded.send(sent[1][i]),
      (i) => backend.query(scope, requests[i]),
      (i) => server.handle(incomingOf(path, bodies[i])),
      (i) => packEmbeddings(parseJson(texts[i]).query_embeddings, { field: 'x', allowNull: false }),
      () => formatNeighbours(found, INCLUDE, false),
      (i) => keyed.handle(incomingOf(path, bodies[i], key)),
    ]);
  } finally {
    for (const client of [plain, guarded, naked]) client.close();
    bare.stop();
    for (const { stop } of servers) await stop();
    await backend.close();
  }
}

/** One row a part. */
export async function run(options = {}) {
  const dataset = readDataset(Number(options.count ?? 50_000), TURN);
  return withDirectory(async (directory) => {
    await withCollection({ path: directory }, (collection) => fill(collection, dataset));
    tell('stored');
    const times = await measureSides(directory, dataset, makeKey());
    const [bare, whole, withKey, engine, handled, jsonIn, jsonOut, handledWithKey] = times;
    const parts = [
      ['HTTP: bare node:http, there and back, with these lengths', bare],
      ['JSON in: parsed, packed', jsonIn],
      ['engine: the call in process, on threads that have slept', engine],
      ['JSON out', jsonOut],
      ['routing, limits, checks, log', handled - jsonIn - jsonOut],
      ['what is left: waiting for a core, mostly', whole - bare - engine - handled],
      ['in all', whole],
      ['in all, without the engine', whole - engine],
      ['what a key adds to the work of the server', handledWithKey - handled],
      ['in all, with a key', withKey],
    ];
    return {
      rows: parts.map(([part, us]) => ({ part, µs: Math.round(us * 10) / 10, 'share of all': us / whole })),
      notes: [
        `HTTP, JSON and the server's own work: ${Math.round(bare + handled)} µs. What a key adds to that work is ` +
          `${(((handledWithKey - handled) / whole) * 100).toFixed(1)} % of a query.`,
      ],
    };
  });
}
