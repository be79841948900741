/**
 * Hostile requests: whatever comes, the server answers, and never with a fault of its own. What other
 * databases hold stays as it is, and memory comes back.
 *
 * Most are sent without a socket: mutated, or with something huge in them. A few come over a socket, as bytes
 * that need not be HTTP, from clients that never end, never read or go away.
 */
import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, onTestFinished, test } from 'vitest';
import { seededNumbers, seededRandom } from '../../src/base/index.ts';
import { listen } from '../../src/server/index.ts';
import { Harness } from '../server/harness.ts';
import { hugeBody } from '../server/mutation/huge.ts';
import { BODY_BYTES_MAX, type MutatedRequest, Mutator } from '../server/mutation/mutator.ts';
import { type RawRequest, rawRequest } from '../server/mutation/raw.ts';
import { type PlainRequest, plainRequests } from '../server/mutation/requests.ts';
import { openTestDatabase } from '../support/database.ts';
import { Rounds } from './rounds.ts';

/** Share of a soak's time that goes to requests without a socket; the rest is for those over one. */
const SHARE = 0.9;
/** Rounds on each Node in every run of the tests. After each everything begins anew. */
const rounds = new Rounds(12, 20_261_125, SHARE);
const REQUESTS_PER_ROUND = 1_000;
/** Share of requests with something huge in them: most take a hundred times as long as another. */
const HUGE_SHARE = 0.001;
/** Statuses of faults that are no faults: what the protocol has and a single node has not. */
const DELIBERATE = 501;
/** Growth that is taken for noise of the heap: a leak of a kilobyte a request would be six times as much. */
const HEAP_NOISE_BYTES = 16 * 1024 * 1024;
/** Growth of the process that is allowed for what is huge, once it is warm. */
const RSS_GROWTH_BYTES_MAX = 200 * 1024 * 1024;
/** V8 gives back what was collected on a thread of its own, which has its turn within so long. */
const RETURN_MS_MAX = 5_000;
const RETURN_STEP_MS = 50;
/** Rounds after which code and heap are warm. */
const WARM_ROUNDS = 5;

const WITNESS = '/api/v2/tenants/witness_tenant/databases/witness_database';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** What the process takes once garbage is collected and given back; waits until it is `enough` or less. */
async function residentBytes(enough: number): Promise<number> {
  collectGarbage();
  for (let waitedMs = 0; ; waitedMs += RETURN_STEP_MS) {
    const bytes = process.memoryUsage.rss();
    if (bytes <= enough || waitedMs >= RETURN_MS_MAX) return bytes;
    await setTimeout(RETURN_STEP_MS);
  }
}

/** An empty database with a collection to aim at, and another out of reach. */
async function begin(harness: Harness): Promise<PlainRequest[]> {
  await harness.backend.reset();
  const path = await harness.createCollection('target');
  await harness.backend.createDatabase({ tenant: 'witness_tenant', database: 'witness_database' });
  const made = await harness.send('POST', `${WITNESS}/collections`, { name: 'witness', metadata: { a: 1 } });
  const witness = `${WITNESS}/collections/${(made.json as { id: string }).id}`;
  const records = { ids: ['w'], embeddings: [[1, 2]], documents: ['seen'], metadatas: [{ n: 1 }] };
  expect((await harness.send('POST', `${witness}/add`, records)).status).toBe(201);
  return plainRequests(path.split('/').at(-1)!);
}

async function expectWitness(harness: Harness): Promise<void> {
  const found = await harness.send('GET', `${WITNESS}/collections/witness`);
  const id = (found.json as { id: string }).id;
  const include = ['documents', 'metadatas', 'embeddings'];
  const { json } = await harness.send('POST', `${WITNESS}/collections/${id}/get`, { include });
  expect(json).toMatchObject({
    ids: ['w'],
    documents: ['seen'],
    metadatas: [{ n: 1 }],
    embeddings: [[1, 2]],
  });
}

