/**
 * Mutated requests, without a socket: whatever comes, the server answers, and never with a fault of its own.
 * What other databases hold stays as it is, and memory comes back.
 *
 * `MUTATION_RUNS` sends more or fewer, `MUTATION_SEED` others.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { seededNumbers, seededRandom } from '../../src/base/index.ts';
import { openTestDatabase } from '../support/database.ts';
import { Harness } from './harness.ts';
import { BODY_BYTES_MAX, type MutatedRequest, Mutator } from './mutation/mutator.ts';
import { type PlainRequest, plainRequests } from './mutation/requests.ts';

const RUNS = Number(process.env['MUTATION_RUNS'] ?? 100_000);
const SEED = Number(process.env['MUTATION_SEED'] ?? 20_261_125);
/** Requests after which everything begins anew, so that what they leave behind does not pile up. */
const ROUND = 1_000;
/** Statuses of faults that are no faults: what the protocol has and a single node has not. */
const DELIBERATE = 501;
/** Growth that is taken for noise of the heap: a leak of a kilobyte a request would be six times as much. */
const HEAP_NOISE_BYTES = 16 * 1024 * 1024;

const WITNESS = '/api/v2/tenants/witness_tenant/databases/witness_database';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
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
  readonly statuses = new Map<number, number>();
  longestMs = 0;
  longestLabel = '';

  note(label: string, status: number, ms: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    if (ms <= this.longestMs) return;
    this.longestMs = ms;
    this.longestLabel = label;
  }

  toString(): string {
    const counts = [...this.statuses]
      .sort(([a], [b]) => a - b)
      .map(([status, count]) => `${status}: ${count}`);
    return `${counts.join(', ')}; the longest took ${this.longestMs.toFixed(1)} ms: ${this.longestLabel}`;
  }
}

async function send(harness: Harness, request: MutatedRequest, tally: Tally): Promise<string | null> {
  const { method, path, headers, body } = request;
  const init: RequestInit = { method, headers };
  if (body !== null) init.body = body as Uint8Array<ArrayBuffer>;
  const began = performance.now();
  const response = await harness.server.fetch(new Request(`http://server${path}`, init));
  const text = await response.text();
  tally.note(`${method} ${path.slice(0, 200)}`, response.status, performance.now() - began);
  return faultOf(request, response.status, text);
}

test(`${RUNS} mutated requests are all answered, none by a fault of the server`, async () => {
  const backend = await openTestDatabase({ allowReset: true }, { random: seededRandom(SEED) });
  const harness = new Harness(backend, { limits: { bodyBytesMax: BODY_BYTES_MAX } });
  const next = seededNumbers(SEED);
  const mutator = new Mutator(next);
  const tally = new Tally();
  let plain: PlainRequest[] = [];
  let heapBefore = 0;
  for (let i = 0; i < RUNS; i++) {
    if (i % ROUND === 0) {
      if (i > 0) await expectWitness(harness);
      plain = await begin(harness);
      harness.log.length = 0;
      if (i === 5 * ROUND) heapBefore = heapBytes();
    }
    // Most of what can go wrong is in bodies.
    const isWithBody = next() < 0.75;
    const choices = isWithBody ? plain.filter(({ body }) => body !== undefined) : plain;
    const request = mutator.mutate(choices[Math.floor(next() * choices.length)]!);
    const fault = await send(harness, request, tally);
    if (fault !== null) {
      const text = request.body === null ? '' : Buffer.from(request.body).toString().slice(0, 2000);
      expect.fail(`MUTATION_SEED=${SEED}, request ${i}: ${request.method} ${request.path} ${text}\n${fault}`);
    }
  }
  expect(harness.log.filter(({ level }) => level === 'error')).toEqual([]);
  await expectWitness(harness);
  await begin(harness);
  const grown = heapBytes() - heapBefore;
  console.log(`${RUNS} mutated requests (seed ${SEED}): ${tally}; the heap grew by ${grown >> 10} KiB`);
  // The mutations are worth something only while a good part of them gets past the first checks.
  expect(tally.statuses.get(200) ?? 0).toBeGreaterThan(RUNS / 20);
  if (RUNS >= 20 * ROUND) expect(tally.statuses.get(413) ?? 0).toBeGreaterThan(0);
  if (RUNS >= 20 * ROUND) expect(grown).toBeLessThan(HEAP_NOISE_BYTES);
}, 240_000);
