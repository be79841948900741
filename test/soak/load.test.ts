/**
 * Sixty-four clients of a server, all at once: each writes, deletes, reads and queries records of its own
 * and must read what it has written. Meanwhile the server's memory, descriptors and
 * files are watched, and how long calls take.
 *
 * Afterwards everything is written again ten times as it is, which must not make the files grow
 * (chroma#2143), and a part deleted again, of which texts and embeddings are then looked for (chroma#7659).
 */
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { seededNumbers } from '../../src/base/index.ts';
import { type Collection, HttpClient } from '../../src/index.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { IS_SOAK, Rounds } from './rounds.ts';
import { startServer } from './served.ts';

/** As continuous integration has it for three minutes, beside other tests. */
const IS_HALF_LOAD = IS_SOAK && process.env['HALF_LOAD'] !== undefined;
/** Seconds of load, each a round. */
const rounds = new Rounds(6, 20_261_133);
const SECOND_MS = 1_000;
const SECONDS_A_MINUTE = 60;
const CLIENT_COUNT = 64;
/** A client's mean pause at half the load: without one, 64 of them have some 300 calls a second answered. */
const PAUSE_MS = 400;
/**
 * What is reachable in the last minute of half the load, for what was before: of objects in the middle, of
 * all at the least and at the most. An index whose slots are dead to a quarter is loaded anew, so that
 * memories of WebAssembly go up and down by some 9 of 55 MB, once in half a minute or more.
 */
const REACHABLE_GROWTH_MAX = 1.05;
/** Three minutes are too few for resident memory to settle; in an hour it stays below 210 MB. */
const RSS_MAX = 300e6;
/** In a soak some 18 MB of live data, so that what a log takes beside them weighs as it does in use. */
const [RECORDS_OF_CLIENT, DIMENSION] = IS_SOAK ? [160, 384] : [40, 64];
/** What a record takes: its embedding, and about so much of text. */
const LIVE_BYTES = CLIENT_COUNT * RECORDS_OF_CLIENT * (4 * DIMENSION + 260);

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What the machine says of a process; nothing where it does not say. */
function statusOf(pid: number): { rss: number; descriptors: number } | null {
  try {
    const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;
    return { rss, descriptors: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    return null;
  }
}

function bytesOf(path: string): number {
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' });
  return names.reduce((total, name) => total + lstatSync(join(path, name)).size, 0);
}

/** Those of some records of whose text or embedding a part is in any file of a directory. */
function foundInFiles(path: string, records: readonly OwnRecord[]): OwnRecord[] {
  const files = readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name)));
  return records.filter(({ document, embedding }) => {
    const text = document.slice(0, document.indexOf(':') + 1);
    const bytes = Buffer.from(Float32Array.from(embedding.slice(0, 8)).buffer);
    return files.some((file) => file.includes(text) || file.includes(bytes));
  });
}

interface OwnRecord {
  readonly id: string;
  readonly embedding: number[];
  readonly document: string;
  readonly version: number;
}

/** One client with its records: what it wrote and was told is stored. */
class LoadClient {
  readonly records = new Map<string, OwnRecord>();
  readonly #collection: Collection;
  readonly #chance: () => number;
  readonly #name: string;
  readonly #durations: number[];
  #version = 0;

  constructor(collection: Collection, number: number, durations: number[]) {
    this.#collection = collection;
    this.#chance = seededNumbers(rounds.seed + number);
    this.#name = `c${number}`;
    this.#durations = durations;
  }

  async fill(): Promise<void> {
    await this.#write(Array.from({ length: RECORDS_OF_CLIENT }, (_, i) => `${this.#name}-${i}`));
  }

  /** Makes calls until `isOver`, and checks every answer against its own records. */
  async work(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const start = performance.now();
      await this.#call();
      this.#durations.push(performance.now() - start);
      if (IS_HALF_LOAD) await wait(PAUSE_MS * 2 * this.#chance());
    }
  }

