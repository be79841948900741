/**
 * What the HTTP layer costs by itself: Hono with @hono/node-server against bare `node:http`, in requests a
 * second and in processor time of the server for one request.
 *
 * Each contestant is a process of its own. Rounds are interleaved (one short run of each contestant, again
 * and again), so that a disturbance of the machine hits all alike, and the medians over the rounds are
 * reported. The client is eight sockets that speak just enough HTTP/1.1; it costs less than the cheapest
 * server, so that the server is what is measured. Processor time is read by the server itself
 * (`process.cpuUsage`), which a busy neighbour core disturbs least.
 */
import { fork } from 'node:child_process';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';

export const title = 'HTTP layer: hono + node-server against node:http';

const CONTESTANTS = [
  'node:http',
  'hono + node-server',
  'hono + node-server, globals replaced',
  'hono + thin adapter',
];
const ROUNDS = 7;
const ROUND_MS = 700;
const SOCKETS = 8;

const SMALL = '{"ok":true,"count":1}';
const LARGE = JSON.stringify({
  ids: Array.from({ length: 10 }, (_, i) => `id${i}`),
  documents: 'x'.repeat(5_900),
});
const QUERY = JSON.stringify({
  query_embeddings: [Array.from({ length: 512 }, (_, i) => Math.fround(Math.sin(i)))],
});

const CASES = [
  { name: '20 B answer', method: 'GET', path: '/small', body: '' },
  { name: '6 KB answer', method: 'GET', path: '/large', body: '' },
  { name: '10 KB body, 6 KB answer', method: 'POST', path: '/query', body: QUERY },
];

/** The answers of every contestant, as a Hono application. */
async function honoApplication() {
  const { Hono } = await import('hono');
  const headers = { 'content-type': 'application/json', 'chroma-trace-id': '0'.repeat(32) };
  const application = new Hono();
  application.get('/small', () => new Response(SMALL, { headers }));
  application.get('/large', () => new Response(LARGE, { headers }));
  application.post('/query', async (context) => {
    await context.req.raw.text();
    return new Response(LARGE, { headers });
  });
  return application;
}

/** The same answers by `node:http` alone. */
function bareListener(request, response) {
  const answer = (text) => {
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      'chroma-trace-id': '0'.repeat(32),
    });
    response.end(text);
  };
  if (request.method === 'GET') return answer(request.url === '/small' ? SMALL : LARGE);
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    Buffer.concat(chunks).toString();
    answer(LARGE);
  });
}

/** Feeds a fetch handler from `node:http` with the platform's own `Request` and `Response`. */
function thinListener(fetch) {
  return async (incoming, outgoing) => {
    const hasBody = incoming.method !== 'GET' && incoming.method !== 'HEAD';
    let body;
    if (hasBody) {
      const chunks = [];
      for await (const chunk of incoming) chunks.push(chunk);
      body = Buffer.concat(chunks);
    }
    const request = new Request(`http://${incoming.headers.host}${incoming.url}`, {
      method: incoming.method,
      headers: incoming.headers,
      body,
    });
    const response = await fetch(request);
    const bytes = Buffer.from(await response.arrayBuffer());
    outgoing.writeHead(response.status, {
      ...Object.fromEntries(response.headers),
      'content-length': bytes.length,
    });
    outgoing.end(bytes);
  };
}

async function serveContestant(name) {
  let listener = bareListener;
  if (name !== 'node:http') {
    const { getRequestListener } = await import('@hono/node-server');
    const { fetch } = await honoApplication();
    const overrideGlobalObjects = name.endsWith('globals replaced');
    listener = name.endsWith('thin adapter')
      ? thinListener(fetch)
      : getRequestListener(fetch, { overrideGlobalObjects });
  }
  const server = createServer(listener);
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
  process.on('message', () => process.send({ cpu: process.cpuUsage() }));
  process.on('disconnect', () => process.exit(0));
}

/** Sends one request after another on a socket until the time is over; resolves to how many were answered. */
function hammer(port, request, endsAt) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    let count = 0;
    let pending = Buffer.alloc(0);
    let expected = -1;
    socket.on('error', reject);
    socket.on('connect', () => socket.write(request));
    socket.on('data', (chunk) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      if (expected < 0) {
        const headEnd = pending.indexOf('\r\n\r\n');
        if (headEnd < 0) return;
        const length = /content-length: (\d+)/i.exec(pending.latin1Slice(0, headEnd));
        expected = headEnd + 4 + Number(length[1]);
      }
      if (pending.length < expected) return;
      pending = pending.subarray(expected);
      expected = -1;
      count++;
      if (performance.now() < endsAt) return socket.write(request);
      socket.end();
      resolve(count);
    });
  });
}

const nextMessage = (child) => new Promise((resolve) => child.once('message', resolve));

async function cpuOf(child) {
  const answer = nextMessage(child);
  child.send('cpu');
  const { cpu } = await answer;
  return cpu.user + cpu.system;
}

async function measure(child, port, testCase, ms) {
  const { method, path, body } = testCase;
  const length =
    body === '' ? '' : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
  const request = Buffer.from(`${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${length}\r\n${body}`);
  const cpuBefore = await cpuOf(child);
  const began = performance.now();
  const counts = await Promise.all(Array.from({ length: SOCKETS }, () => hammer(port, request, began + ms)));
  const count = counts.reduce((sum, n) => sum + n, 0);
  const seconds = (performance.now() - began) / 1000;
  return { perSecond: count / seconds, cpuUs: ((await cpuOf(child)) - cpuBefore) / count };
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** Runs the comparison; one row for each contestant and case. */
export async function run() {
  const servers = [];
  for (const name of CONTESTANTS) {
    const child = fork(fileURLToPath(import.meta.url), ['--serve', name]);
    servers.push({ name, child, port: (await nextMessage(child)).port });
  }
  const rows = [];
  for (const testCase of CASES) {
    const results = new Map(CONTESTANTS.map((name) => [name, []]));
    for (const { child, port } of servers) await measure(child, port, testCase, ROUND_MS);
    for (let round = 0; round < ROUNDS; round++) {
      for (const { name, child, port } of servers)
        results.get(name).push(await measure(child, port, testCase, ROUND_MS));
    }
    const bareUs = median(results.get('node:http').map((result) => result.cpuUs));
    for (const name of CONTESTANTS) {
      const cpuUs = median(results.get(name).map((result) => result.cpuUs));
      rows.push({
        case: testCase.name,
        server: name,
        'requests/s': Math.round(median(results.get(name).map((result) => result.perSecond))),
        'server CPU µs/request': Math.round(cpuUs),
        'over node:http µs': Math.round(cpuUs - bareUs),
      });
    }
  }
  for (const { child } of servers) child.disconnect();
  return { rows };
}

if (process.argv[2] === '--serve') await serveContestant(process.argv[3]);
