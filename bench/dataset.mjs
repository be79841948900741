/**
 * Real texts with real embeddings for benchmarks, read from the directory that TESSERA_BENCH_DATA names.
 * Expected there: `texts-100000.jsonl.gz`, `embeddings-100000x512.f16` and `queries-1000x512.f32`, rows in
 * the order of the lines, all embeddings of length 1 before they were rounded to halves.
 *
 * Where more rows are wanted than there are, the set is grown by noise around its rows (`readGrownRows`).
 * Exact answers are computed here, in double precision, by nothing that is measured.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';

export const DIMENSION = 512;

/** Rows of the set; from this one on they are made. */
export const REAL_COUNT = 100_000;

/** Queries of the set. */
export const QUERY_COUNT = 1_000;

/** Length of the noise that a grown row is moved by, before it is given length 1 again. */
export const NOISE = 0.3;

/** Rows that are read at once; a grown row is made of rows of one piece. */
const PIECE = 1_000;

/** A row that is nearer than the k-th but for rounding belongs to the exact answer too. */
const TOLERANCE = 1e-6;

function directory() {
  const name = process.env.TESSERA_BENCH_DATA;
  if (name === undefined) throw new Error('Set TESSERA_BENCH_DATA to the directory of the data set.');
  return name;
}

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
  const lines = gunzipSync(readFileSync(path.join(directory(), 'texts-100000.jsonl.gz')))
    .toString('utf8')
    .split('\n');
  const texts = lines.slice(0, count).map((line) => JSON.parse(line));
  const embeddings = new Float32Array(count * DIMENSION);
  for (const { first, rows } of readGrownRows(0, count)) embeddings.set(rows, first * DIMENSION);
  const embedding = (row) => embeddings.subarray(row * DIMENSION, (row + 1) * DIMENSION);
  return {
    ids: texts.map((text) => text.id),
    documents: texts.map((text) => text.text),
    metadatas: texts.map(metadataOf),
    embedding,
    /** Lengths of the embeddings: 1, but for what rounding to half precision did. */
    norms: Float64Array.from(texts, (_, row) => Math.sqrt(dot(embedding(row), embedding(row)))),
    query: readQueries(queryCount),
  };
}

