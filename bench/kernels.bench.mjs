/**
 * The kernels against their plain TypeScript oracles, and exact search against computing every distance.
 *
 *   [TESSERA_BENCH_DATA=DIR] npm run bench -- kernels [--count 20000] [--queries 1000] [--json FILE]
 *
 * Both sides of a row are measured in turns, one short run of each, again and again, so that a disturbance
 * of the machine hits both alike; medians over the turns are reported. Without the data set the vectors are
 * drawn from clusters by a seeded generator.
 *
 * The yardstick of the searches computes the exact dot product of the query with every row by the float
 * kernel, on rows that already lie in the kernel's memory, and selects nothing: less than any plain search
 * has to do. It reads 2 KB a row and so drives the codes out of the processor's cache; the first of our
 * searches in each turn is therefore a cold one.
 */
import { Bitset, seededNumbers } from '../dist/base/index.js';
import { dot, Kernel, scanList, scanRun, squaredL2 } from '../dist/kernel/index.js';
import { FlatIndex } from '../dist/vectors/index.js';
import { DIMENSION, readDataset } from './dataset.mjs';

export const title = 'Kernels and exact search';

const ROUNDS = 15;
const BATCH = 1000;
const SEED = 20_000;

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/**
 * Milliseconds for one unit of work of each side: medians over interleaved rounds, the first two discarded.
 */
function compare(ours, yardstick, units) {
  const times = { ours: [], yardstick: [] };
  for (let round = -2; round < ROUNDS; round++) {
    for (const [side, work] of [
      ['ours', ours],
      ['yardstick', yardstick],
    ]) {
      const start = performance.now();
      work();
      if (round >= 0) times[side].push((performance.now() - start) / units);
    }
  }
  return { ours: median(times.ours), yardstick: median(times.yardstick) };
}

/** Unit vectors around 200 centres. */
function drawVectors(count, queryCount) {
  const next = seededNumbers(SEED);
  const centres = Float32Array.from({ length: 200 * DIMENSION }, () => next() - 0.5);
  const draw = () => {
    const at = Math.floor(next() * 200) * DIMENSION;
    const vector = Float32Array.from({ length: DIMENSION }, (_, i) => centres[at + i] + (next() - 0.5) * 0.8);
    const norm = Math.sqrt(dot(vector, vector));
    return vector.map((x) => x / norm);
  };
  const rows = Array.from({ length: count }, draw);
  const queries = Array.from({ length: queryCount }, draw);
  return { embedding: (row) => rows[row], query: (row) => queries[row] };
}

/** Nanoseconds per 512-dimensional product, kernel against oracle, on operands that fit into the cache. */
function measureProducts() {
  const next = seededNumbers(SEED);
  const queryAt = 0;
  const floatsAt = queryAt + DIMENSION * 2;
  const listAt = floatsAt + DIMENSION * 8;
  const outAt = listAt + BATCH * 4;
  const codesAt = outAt + BATCH * 4;
  const { buffer, calls } = new Kernel(codesAt + BATCH * DIMENSION);
  const query = new Int16Array(buffer, queryAt, DIMENSION).map(() => (next() - 0.5) * 60_000);
  const codes = new Int8Array(buffer, codesAt, BATCH * DIMENSION).map(() => (next() - 0.5) * 254);
  const list = new Uint32Array(buffer, listAt, BATCH).map(() => next() * BATCH);
  const left = Float32Array.from({ length: DIMENSION }, () => next() - 0.5);
  const right = Float32Array.from({ length: DIMENSION }, () => next() - 0.5);
  new Int16Array(buffer, queryAt, DIMENSION).set(query);
  new Int8Array(buffer, codesAt, codes.length).set(codes);
  new Uint32Array(buffer, listAt, BATCH).set(list);
  new Float32Array(buffer, floatsAt, DIMENSION).set(left);
  new Float32Array(buffer, floatsAt + DIMENSION * 4, DIMENSION).set(right);
  const out = new Int32Array(BATCH);
  const leftAt = floatsAt;
  const rightAt = floatsAt + DIMENSION * 4;
  let sink = 0;
  const repeated = (work) => () => {
    for (let i = 0; i < BATCH; i++) sink += work();
  };
  const cases = {
    'dot of 8-bit codes, rows in a run': [
      () => calls.scanRun(codesAt, BATCH, DIMENSION, queryAt, outAt),
      () => scanRun(codes, 0, BATCH, DIMENSION, query, out),
    ],
    'dot of 8-bit codes, listed rows': [
      () => calls.scanList(codesAt, listAt, BATCH, DIMENSION, queryAt, outAt),
      () => scanList(codes, 0, list, DIMENSION, query, out),
    ],
    'dot of floats in float64': [
      repeated(() => calls.dot(leftAt, rightAt, DIMENSION)),
      repeated(() => dot(left, right)),
    ],
    'squared l2 of floats in float64': [
      repeated(() => calls.squaredL2(leftAt, rightAt, DIMENSION)),
      repeated(() => squaredL2(left, right)),
    ],
  };
  const rows = Object.entries(cases).map(([name, [ours, yardstick]]) =>
    toRow(`${name}, ${DIMENSION} dims`, 'ns', compare(ours, yardstick, BATCH / 1e6)),
  );
  if (!Number.isFinite(sink)) throw new Error('The sums of the kernels are not finite.');
  return rows;
}

