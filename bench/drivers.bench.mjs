/**
 * The two SQLite drivers under the same work: the one that this Node uses, and the one that another Node
 * uses.
 *
 *   TESSERA_NODE24=/path/to/node npm run bench -- drivers [--count 20000] [--trials 3] [--json FILE]
 *
 * Every trial is a process of its own, trials of both are interleaved, and medians are reported. The driver
 * is not the only difference: the other Node brings another V8. A better-sqlite3 compiled for this Node does
 * not load in the other, so the two cannot be taken apart here.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { PersistentClient } from '../dist/index.js';

export const title = 'SQLite drivers';

const SELF = fileURLToPath(import.meta.url);
const DIMENSION = 512;
const BATCH = 500;

const quantile = (values, q) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))];
const embeddingOf = (i) =>
  Float32Array.from({ length: DIMENSION }, (_, k) => Math.sin(i * 1.7 + k * (1 + (i % 97) / 97)));
const documentOf = (i) =>
  `Record ${i}: a document of about a hundred characters, as a gloss or a short note would have them.`;

/**
 * The work: adds, reads by id and by filter, queries, reopens. Inline (`threads: 0`), so that nothing but
 * work is timed.
 */
async function work(count) {
  const directory = mkdtempSync(path.join(tmpdir(), 'tessera-bench-'));
  const results = {};
  const p50 = async (name, times, call) => {
    const latencies = [];
    for (let i = 0; i < times; i++) {
      const start = performance.now();
      await call(i);
      latencies.push(performance.now() - start);
    }
    results[name] = quantile(latencies, 0.5);
  };
  try {
    const client = new PersistentClient({ path: directory, threads: 0 });
    const collection = await client.createCollection({ name: 'drivers', embeddingFunction: null });
    let ms = 0;
    for (let from = 0; from < count; from += BATCH) {
      const rows = Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => from + i);
      const batch = {
        ids: rows.map((row) => `record-${row}`),
        embeddings: rows.map(embeddingOf),
        documents: rows.map(documentOf),
        metadatas: rows.map((row) => ({
          bucket: row % 1_000,
          even: row % 2 === 0,
          name: `name ${row % 50}`,
        })),
      };
      const start = performance.now();
      await collection.add(batch);
      ms += performance.now() - start;
    }
    results['ingest, records/s'] = (count / ms) * 1e3;
    const idOf = (i) => `record-${(i * 7_919) % count}`;
    await p50('get by id, p50 ms', 500, (i) => collection.get({ ids: [idOf(i)] }));
    await p50('get where (1 %), p50 ms', 50, () => collection.get({ where: { bucket: { $lt: 10 } } }));
    await p50('query, p50 ms', 100, (i) => collection.query({ queryEmbeddings: [embeddingOf(i)] }));
    await p50('add one record, p50 ms', 100, (i) => {
      return collection.add({
        ids: [`single-${i}`],
        embeddings: [embeddingOf(i)],
        documents: [documentOf(i)],
      });
    });
    await client.close();
    await p50('open and first query, p50 ms', 3, async (i) => {
      const again = new PersistentClient({ path: directory, threads: 0 });
      const reopened = await again.getCollection({ name: 'drivers', embeddingFunction: null });
      await reopened.query({ queryEmbeddings: [embeddingOf(i)] });
      await again.close();
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return results;
}

/** Runs the comparison; one row for each measure. */
export async function run(options) {
  const other = process.env.TESSERA_NODE24;
  if (other === undefined)
    throw new Error('Set TESSERA_NODE24 to the binary of a Node that has node:sqlite.');
  const count = String(options.count ?? 20_000);
  const nodes = [process.execPath, other];
  const trials = nodes.map(() => []);
  for (let trial = 0; trial < Number(options.trials ?? 3); trial++) {
    nodes.forEach((node, i) => {
      trials[i].push(JSON.parse(execFileSync(node, [SELF, '--work', count], { encoding: 'utf8' })));
    });
  }
  const versions = nodes.map((node) => execFileSync(node, ['--version'], { encoding: 'utf8' }).trim());
  const rows = Object.keys(trials[0][0]).map((measure) => {
    const [own, others] = trials.map((runs) =>
      quantile(
        runs.map((results) => results[measure]),
        0.5,
      ),
    );
    const ratio = measure.endsWith('/s') ? others / own : own / others;
    return { measure, [`Node ${versions[0]}`]: own, [`Node ${versions[1]}`]: others, 'times better': ratio };
  });
  return {
    rows,
    notes: [`Node ${versions[0]} against Node ${versions[1]}; “times better” is the second's advantage.`],
  };
}

if (process.argv[2] === '--work') console.log(JSON.stringify(await work(Number(process.argv[3]))));
