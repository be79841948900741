/**
 * The clustered index beside the native libraries for approximate search, in one run.
 *
 *   TESSERA_BENCH_DATA=DIR npm run bench -- vectors [--count 100000] [--peers 0] [--json FILE]
 *
 * The peers have a package of their own: `npm install` in bench/peers/ first, or leave them out. Pin the
 * process to one core (`taskset -c 1`), so that no side has more of them; hnswlib-node and usearch are told
 * to use one thread.
 *
 * Cosine, k = 10, ids and distances only, in process. A recall is the share of the exact answer found, over
 * all queries. Rows are added in turns of a tenth each; searches in turns of 250 queries, medians over the
 * turns. A peer is given the smallest of the listed search widths that reaches the recall; ours is asked for
 * growing recalls until it gives the one wanted, since what it promises is measured on its own rows.
 */
import { createRequire } from 'node:module';
import { Bitset, seededNumbers } from '../dist/base/index.js';
import { ClusteredIndex } from '../dist/vectors/index.js';
import { DIMENSION, readDataset } from './dataset.mjs';

export const title = 'Approximate search beside native libraries';

const K = 10;
const QUERIES = 1000;
const TURN = 250;
const TURNS = 16;
const SLICE_MS = 3;
const SEED = 3;
const WIDTHS = [20, 40, 60, 80, 100, 130, 160, 200, 260, 330, 400, 500, 650, 800];
const ASKED = [0.98, 0.985, 0.99, 0.9925, 0.995, 0.9975, 0.999, 0.9995, 0.9998];

const now = () => performance.now();
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

function makeOurs(count) {
  const index = new ClusteredIndex({
    space: 'cosine',
    dimension: DIMENSION,
    random: seededNumbers(SEED),
  });
  const all = Bitset.full(count);
  let recall = 0.99;
  return {
    name: 'tessera',
    index,
    efforts: ASKED,
    setEffort: (asked) => {
      recall = asked;
    },
    add: (rows, row) => {
      for (const slot of rows) index.set(slot, row(slot));
      // Between turns only the rows are taken in; what waits for idle times is done, and counted, at the end.
      const isLast = rows.at(-1) === count - 1;
      while (index.maintain(SLICE_MS, now) && (isLast || index.statistics().tailCount > 0));
    },
    search: (query) => index.search(query, K, all, count, { recall }).slots,
  };
}

/** The libraries that are installed; arrays are made beforehand where a library wants them. */
function makePeers(count, data) {
  const require = createRequire(new URL('./peers/package.json', import.meta.url));
  const { HierarchicalNSW } = require('hnswlib-node');
  const graph = new HierarchicalNSW('cosine', DIMENSION);
  graph.initIndex({ maxElements: count, m: 16, efConstruction: 100 });
  const arrays = new Map(Array.from({ length: QUERIES }, (_, i) => [data.query(i), [...data.query(i)]]));
  const usearch = require('usearch');
  const compact = new usearch.Index({ metric: 'cos', quantization: 'f32', dimensions: DIMENSION });
  return [
    {
      name: 'hnswlib-node 3, M 16, efConstruction 100',
      efforts: WIDTHS,
      setEffort: (width) => graph.setEf(width),
      add: (rows, row) => {
        for (const label of rows) graph.addPoint([...row(label)], label);
      },
      search: (query) => graph.searchKnn(arrays.get(query), K).neighbors,
    },
    {
      name: 'usearch 2, f32, as it comes',
      efforts: [64],
      setEffort: () => {},
      add: (rows, row) => {
        for (const key of rows) compact.add(BigInt(key), row(key), 1);
      },
      search: (query) => Array.from(compact.search(query, K, 1).keys, Number),
    },
  ];
}

/** Rows per second of each side, a tenth of the rows in turns. */
function addInTurns(sides, count, data) {
  const spent = sides.map(() => 0);
  for (let turn = 0; turn < 10; turn++) {
    const first = Math.floor((turn * count) / 10);
    const rows = Array.from({ length: Math.floor(((turn + 1) * count) / 10) - first }, (_, i) => first + i);
    sides.forEach((side, i) => {
      const start = now();
      side.add(rows, data.embedding);
      spent[i] += now() - start;
    });
  }
  return spent.map((ms) => (1000 * count) / ms);
}

function recallOf(side, data, truth) {
  let found = 0;
  for (let i = 0; i < QUERIES; i++)
    for (const slot of side.search(data.query(i))) found += truth[i].has(slot);
  return found / truth.reduce((sum, slots) => sum + slots.size, 0);
}

/** Sets the least effort that reaches the recall; the one reached, or the best there is. */
function reach(side, wanted, data, truth) {
  let recall = 0;
  for (const effort of side.efforts) {
    side.setEffort(effort);
    recall = recallOf(side, data, truth);
    if (recall >= wanted) return { effort, recall };
  }
  return { effort: side.efforts.at(-1), recall };
}

