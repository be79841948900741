/**
 * Real texts with real embeddings for benchmarks, read from the directory that TESSERA_BENCH_DATA names.
 * Expected there: `texts-100000.jsonl.gz`, `embeddings-100000x512.f16` and `queries-1000x512.f32`, rows in
 * the order of the lines, all embeddings of length 1 before they were rounded to halves.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';

export const DIMENSION = 512;

/** Every half as a float, so that reading 10 million of them is a look-up each. */
function halfTable() {
  return Float32Array.from({ length: 65_536 }, (_, bits) => {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
    return bits & 0x8000 ? -size : size;
  });
}

/** The first `count` texts with their metadata and embeddings, and the first `queryCount` queries. */
export function readDataset(count, queryCount) {
  const directory = process.env.TESSERA_BENCH_DATA;
  if (directory === undefined) throw new Error('Set TESSERA_BENCH_DATA to the directory of the data set.');
  const lines = gunzipSync(readFileSync(path.join(directory, 'texts-100000.jsonl.gz')))
    .toString('utf8')
    .split('\n');
  const texts = lines.slice(0, count).map((line) => JSON.parse(line));

  const halves = new Uint16Array(count * DIMENSION);
  const file = openSync(path.join(directory, 'embeddings-100000x512.f16'), 'r');
  readSync(file, halves, 0, halves.byteLength, 0);
  closeSync(file);
  const toFloat = halfTable();
  const embeddings = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) embeddings[i] = toFloat[halves[i]];

  const bytes = readFileSync(path.join(directory, 'queries-1000x512.f32'));
  const queries = new Float32Array(
    bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + queryCount * DIMENSION * 4),
  );
  const embedding = (row) => embeddings.subarray(row * DIMENSION, (row + 1) * DIMENSION);
  return {
    ids: texts.map((text) => text.id),
    documents: texts.map((text) => text.text),
    metadatas: texts.map(metadataOf),
    embedding,
    /** Lengths of the embeddings: 1, but for what rounding to half precision did. */
    norms: Float64Array.from(texts, (_, row) => Math.sqrt(dot(embedding(row), embedding(row)))),
    query: (row) => queries.subarray(row * DIMENSION, (row + 1) * DIMENSION),
  };
}

/**
 * Metadata with keys of every selectivity: `bucket` has 1,000 values, `even` two, `priority` is very skewed.
 */
function metadataOf(text, row) {
  const { source, section, length, priority, lemma } = text;
  const metadata = { source, section, length, even: row % 2 === 0, bucket: row % 1_000 };
  if (priority) metadata.priority = priority;
  if (lemma) metadata.lemma = lemma;
  return metadata;
}

/**
 * For each query the similarity of its k-th nearest among the rows that `keep` admits: whatever is at least
 * as similar belongs to the exact answer, also where several rows are equally far.
 */
export function exactThresholds(dataset, queryCount, k, keep = () => true) {
  const rows = [...dataset.ids.keys()].filter(keep);
  return Array.from({ length: queryCount }, (_, q) => {
    const similarities = Float64Array.from(rows, (row) => similarity(dataset, row, q)).sort();
    return { threshold: similarities.at(-k) ?? similarities[0] ?? 0, count: Math.min(k, rows.length) };
  });
}

/**
 * The cosine of a text's and a query's embedding, in double precision, up to a factor that depends on the
 * query alone.
 */
export function similarity(dataset, row, queryRow) {
  const query = dataset.query(queryRow);
  return dot(dataset.embedding(row), query) / dataset.norms[row];
}

function dot(a, b) {
  let s0 = 0;
  let s1 = 0;
  for (let i = 0; i < DIMENSION; i += 2) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
  }
  return s0 + s1;
}