/** What is wrong with an answer; `null` where nothing is. */
function faultOf({ method }: MutatedRequest, status: number, text: string): string | null {
  if (status >= 500 && status !== DELIBERATE) return `${status} ${text}`;
  if (text === '') return method === 'HEAD' || status === 404 || status === 405 ? null : `${status} is empty`;
  const answer: unknown = JSON.parse(text);
  if (status < 400) return null;
  const { error, message } = answer as { error?: unknown; message?: unknown };
  return typeof error === 'string' && typeof message === 'string' ? null : `${status} ${text}`;
}

/** What a run has seen. */
class Tally {
  readonly statuses: Record<string, number> = {};
  requestCount = 0;
  longestMs = 0;
  longestLabel = '';

  note(label: string, status: number, ms: number): void {
    this.requestCount++;
    this.statuses[status] = (this.statuses[status] ?? 0) + 1;
    if (ms <= this.longestMs) return;
    this.longestMs = ms;
    this.longestLabel = label;
  }
}

/** Sends a request; expects an answer without a fault. The time is that of this process's processor. */
async function send(
  server: Harness['server'],
  request: MutatedRequest,
  tally: Tally,
  about: string,
): Promise<void> {
  const { method, path, headers, body } = request;
  const init: RequestInit = { method, headers };
  if (body !== null) init.body = body as Uint8Array<ArrayBuffer>;
  const began = process.cpuUsage();
  const response = await server.fetch(new Request(`http://server${path}`, init));
  const text = await response.text();
  const { user, system } = process.cpuUsage(began);
  tally.note(`${method} ${path.slice(0, 200)}`, response.status, (user + system) / 1_000);
  const fault = faultOf(request, response.status, text);
  if (fault === null) return;
  const sent = body === null ? '' : Buffer.from(body).toString().slice(0, 2_000);
  expect.fail(`${about}: ${method} ${path} ${sent}\n${fault.slice(0, 2_000)}`);
}

/** The next request of a run; `isHuge` is rare. */
function draw(plain: readonly PlainRequest[], mutator: Mutator, next: () => number): Drawn {
  // Most of what can go wrong is in bodies.
  const isWithBody = next() < 0.75;
  const choices = isWithBody ? plain.filter(({ body }) => body !== undefined) : plain;
  const chosen = choices[Math.floor(next() * choices.length)]!;
  const huge = next() < HUGE_SHARE ? hugeBody(chosen, next) : null;
  if (huge === null) return { request: mutator.mutate(chosen), isHuge: false };
  const { method, path } = chosen;
  const headers = { 'content-type': 'application/json' };
  return { request: { method, path, headers, body: Buffer.from(huge) }, isHuge: true };
}

/** What has been seen, by either test. */
const figures: Record<string, unknown> = {};

interface Drawn {
  readonly request: MutatedRequest;
  readonly isHuge: boolean;
}

test(`${rounds.title} rounds of ${REQUESTS_PER_ROUND} hostile requests are answered without a fault of the server`, {
  timeout: rounds.timeout,
}, async () => {
  const backend = await openTestDatabase({ allowReset: true }, { random: seededRandom(rounds.seed) });
  const harness = new Harness(backend, { limits: { bodyBytesMax: BODY_BYTES_MAX } });
  // What is huge passes the limit of a body that a server has unless told otherwise.
  const roomy = new Harness(backend);
  const next = rounds.chance();
  const mutator = new Mutator(next);
  const [small, huge] = [new Tally(), new Tally()];
  let [heapBefore, rssBefore, rssMax] = [0, 0, 0];
  for (const round of rounds) {
    const plain = await begin(harness);
    if (round === WARM_ROUNDS) {
      heapBefore = heapBytes();
      rssBefore = process.memoryUsage.rss();
    }
    for (let i = 0; i < REQUESTS_PER_ROUND; i++) {
      const about = `request ${i} of round ${round} (seed ${rounds.seed})`;
      const { request, isHuge } = draw(plain, mutator, next);
      if (isHuge) await send(roomy.server, request, huge, about);
      else await send(harness.server, request, small, about);
    }
    // What is huge leaves much to collect, and the question is what stays.
    if (round >= WARM_ROUNDS) {
      rssMax = Math.max(rssMax, await residentBytes(rssBefore + RSS_GROWTH_BYTES_MAX / 2));
    }
    await expectWitness(harness);
    const errors = [...harness.log, ...roomy.log].filter(({ level }) => level === 'error');
    expect(errors, `round ${round} (seed ${rounds.seed})`).toEqual([]);
    harness.log.length = 0;
    roomy.log.length = 0;
  }
  await begin(harness);
  const heapGrowth = heapBytes() - heapBefore;
  // The mutations are worth something only while a good part of them gets past the first checks.
  expect(small.statuses[200] ?? 0).toBeGreaterThan(small.requestCount / 20);
  expect(small.statuses[413] ?? 0).toBeGreaterThan(0);
  if (rounds.done > WARM_ROUNDS) {
    expect(heapGrowth).toBeLessThan(HEAP_NOISE_BYTES);
    expect(rssMax - rssBefore).toBeLessThan(RSS_GROWTH_BYTES_MAX);
  }
  Object.assign(figures, {
    requests: small.requestCount + huge.requestCount,
    faults: 0,
    statuses: small.statuses,
    longestMs: Math.round(small.longestMs),
    huge: {
      requests: huge.requestCount,
      statuses: huge.statuses,
      longestMs: Math.round(huge.longestMs),
      longest: huge.longestLabel,
    },
    heapGrowthMb: Math.round(heapGrowth / 1e6),
    rssGrowthMb: Math.round((rssMax - rssBefore) / 1e6),
  });
  rounds.report(figures);
});