function toRow(name, unit, { ours, yardstick }, extra = {}) {
  return { case: name, unit, ours, yardstick, ratio: yardstick / ours, reranked: '', ...extra };
}

/** A function that computes the product of a query with every row, floats in the kernel's memory. */
function plainScan(data, count) {
  const { buffer, calls } = new Kernel((count + 1) * DIMENSION * 4);
  const floats = new Float32Array(buffer, 0, (count + 1) * DIMENSION);
  for (let row = 0; row < count; row++) floats.set(data.embedding(row), (row + 1) * DIMENSION);
  return (query) => {
    floats.set(query);
    let sum = 0;
    for (let row = 1; row <= count; row++) sum += calls.dot(0, row * DIMENSION * 4, DIMENSION);
    return sum;
  };
}

function measureSearches(data, count, queryCount) {
  const scan = plainScan(data, count);
  const rows = [];
  const measure = (index, space, share, k) => {
    const next = seededNumbers(SEED + k);
    const allowed = new Bitset(count);
    for (let slot = 0; slot < count; slot++) if (next() < share) allowed.add(slot);
    const allowedCount = allowed.count();
    let at = 0;
    let reranked = 0;
    let searches = 0;
    const perRound = Math.ceil(queryCount / ROUNDS);
    const ours = () => {
      for (let i = 0; i < perRound; i++) {
        reranked += index.search(data.query(at++ % queryCount), k, allowed, allowedCount).reranked;
        searches++;
      }
    };
    const yardstick = () => {
      for (let i = 0; i < perRound; i++) scan(data.query(at++ % queryCount));
    };
    const times = compare(ours, yardstick, perRound);
    const name = `${space}, k = ${k}, ${share * 100} % of ${count} rows allowed`;
    rows.push(toRow(name, 'ms', times, { reranked: reranked / searches }));
  };
  for (const space of ['cosine', 'l2', 'ip']) {
    const index = new FlatIndex({ space, dimension: DIMENSION });
    for (let row = 0; row < count; row++) index.set(row, data.embedding(row));
    measure(index, space, 1, 10);
    if (space !== 'cosine') continue;
    for (const k of [100, 1000]) measure(index, space, 1, k);
    for (const share of [0.9, 0.5, 0.1, 0.01]) measure(index, space, share, 10);
  }
  return rows;
}

/**
 * Both tables in one: `ours` and `yardstick` in the unit of the row, `ratio` how many times ours is faster.
 */
export async function run(options = {}) {
  const count = Number(options.count ?? 20_000);
  const queryCount = Number(options.queries ?? 1000);
  const isReal = process.env.TESSERA_BENCH_DATA !== undefined;
  const data = isReal ? readDataset(count, queryCount) : drawVectors(count, queryCount);
  const rows = [...measureProducts(), ...measureSearches(data, count, queryCount)];
  return { rows, notes: [isReal ? 'Real embeddings.' : 'Drawn vectors: TESSERA_BENCH_DATA is not set.'] };
}