  async #call(): Promise<void> {
    const roll = this.#chance();
    const first = Math.floor(this.#chance() * RECORDS_OF_CLIENT);
    const some = Array.from({ length: 5 }, (_, i) => `${this.#name}-${(first + i) % RECORDS_OF_CLIENT}`);
    if (roll < 0.25) return this.#write(some);
    if (roll < 0.35) return this.#deleteAndWrite(some);
    if (roll < 0.6) return this.#query(this.records.get(some[0]!)!);
    if (roll < 0.9) {
      const where = roll < 0.75 ? {} : { where: { client: this.#name } };
      const found = (await this.#collection.get({ ids: some, ...where })).rows();
      const expected = some.map((id) => this.records.get(id)!.document);
      expect(found.map(({ document }) => document).sort()).toEqual(expected.sort());
      return;
    }
    expect(await this.#collection.count()).toBeGreaterThan(0);
  }

  async #query({ id, embedding, document }: OwnRecord): Promise<void> {
    const found = await this.#collection.query({
      queryEmbeddings: [embedding],
      nResults: 3,
      where: { client: this.#name },
    });
    expect([found.ids[0]![0], found.documents[0]![0], found.distances[0]![0]]).toEqual([id, document, 0]);
  }

  async #write(ids: readonly string[]): Promise<void> {
    const records = ids.map((id) => this.#draw(id));
    await upsertAll(this.#collection, records);
    for (const record of records) this.records.set(record.id, record);
  }

  async #deleteAndWrite(ids: string[]): Promise<void> {
    await this.#collection.delete({ ids });
    expect((await this.#collection.get({ ids })).ids).toEqual([]);
    await this.#write(ids);
  }

  #draw(id: string): OwnRecord {
    const version = ++this.#version;
    const embedding = Array.from({ length: DIMENSION }, () => Math.fround(this.#chance() - 0.5));
    const document = `The text of ${id} in version ${version}: ${'words and more words '.repeat(8)}`;
    return { id, embedding, document, version };
  }
}

async function upsertAll(collection: Collection, records: readonly OwnRecord[]): Promise<void> {
  await collection.upsert({
    ids: records.map(({ id }) => id),
    embeddings: records.map(({ embedding }) => embedding),
    documents: records.map(({ document }) => document),
    metadatas: records.map(({ id, version }) => ({ client: id.split('-')[0]!, version })),
  });
}

/** Writes everything as it is ten times; gives the size of the files after each time. */
async function writeAgain(
  collection: Collection,
  records: readonly OwnRecord[],
  path: string,
): Promise<number[]> {
  const sizes: number[] = [];
  for (let turn = 0; turn < 10; turn++) {
    for (let i = 0; i < records.length; i += 500) await upsertAll(collection, records.slice(i, i + 500));
    await collection.settle();
    sizes.push(bytesOf(path));
  }
  return sizes;
}

async function deleteAll(collection: Collection, records: readonly OwnRecord[]): Promise<void> {
  for (let i = 0; i < records.length; i += 500) {
    await collection.delete({ ids: records.slice(i, i + 500).map(({ id }) => id) });
  }
  await collection.settle();
}

const percentile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? 0;

/** What is seen of the server once a second; memory in bytes. */
interface Sample {
  readonly rss: number;
  readonly reachable: { readonly all: number; readonly objects: number };
  readonly descriptors: number;
  readonly bytes: number;
}

/** Per cent by which a value grows in an hour, by least squares over values of each second. */
function growthPerHour(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = meanOf(values);
  const slope =
    meanOf(values.map((value, i) => (value - mean) * (i - middle))) /
    meanOf(values.map((_, i) => (i - middle) ** 2));
  return ((slope * 3_600) / mean) * 100;
}

/** Memory in MB, as the median of each ten minutes, and per cent of growth an hour once it is warm. */
function memoryFigures(samples: readonly Sample[], warm: readonly Sample[]) {
  const rss = (sample: Sample): number => sample.rss / 1e6;
  const reachable = (sample: Sample): number => sample.reachable.all / 1e6;
  return {
    rssMb: mediansOf(samples.map(rss), 600),
    rssGrowthPerHour: round(growthPerHour(warm.map(rss))),
    reachableMb: mediansOf(samples.map(reachable), 600),
    reachableGrowthPerHour: round(growthPerHour(warm.map(reachable))),
  };
}

/** What an hour has to show, and less time cannot. */
function expectSteadyHour(rssGrowthPerHour: number, p99DriftPercent: number): void {
  expect(rssGrowthPerHour).toBeLessThan(1);
  expect(p99DriftPercent).toBeLessThan(10);
}

/** What can be said of three minutes. */
function expectSteadyMemory(samples: readonly Sample[]): void {
  if (samples.length === 0) return;
  const [, before, last] = mediansOf(
    samples.map(({ reachable }) => reachable.objects),
    SECONDS_A_MINUTE,
  );
  expect(last).toBeLessThan(before! * REACHABLE_GROWTH_MAX);
  const all = samples.map(({ reachable }) => reachable.all);
  const leastOfLast = Math.min(...all.slice(-SECONDS_A_MINUTE));
  expect(leastOfLast).toBeLessThan(Math.max(...all.slice(0, -SECONDS_A_MINUTE)) * REACHABLE_GROWTH_MAX);
  expect(Math.max(...samples.map(({ rss }) => rss))).toBeLessThan(RSS_MAX);
}

const round = (value: number): number => Math.round(value * 100) / 100;

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** Per cent by which the second half of some values is greater than the first. */
function driftOf(values: readonly number[]): number {
  const middle = Math.floor(values.length / 2);
  return (meanOf(values.slice(middle)) / meanOf(values.slice(0, middle)) - 1) * 100;
}

/** The median of each `count` values that follow each other. */
function mediansOf(values: readonly number[], count: number): number[] {
  const medians: number[] = [];
  for (let i = 0; i < values.length; i += count) {
    medians.push(Math.round(10 * percentile(values.slice(i, i + count), 0.5)) / 10);
  }
  return medians;
}

test(`${rounds.title} seconds of ${CLIENT_COUNT} clients at once, each of whom reads what it wrote`, {
  timeout: rounds.timeout,
}, async () => {
  const path = join(temporaryDirectory(), 'data');
  const server = await startServer(path, IS_SOAK);
  const client = new HttpClient({ path: server.url });
  const collection = await client.createCollection({ name: 'shared', embeddingFunction: null });
  const windows: number[][] = [];
  const durations: number[] = [];
  const clients = Array.from({ length: CLIENT_COUNT }, (_, i) => new LoadClient(collection, i, durations));
  for (const each of clients) await each.fill();

  let isOver = false;
  const working = Promise.all(clients.map((each) => each.work(() => isOver)));
  const samples: Sample[] = [];
  for (const second of rounds) {
    await Promise.race([wait(SECOND_MS), working]);
    const status = statusOf(server.pid);
    if (status !== null) samples.push({ ...status, reachable: server.reachable(), bytes: bytesOf(path) });
    // One window a minute, or a second where there are not that many.
    if (!IS_SOAK || second % SECONDS_A_MINUTE === SECONDS_A_MINUTE - 1) windows.push(durations.splice(0));
  }
  isOver = true;
  await working;

  // Half of the time is for growing warm.
  const warm = samples.slice(Math.floor(samples.length / 2));
  const descriptors = warm.map((sample) => sample.descriptors);
  expect(Math.max(0, ...descriptors) - Math.min(...descriptors, 1_000)).toBeLessThanOrEqual(CLIENT_COUNT);
  await collection.settle();
  const afterChurn = bytesOf(path) / LIVE_BYTES;
  const p99 = windows.slice(1).map((window) => percentile(window, 0.99));
  const figures = {
    minutes: round(rounds.done / 60),
    calls: windows.flat().length + durations.length,
    ...memoryFigures(samples, warm),
    descriptorsMin: Math.min(...descriptors),
    descriptorsMax: Math.max(...descriptors),
    bytesPerLiveByteMax: round(Math.max(...samples.map(({ bytes }) => bytes)) / LIVE_BYTES),
    bytesPerLiveByteSettled: round(afterChurn),
    p99Ms: round(meanOf(p99)),
    p99DriftPercent: round(driftOf(p99)),
  };

  // A log keeps up to 4 MB beside its file while records are written, which weighs where there are few.
  if (IS_SOAK) expect(figures.bytesPerLiveByteMax).toBeLessThan(2);
  if (IS_HALF_LOAD) expectSteadyMemory(samples);
  if (rounds.done >= 3_600) expectSteadyHour(figures.rssGrowthPerHour, figures.p99DriftPercent);

  const everything = clients.flatMap(({ records }) => [...records.values()]);
  const sizes = await writeAgain(collection, everything, path);
  expect(sizes.at(-1)).toBeLessThanOrEqual(sizes[0]! * 1.1);
  const victims = everything.slice(0, 1_000);
  await deleteAll(collection, victims);
  await client.close();
  await server.stop();
  const found = foundInFiles(path, victims);
  expect(found).toEqual([]);
  const closed = bytesOf(path) / LIVE_BYTES;
  expect(closed).toBeLessThan(2);
  rounds.report({
    ...figures,
    errors: 0,
    tenUpsertsGrowthPercent: round((sizes.at(-1)! / sizes[0]! - 1) * 100),
    bytesPerLiveByteClosed: round(closed),
    deleted: victims.length,
    deletedFound: found.length,
  });
});