/** Rounds over a socket: so many connections at once. */
const socketRounds = new Rounds(3, 20_261_135, 1 - SHARE);
const CONNECTION_COUNT = 40;
/** How long clients that never end are borne with here, so that many can be tried. */
const PATIENCE = { headersMs: 200, requestMs: 400, stallMs: 400 };
const TRICKLE_MS = 20;

/** Sends pieces, one after the other; gives what came back, a while after the first of it at the latest. */
async function exchange(port: number, { pieces, ending }: RawRequest): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    globalThis.setTimeout(() => socket.destroy(), PATIENCE.requestMs).unref();
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  for (const piece of pieces) {
    socket.write(piece);
    await setTimeout(1);
  }
  if (ending === 'leave') socket.destroy();
  const trickle = setInterval(() => ending === 'trickle' && socket.write(' '), TRICKLE_MS);
  await closed;
  clearInterval(trickle);
  return text;
}

test(`${socketRounds.title} rounds of ${CONNECTION_COUNT} hostile connections are answered or cut off`, {
  timeout: socketRounds.timeout,
}, async () => {
  const backend = await openTestDatabase({ allowReset: true });
  const harness = new Harness(backend, { limits: { bodyBytesMax: BODY_BYTES_MAX } });
  const listener = await listen(harness.server, { port: 0, ...PATIENCE });
  onTestFinished(() => listener.close(0));
  const next = seededNumbers(socketRounds.seed);
  const mutator = new Mutator(next);
  const statuses: Record<string, number> = {};
  for (const round of socketRounds) {
    const plain = await begin(harness);
    const drawn = Array.from({ length: CONNECTION_COUNT }, () => {
      return rawRequest(draw(plain, mutator, next).request, BODY_BYTES_MAX, next);
    });
    const answers = await Promise.all(drawn.map((request) => exchange(listener.port, request)));
    for (const [i, answer] of answers.entries()) {
      const status = answer === '' ? 'cut off' : (/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 'no status');
      const about = `connection ${i} of round ${round} (seed ${socketRounds.seed}): ${answer.slice(0, 500)}`;
      expect(status, about).toMatch(/^(?:cut off|[1-4]\d\d|501)$/);
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
    const { status } = await fetch(`${listener.url}/api/v2/heartbeat`);
    expect(status, `after round ${round} (seed ${socketRounds.seed})`).toBe(200);
    await expectWitness(harness);
    expect(harness.log.filter(({ level }) => level === 'error')).toEqual([]);
    harness.log.length = 0;
  }
  Object.assign(figures, { connections: socketRounds.done * CONNECTION_COUNT, connectionStatuses: statuses });
  socketRounds.report(figures);
});
