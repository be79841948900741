/**
 * Many small collections in one directory, one for each user or document: what one costs in time and on the
 * disk, how long the directory takes to open, and how many files are open at once.
 *
 *   npm run bench -- small-collections [--count 10000] [--json FILE]
 */
import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PersistentClient } from '../dist/index.js';

export const title = 'Many small collections';

const DIMENSION = 384;
const EMPTY_COUNT = 200;

const quantile = (values, q) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))];
const nameOf = (i) => `user-${String(i).padStart(6, '0')}`;
const embeddingOf = (i) => Float32Array.from({ length: DIMENSION }, (_, k) => Math.sin(i + k * 0.37));

/** Files of a directory: how many, and the bytes that they take. */
function filesOf(directory) {
  const entries = readdirSync(directory, { recursive: true })
    .map((name) => ({ name, entry: lstatSync(path.join(directory, name)) }))
    .filter(({ entry }) => entry.isFile());
  const collections = entries.filter(
    ({ name }) => name.startsWith('collections') && name.endsWith('.sqlite3'),
  );
  return {
    count: collections.length,
    bytes: entries.reduce((total, { entry }) => total + entry.blocks * 512, 0),
    largest: Math.max(0, ...collections.map(({ entry }) => entry.size)),
  };
}

/** Descriptors that this process has open; worker threads share them. Linux alone can tell. */
function descriptorCount() {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return undefined;
  }
}

async function timed(work) {
  const start = performance.now();
  const result = await work();
  return { result, ms: performance.now() - start };
}

/** Creates `count` collections with one record each and returns the milliseconds that each took. */
async function createAll(client, count) {
  const latencies = [];
  for (let i = 0; i < count; i++) {
    const { ms } = await timed(async () => {
      const collection = await client.createCollection({ name: nameOf(i), embeddingFunction: null });
      await collection.add({
        ids: ['first'],
        embeddings: [embeddingOf(i)],
        documents: ['The first note of a user, some sixty characters in all.'],
        metadatas: [{ user: i }],
      });
    });
    latencies.push(ms);
  }
  return latencies;
}

/** Opens the directory again and reads one record from many collections. */
async function readAgain(directory, count, add) {
  const before = descriptorCount();
  const client = new PersistentClient({ path: directory });
  const { result: counted, ms: openMs } = await timed(() => client.countCollections());
  add('open the directory, ms', openMs);
  add('files open after opening', descriptorCount() - before);
  if (counted !== count + EMPTY_COUNT)
    throw new Error(`Expected ${count + EMPTY_COUNT} collections, got ${counted}.`);
  const latencies = [];
  let openMax = 0;
  const step = Math.max(1, Math.floor(count / 1_000));
  for (let i = 0; i < count; i += step) {
    const { result, ms } = await timed(async () => {
      const collection = await client.getCollection({ name: nameOf(i), embeddingFunction: null });
      return collection.query({ queryEmbeddings: [embeddingOf(i)], nResults: 1 });
    });
    if (result.ids[0][0] !== 'first') throw new Error(`${nameOf(i)} lost its record.`);
    latencies.push(ms);
    openMax = Math.max(openMax, descriptorCount() - before);
  }
  add('first query of a collection, p50 ms', quantile(latencies, 0.5));
  add('first query of a collection, p99 ms', quantile(latencies, 0.99));
  add(`files open at most, over ${latencies.length} collections`, openMax);
  await client.close();
}

/** Runs the benchmark; one row for each measure. */
export async function run(options) {
  const count = Number(options.count ?? 10_000);
  const directory = mkdtempSync(path.join(tmpdir(), 'tessera-bench-'));
  const rows = [];
  const add = (measure, value) => rows.push({ measure, value });
  try {
    const client = new PersistentClient({ path: directory });
    for (let i = 0; i < EMPTY_COUNT; i++) {
      await client.createCollection({ name: `empty-${i}`, embeddingFunction: null });
    }
    add(`files of ${EMPTY_COUNT} empty collections`, filesOf(directory).count);
    const latencies = await createAll(client, count);
    await client.close();
    const { bytes, largest } = filesOf(directory);
    add('collections with one record', count);
    add('create with its record, p50 ms', quantile(latencies, 0.5));
    add('create with its record, p99 ms', quantile(latencies, 0.99));
    add('on disk, bytes a collection, catalogue included', Math.round(bytes / count));
    add('largest collection file, bytes', largest);
    await readAgain(directory, count, add);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return { rows, notes: [`One record: ${DIMENSION} dimensions, a short document, one metadata key.`] };
}