/** The first queries, as a function of their number that gives the same object every time. */
export function readQueries(count) {
  const bytes = readFileSync(path.join(directory(), `queries-${QUERY_COUNT}x${DIMENSION}.f32`));
  const all = new Float32Array(bytes.buffer, bytes.byteOffset, count * DIMENSION);
  const queries = Array.from({ length: count }, (_, i) => all.slice(i * DIMENSION, (i + 1) * DIMENSION));
  return (row) => queries[row];
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
 * The embeddings of rows `from` up to `end`, in pieces `{ first, rows }`, one of them at a time.
 *
 * Up to 100,000 they are the set's own. Row 100,000 c + i is row i moved by `NOISE` in the direction of the
 * difference of two other rows, and given length 1: noise that is spread as the set is. The other two rows
 * follow row i at distances that grow with c; the set is shuffled, so they are as good as drawn.
 */
export function* readGrownRows(from, end) {
  const toFloat = halfTable();
  const halves = new Uint16Array(PIECE * DIMENSION);
  const base = new Float32Array(PIECE * DIMENSION);
  const file = openSync(path.join(directory(), `embeddings-${REAL_COUNT}x${DIMENSION}.f16`), 'r');
  try {
    for (let start = from - (from % PIECE); start < end; start += PIECE) {
      readSync(file, halves, 0, halves.byteLength, (start % REAL_COUNT) * DIMENSION * 2);
      for (let i = 0; i < halves.length; i++) base[i] = toFloat[halves[i]];
      const copy = Math.floor(start / REAL_COUNT);
      const piece = copy === 0 ? base.slice() : moveRows(base, copy);
      const first = Math.max(from, start);
      const last = Math.min(end, start + PIECE);
      yield { first, rows: piece.subarray((first - start) * DIMENSION, (last - start) * DIMENSION) };
    }
  } finally {
    closeSync(file);
  }
}

function moveRows(base, copy) {
  const moved = new Float32Array(base.length);
  const noise = new Float64Array(DIMENSION);
  for (let row = 0; row < PIECE; row++) {
    const at = row * DIMENSION;
    const plus = ((row + 2 * copy - 1) % PIECE) * DIMENSION;
    const minus = ((row + 2 * copy) % PIECE) * DIMENSION;
    for (let i = 0; i < DIMENSION; i++) noise[i] = base[plus + i] - base[minus + i];
    const scale = NOISE / Math.sqrt(dot(noise, noise));
    for (let i = 0; i < DIMENSION; i++) noise[i] = base[at + i] + scale * noise[i];
    const inverse = 1 / Math.sqrt(dot(noise, noise));
    for (let i = 0; i < DIMENSION; i++) moved[at + i] = inverse * noise[i];
  }
  return moved;
}

/** The k largest similarities of one query, kept while rows come by. */
class Best {
  #values;
  #count = 0;

  constructor(k) {
    this.#values = new Float64Array(k).fill(-Infinity);
  }

  offer(value) {
    const values = this.#values;
    this.#count++;
    if (value <= values[values.length - 1]) return;
    let i = values.length - 1;
    for (; i > 0 && values[i - 1] < value; i--) values[i] = values[i - 1];
    values[i] = value;
  }

  /** What an answer is judged by: how similar its rows have to be, and how many there are. */
  get judgement() {
    const count = Math.min(this.#count, this.#values.length);
    return { threshold: count === 0 ? Infinity : this.#values[count - 1], count };
  }
}

/** Exact answers over rows that come in pieces: `offer` them, then `judgements()` at any time. */
export class ExactAnswers {
  #queries;
  #best;
  #similarities;

  constructor(query, queryCount, k) {
    this.#queries = Array.from({ length: queryCount }, (_, i) => query(i));
    this.#best = this.#queries.map(() => new Best(k));
    this.#similarities = [0, 1, 2, 3].map(() => new Float64Array(PIECE));
  }

  /** Takes rows, at most a piece of them. */
  offer(rows) {
    const count = rows.length / DIMENSION;
    const row = (i) => rows.subarray(i * DIMENSION, (i + 1) * DIMENSION);
    const inverseNorms = Float64Array.from({ length: count }, (_, i) => 1 / Math.sqrt(dot(row(i), row(i))));
    for (let q = 0; q < this.#queries.length; q += 4) {
      compareFour(row, inverseNorms, this.#queries.slice(q, q + 4), this.#similarities);
      this.#best.slice(q, q + 4).forEach((best, j) => {
        for (let i = 0; i < count; i++) best.offer(this.#similarities[j][i]);
      });
    }
  }

  judgements() {
    return this.#best.map((best) => best.judgement);
  }
}

/** The cosines, up to a factor that depends on the query alone, of all rows with up to four queries. */
function compareFour(row, inverseNorms, queries, into) {
  const [a, b = a, c = a, d = a] = queries;
  for (let i = 0; i < inverseNorms.length; i++) {
    const values = row(i);
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let j = 0; j < DIMENSION; j++) {
      const value = values[j];
      s0 += value * a[j];
      s1 += value * b[j];
      s2 += value * c[j];
      s3 += value * d[j];
    }
    into[0][i] = s0 * inverseNorms[i];
    into[1][i] = s1 * inverseNorms[i];
    into[2][i] = s2 * inverseNorms[i];
    into[3][i] = s3 * inverseNorms[i];
  }
}

/**
 * Judgements of the first queries for several selections of rows at once. A selection is a function of the
 * query's number that gives row numbers. For each selection, one judgement a query.
 */
export function exactSelections(dataset, queryCount, k, selections) {
  const count = dataset.ids.length;
  const inverseNorms = dataset.norms.map((norm) => 1 / norm);
  const similarities = [0, 1, 2, 3].map(() => new Float64Array(count));
  const judgements = selections.map(() => []);
  for (let first = 0; first < queryCount; first += 4) {
    const numbers = [0, 1, 2, 3].map((i) => first + i).filter((q) => q < queryCount);
    compareFour(dataset.embedding, inverseNorms, numbers.map(dataset.query), similarities);
    for (const [i, q] of numbers.entries()) {
      selections.forEach((rowsOf, selection) => {
        const best = new Best(k);
        for (const row of rowsOf(q)) best.offer(similarities[i][row]);
        judgements[selection].push(best.judgement);
      });
    }
  }
  return judgements;
}

/** The same for one selection, the rows that `keep` admits. */
export function exactThresholds(dataset, queryCount, k, keep = () => true) {
  const rows = Uint32Array.from([...dataset.ids.keys()].filter(keep));
  return exactSelections(dataset, queryCount, k, [() => rows])[0];
}

/**
 * The cosine of a text's and a query's embedding, in double precision, up to a factor that depends on the
 * query alone.
 */
export function similarity(dataset, row, queryRow) {
  const query = dataset.query(queryRow);
  return dot(dataset.embedding(row), query) / dataset.norms[row];
}

/**
 * The share of the exact answers that were given, and how many answers had fewer rows than there are.
 * `answers` are lists of row numbers, that of query i at i. A row that is as near as the k-th is right, so
 * that rows equally far are no error; no row counts twice.
 */
export function judge(dataset, judgements, answers) {
  return judgeBy((row, q) => similarity(dataset, row, q), judgements, answers);
}

/** The same for rows of any kind, of which `similarityOf` tells the similarity to a query. */
export function judgeBy(similarityOf, judgements, answers) {
  let found = 0;
  let wanted = 0;
  let shortCount = 0;
  answers.forEach((answer, q) => {
    const { threshold, count } = judgements[q];
    const rows = new Set(answer);
    let hits = 0;
    for (const row of rows) if (similarityOf(row, q) >= threshold - TOLERANCE) hits++;
    found += Math.min(hits, count);
    wanted += count;
    if (rows.size < count) shortCount++;
  });
  return { recall: wanted === 0 ? 1 : found / wanted, shortCount };
}

/** The cosine of two arrays, up to the length of the second. */
export function cosine(values, query) {
  return dot(values, query) / Math.sqrt(dot(values, values));
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
