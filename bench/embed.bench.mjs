/**
 * The default embedding function: speed of one core beside the runtime that its weights were published with,
 * the function on threads, and what its embeddings find.
 *
 *   TESSERA_BENCH_DATA=DIR npm run bench -- embed [--count 2000] [--peers 0] [--json FILE]
 *
 * Every side runs in a process of its own that is pinned to one core (where the system has `taskset`); rates
 * are given per second of the clock and of processor time, for the latter is the machine's neighbours' least
 * concern. Texts are those of the data set, 38 tokens on average. The peer is installed in bench/peers.
 *
 * Found: 1,000 sentences, each written to illustrate one synset of WordNet, among the texts of the data set;
 * only those whose synset is among them count, and search is exact. The sentences' embeddings are computed
 * here and also compared with those of the data set, which the published runtime made.
 */
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { UseLiteEmbeddingFunction } from '../dist/index.js';
import { QUERY_COUNT, REAL_COUNT, readDataset } from './dataset.mjs';
import { inChild, tell } from './measure.mjs';

export const title = 'The default embedding function';

const TASKS = new URL('./embed-tasks.mjs', import.meta.url).href;
/** Characters of what counts as a short text. */
const SHORT = 80;
const SINGLE_COUNT = 300;
const MB = 1e6;

const row = (what, unit, reach, value, onnx, peer) => ({
  what,
  unit,
  value,
  reach,
  'onnxruntime-node': onnx,
  '@energetic-ai': peer,
});

/** Speed of one core, ours beside `onnxruntime-node` with the same weights and the published runtime. */
async function speedRows(texts, hasPeer) {
  const argument = {
    texts,
    shorts: texts.filter((text) => text.length < SHORT),
    single: texts.slice(0, SINGLE_COUNT),
  };
  const run = (side, flags = []) => inChild(TASKS, 'runtime', { side, ...argument }, { core: 1, flags });
  tell('our runtime on one core');
  // With as little room for young objects as the thread has that it is on in a program.
  const own = await run('own', ['--max-semi-space-size=1']);
  if (hasPeer) tell('onnxruntime-node and the published runtime on one core');
  const onnx = hasPeer ? await run('onnx') : undefined;
  const peer = hasPeer ? await run('peer') : undefined;
  const rates = (name, key, reach) => [
    row(
      `${name}, by the clock`,
      'texts/s',
      '',
      own[key].perSecond,
      onnx?.[key].perSecond,
      peer?.[key].perSecond,
    ),
    row(
      `${name}, by processor time`,
      'texts/s',
      reach,
      own[key].perCpuSecond,
      onnx?.[key].perCpuSecond,
      peer?.[key].perCpuSecond,
    ),
  ];
  return [
    ...rates('one core', 'all', '≥ 120'),
    ...rates(`one core, under ${SHORT} characters`, 'short', ''),
    ...rates('one core, one at a time', 'single', ''),
    row('load', 'ms', '≤ 500', own.loadMs, onnx?.loadMs, peer?.loadMs),
    row('first call after it', 'ms', '≤ 100', own.firstMs, onnx?.firstMs, peer?.firstMs),
    row(
      'memory of the process, one core',
      'MB',
      '≤ 120',
      megabytes(own.memory),
      megabytes(onnx?.memory),
      megabytes(peer?.memory),
    ),
  ];
}

const megabytes = (memory) => (memory?.resident === undefined ? undefined : memory.resident / MB);

/** The function as programs use it. */
async function programRows(texts) {
  const rows = [];
  for (const threads of [1, 2]) {
    tell(`the function on ${threads} thread(s)`);
    const seen = await inChild(TASKS, 'program', { texts, threads });
    const name = threads === 1 ? 'one thread' : 'two threads';
    rows.push(
      row(`${name}: load and first call`, 'ms', '', seen.firstMs),
      row(`${name}: a batch of ${texts.length}`, 'texts/s', '', seen.perSecond),
      row(`${name}: a question meanwhile, p50`, 'ms', '', seen.questionMs),
      row(`${name}: longest stall of the caller's loop, by the clock`, 'ms', '≤ 20', seen.stallMs),
      row(`${name}: longest stall of the caller's loop, by processor time`, 'ms', '≤ 20', seen.stallCpuMs),
      row(`${name}: memory that it adds`, 'MB', '', megabytes(seen.after) - megabytes(seen.before)),
    );
  }
  return rows;
}

/** What the embeddings find, and how far they are from the published runtime's. */
async function foundRows() {
  tell(`${QUERY_COUNT} sentences among ${REAL_COUNT} texts`);
  const { ids, embedding, norms, query } = readDataset(REAL_COUNT, QUERY_COUNT);
  const rowOf = new Map(ids.map((id, i) => [id, i]));
  const lines = gunzipSync(readFileSync(path.join(process.env.TESSERA_BENCH_DATA, 'queries-1000.jsonl.gz')));
  const sentences = lines.toString('utf8').trimEnd().split('\n').map(JSON.parse);
  const embedded = await new UseLiteEmbeddingFunction().generate(sentences.map(({ text }) => text));
  let apart = 0;
  for (const [i, own] of embedded.entries()) {
    for (const [j, value] of query(i).entries()) apart = Math.max(apart, Math.abs(value - own[j]));
  }
  const ranks = sentences.flatMap(({ relevant }, i) => {
    const wanted = rowOf.get(relevant);
    return wanted === undefined ? [] : [rankOf(wanted, embedded[i], embedding, norms)];
  });
  const share = (k) => (100 * ranks.filter((rank) => rank < k).length) / ranks.length;
  return [
    row('greatest difference from the published runtime', '', '≤ 2e-6', apart.toExponential(1)),
    row(`${ranks.length} sentences: own synset first`, '%', '', share(1)),
    row(`${ranks.length} sentences: among the first 10`, '%', '', share(10)),
    row(`${ranks.length} sentences: among the first 100`, '%', '', share(100)),
  ];
}

/** How many texts are nearer to a sentence than the wanted one. */
function rankOf(wanted, sentence, embedding, norms) {
  const cosine = (i) => {
    const other = embedding(i);
    let sum = 0;
    for (let j = 0; j < other.length; j++) sum += other[j] * sentence[j];
    return sum / norms[i];
  };
  const least = cosine(wanted);
  let rank = 0;
  for (let i = 0; i < norms.length; i++) if (i !== wanted && cosine(i) > least) rank++;
  return rank;
}

export async function run({ count = '2000', peers }) {
  const { documents } = readDataset(Number(count), 0);
  const [load] = loadavg();
  const rows = [
    ...(await speedRows(documents, peers !== '0')),
    ...(await programRows(documents)),
    ...(await foundRows()),
  ];
  const notes = [
    `When it began, ${load.toFixed(1)} processes on average wanted to run; beyond the cores, times of the clock say little.`,
    'All runtimes have the same weights and give the same vectors. The published one gets texts of similar length together, 32 at a time.',
  ];
  return { rows, notes };
}