/** Queries per second of each work, in turns. */
function timeInTurns(works, data) {
  const times = works.map(() => []);
  for (let turn = -2; turn < TURNS; turn++) {
    works.forEach((work, i) => {
      const start = now();
      for (let j = 0; j < TURN; j++) work(data.query((((turn + 2) * TURN) % QUERIES) + j));
      if (turn >= 0) times[i].push(now() - start);
    });
  }
  return times.map((list) => (1000 * TURN) / median(list));
}

function exactAnswers(index, data, allowed, allowedCount) {
  return Array.from({ length: QUERIES }, (_, i) => {
    return new Set(index.search(data.query(i), K, allowed, allowedCount, { recall: 1 }).slots);
  });
}

/** Filters that are independent of the query, on our side; the last row is without one. */
function measureFilters(index, count, data) {
  const chance = seededNumbers(SEED);
  const cases = [0.5, 0.1, 0.03, 0.01, 0.001, 0.0001, 1].map((share) => {
    const allowed = new Bitset(count);
    for (let slot = 0; slot < count; slot++) if (chance() < share) allowed.add(slot);
    return { share, allowed, allowedCount: allowed.count() };
  });
  const recalls = cases.map(({ allowed, allowedCount }) => {
    const truth = exactAnswers(index, data, allowed, allowedCount);
    return recallOf({ search: (query) => index.search(query, K, allowed, allowedCount).slots }, data, truth);
  });
  const works = cases.map(
    ({ allowed, allowedCount }) =>
      (query) =>
        index.search(query, K, allowed, allowedCount),
  );
  return timeInTurns(works, data).map((rate, i) => ({
    case: `tessera, ${100 * cases[i].share} % of rows allowed`,
    recall: recalls[i],
    'per second': rate,
  }));
}

/** Ten rounds of deleting a fifth of the rows and adding them again. */
function measureChurn(index, count, data, truth) {
  const chance = seededNumbers(SEED + 1);
  const all = Bitset.full(count);
  const side = { search: (query) => index.search(query, K, all, count).slots };
  const [fresh] = timeInTurns([side.search], data);
  let replaced = 0;
  const start = now();
  for (let round = 0; round < 10; round++) {
    const slots = Array.from({ length: count }, (_, slot) => slot).filter(() => chance() < 0.2);
    for (const slot of slots) index.remove(slot);
    for (const slot of slots) index.set(slot, data.embedding(slot));
    while (index.maintain(SLICE_MS, now));
    replaced += slots.length;
  }
  const perSecond = (1000 * replaced) / (now() - start);
  const [worn] = timeInTurns([side.search], data);
  const name = 'tessera, after ten rounds of replacing 20 %';
  return [
    { case: `${name}: replacing`, 'per second': perSecond },
    {
      case: `${name}: queries`,
      recall: recallOf(side, data, truth),
      'per second': worn,
      ratio: worn / fresh,
    },
  ];
}

/** One row a measurement; `ratio` is ours to the first peer at the same recall. */
export async function run(options = {}) {
  const count = Number(options.count ?? 100_000);
  const { embedding, query } = readDataset(count, QUERIES);
  // The same objects every time, since what a peer needs in another form is looked up by them.
  const queries = Array.from({ length: QUERIES }, (_, i) => query(i));
  const data = { embedding, query: (i) => queries[i] };
  const ours = makeOurs(count);
  const sides = options.peers === '0' ? [ours] : [ours, ...makePeers(count, data)];
  const rows = [];
  const report = (what, rates, recalls) => {
    rates.forEach((rate, i) => {
      const name = `${sides[i].name}, ${what}`;
      const row = { case: name, recall: recalls?.[i], 'per second': rate };
      rows.push(i === 0 && rates.length > 1 ? { ...row, ratio: rate / rates[1] } : row);
    });
  };
  report('rows added', addInTurns(sides, count, data));
  const truth = exactAnswers(ours.index, data, Bitset.full(count), count);
  for (const wanted of [0.99, 0.999]) {
    const reached = sides.map((side) => reach(side, wanted, data, truth));
    const works = sides.map((side, i) => {
      side.setEffort(reached[i].effort);
      return side.search;
    });
    const recalls = reached.map(({ recall }) => recall);
    report(`queries at recall ≥ ${wanted}`, timeInTurns(works, data), recalls);
  }
  rows.push(...measureFilters(ours.index, count, data), ...measureChurn(ours.index, count, data, truth));
  const { cellCount, measuredRecall, bytes } = ours.index.statistics();
  const share = bytes / (count * DIMENSION * 4);
  const note = `${cellCount} cells, recall measured on own rows ${measuredRecall}, ${share.toFixed(2)} × the floats.`;
  return { rows, notes: [note] };
}
