/**
 * The vector index beside the native libraries for approximate search, in one run.
 *
 *   TESSERA_BENCH_DATA=DIR taskset -c 1 npm run bench -- vectors [--count 100000] [--peers 0] [--json FILE]
 *
 * The peers have a package of their own: `npm install` in bench/peers/ first, or leave them out. `taskset`
 * gives all sides the same single core; hnswlib-node and usearch are told to use one thread.
 *
 * Cosine, k = 10, ids and distances only, in process. A recall is the share of the exact answer found, over
 * 1,000 queries, and the exact answer is computed by the benchmark. Rows are added in turns of a tenth each;
 * searches in turns of 250 queries, medians over the turns. A peer is given the smallest of its search widths
 * that reaches the recall; ours is asked for growing recalls until it gives the one wanted, since what it
 * promises is measured on samples of its own.
 *
 * Filters are of ours alone, compared with ours without one: sets of whole sections, values of `priority`,
 * rows at random, and rows chosen by the query: for each query those of a share that are nearest to, or
 * farthest from, the one of 50 sampled rows that is nearest to the query. Churn compares an index in which a
 * fifth of the rows was ten times removed and added again with one that was built at once.
 */
import { seededNumbers } from '../dist/base/index.js';
import { exactSelections, judge, QUERY_COUNT, readDataset, similarity } from './dataset.mjs';
import { median, now, tell, timeInTurns, withDirectory } from './measure.mjs';
import { allow, OwnIndex } from './own-index.mjs';
import { makePeers } from './peer-indexes.mjs';

export const title = 'The vector index beside native libraries';

const K = 10;
const TURN = 250;
const TURNS = 16;
const SEED = 3;
const CENTRE_COUNT = 50;
const ASKED = [
  0.97, 0.975, 0.98, 0.985, 0.99, 0.9925, 0.995, 0.9975, 0.998, 0.9982, 0.9984, 0.9986, 0.9988, 0.999, 0.9992,
  0.9995, 0.9998,
];

function makeOurs(count, dataset) {
  const index = new OwnIndex(count, SEED);
  let first = 0;
  let length = 0;
  return {
    name: 'tessera',
    index,
    efforts: ASKED,
    setEffort: (recall) => {
      index.recall = recall;
    },
    prepare: (from, count) => {
      first = from;
      length = count;
    },
    add: () => {
      for (let slot = first; slot < first + length; slot++) index.set(slot, dataset.embedding(slot));
      // Between turns only the rows are taken in; what waits for idle times is done, and counted, at the end.
      index.absorb(first + length === count);
    },
    search: (i) => index.search(dataset.query(i), K),
    rowsOf: (slots) => slots,
  };
}

/** Rows per second of each side, a tenth of the rows in turns. */
function addInTurns(sides, count) {
  const spent = sides.map(() => 0);
  for (let turn = 0; turn < 10; turn++) {
    const first = Math.floor((turn * count) / 10);
    const end = Math.floor(((turn + 1) * count) / 10);
    sides.forEach((side, i) => {
      side.prepare(first, end - first);
      const start = now();
      side.add();
      spent[i] += now() - start;
    });
    tell(`${end} rows added to each`);
  }
  return spent.map((ms) => (1000 * count) / ms);
}

const answersOf = (side) => Array.from({ length: QUERY_COUNT }, (_, i) => [...side.rowsOf(side.search(i))]);

/** Sets the least effort that reaches the recall; the one reached, or the best there is. */
function reach(side, wanted, dataset, truth) {
  let best = { effort: side.efforts[0], recall: 0 };
  for (const effort of side.efforts) {
    side.setEffort(effort);
    const { recall } = judge(dataset, truth, answersOf(side));
    if (recall > best.recall) best = { effort, recall };
    if (recall >= wanted) break;
  }
  side.setEffort(best.effort);
  return best;
}

/** Queries per second of each search, in turns. */
async function ratesOf(searches) {
  const works = searches.map((search) => (turn) => {
    const first = (((turn + 2) * TURN) % QUERY_COUNT) | 0;
    for (let i = 0; i < TURN; i++) search(first + i);
  });
  return (await timeInTurns(works, TURNS, 2)).map((ms) => (1000 * TURN) / ms);
}

/** Adding, and searching at two recalls, of all sides. */
async function compareSides(sides, count, dataset, truth) {
  const rows = [];
  const report = (what, rates, goals, reached) => {
    rates.forEach((rate, i) => {
      const row = { case: `${sides[i].name}, ${what}`, recall: reached?.[i].recall, 'per second': rate };
      const isPeer = i > 0;
      if (isPeer) Object.assign(row, { 'ours is × it': rates[0] / rate, reach: goals[sides[i].name] });
      if (reached !== undefined && isPeer) row['search width'] = reached[i].effort;
      rows.push(row);
    });
  };
  const hnswlib = sides[1]?.name;
  report('rows added', addInTurns(sides, count), { [hnswlib]: '≥ 12' });
  for (const [wanted, goals] of [
    [0.99, { [hnswlib]: '≥ 5', 'usearch 2, f32': '≥ 6' }],
    [0.999, { [hnswlib]: '≥ 8' }],
  ]) {
    const reached = sides.map((side) => reach(side, wanted, dataset, truth));
    const rates = await ratesOf(sides.map((side) => side.search));
    report(`queries at recall ≥ ${wanted}`, rates, goals, reached);
    tell(`queries at recall ≥ ${wanted} measured`);
  }
  return rows;
}

/** The largest sections that together are at most a share of the rows. */
function rowsOfSections(dataset, share) {
  const bySection = new Map();
  dataset.metadatas.forEach(({ section }, row) => {
    if (!bySection.has(section)) bySection.set(section, []);
    bySection.get(section).push(row);
  });
  const groups = [...bySection.values()].sort((a, b) => b.length - a.length);
  const chosen = [];
  for (const group of groups) {
    if (chosen.length + group.length <= share * dataset.ids.length) chosen.push(...group);
  }
  return chosen;
}

/**
 * For each query, the share of the rows that is nearest to, or farthest from, the sampled row that is nearest
 * to the query.
 */
function selectionsByQuery(dataset, count) {
  const chance = seededNumbers(SEED + 2);
  const centres = Array.from({ length: CENTRE_COUNT }, () => Math.floor(chance() * count));
  const centreOf = Array.from({ length: QUERY_COUNT }, (_, q) =>
    centres.reduce((a, b) => (similarity(dataset, b, q) > similarity(dataset, a, q) ? b : a)),
  );
  const ranked = new Map(centres.map((centre) => [centre, rankBySimilarity(dataset, centre, count)]));
  return [
    ['near the query', 0.1, (order, length) => order.subarray(0, length)],
    ['near the query', 0.01, (order, length) => order.subarray(0, length)],
    ['far from the query', 0.1, (order, length) => order.subarray(order.length - length)],
    ['far from the query', 0.01, (order, length) => order.subarray(order.length - length)],
  ].map(([name, share, cut]) => {
    const chosen = new Map([...ranked].map(([centre, order]) => [centre, cut(order, share * count)]));
    return { name, rowsOf: (q) => chosen.get(centreOf[q]) };
  });
}

function rankBySimilarity(dataset, centre, count) {
  const target = dataset.embedding(centre);
  const query = { ...dataset, query: () => target };
  const similarities = Float64Array.from({ length: count }, (_, row) => similarity(query, row, 0));
  return Uint32Array.from({ length: count }, (_, row) => row).sort(
    (a, b) => similarities[b] - similarities[a],
  );
}

/** What filters allow; a selection gives the rows for a query. The first is without a filter. */
function makeSelections(dataset, count) {
  const every = Uint32Array.from(dataset.ids.keys());
  const selections = [{ name: 'no filter', rowsOf: () => every }];
  const fix = (name, rows) => {
    if (rows.length > 0) selections.push({ name, rowsOf: () => rows });
  };
  const chance = seededNumbers(SEED);
  const lots = Float64Array.from(every, () => chance());
  for (const share of [0.5, 0.1, 0.01, 0.001, 0.0001]) {
    fix('rows at random', [...every.filter((row) => lots[row] < share)]);
    fix('whole sections', rowsOfSections(dataset, share));
  }
  for (const value of ['optional', 'extra', 'required']) {
    fix(`priority = ${value}`, [...every.filter((row) => dataset.metadatas[row].priority === value)]);
  }
  return [...selections, ...selectionsByQuery(dataset, count)];
}

async function measureFilters(index, dataset, selections, judgements, count) {
  // Queries for which the rows are the same share one bitmap, which is made beforehand, as the columns do.
  const bitmaps = new Map();
  const maskOf = (rows) => {
    if (!bitmaps.has(rows)) bitmaps.set(rows, allow(rows, count));
    return bitmaps.get(rows);
  };
  const searches = selections.map(({ rowsOf }) => {
    const masks = Array.from({ length: QUERY_COUNT }, (_, q) => maskOf(rowsOf(q)));
    return (q) => index.search(dataset.query(q), K, masks[q].allowed, masks[q].allowedCount);
  });
  const judged = searches.map((search, i) =>
    judge(dataset, judgements[i], answersOf({ search, rowsOf: (rows) => rows })),
  );
  const rates = await ratesOf(searches);
  return selections.map(({ name, rowsOf }, i) => ({
    case: `tessera, ${name}, ${Number(((100 * rowsOf(0).length) / count).toPrecision(2))} % allowed`,
    recall: judged[i].recall,
    'per second': rates[i],
    'short answers': judged[i].shortCount,
    'of unfiltered': rates[i] / rates[0],
    reach: i === 0 ? undefined : '≥ 0.5, recall ≥ 0.99, 0 short',
  }));
}

/** Ten rounds of removing a fifth of the rows and adding it again, beside one built at once. */
async function measureChurn(fresh, dataset, truth, count) {
  const worn = makeOurs(count, dataset);
  worn.prepare(0, count);
  worn.add();
  const chance = seededNumbers(SEED + 1);
  let replaced = 0;
  const start = now();
  for (let round = 0; round < 10; round++) {
    const slots = Array.from({ length: count }, (_, slot) => slot).filter(() => chance() < 0.2);
    for (const slot of slots) worn.index.remove(slot);
    worn.index.absorb(true);
    for (const slot of slots) worn.index.set(slot, dataset.embedding(slot));
    worn.index.absorb(true);
    replaced += slots.length;
  }
  const perSecond = (1000 * replaced) / (now() - start);
  const rates = await ratesOf([fresh.search, worn.search]);
  const recalls = [fresh, worn].map((side) => judge(dataset, truth, answersOf(side)).recall);
  return [
    { case: 'tessera, rows replaced in churn', 'per second': perSecond },
    { case: 'tessera, queries, built at once', recall: recalls[0], 'per second': rates[0] },
    {
      case: 'tessera, queries, after ten rounds of replacing 20 %',
      recall: recalls[1],
      'per second': rates[1],
      'of fresh': rates[1] / rates[0],
      reach: '≥ 0.85, recall ≥ 0.99',
    },
  ];
}

/** How often a row is found by its own embedding straight after it was set, and how long that takes. */
function findAtOnce(dataset, count) {
  const index = new OwnIndex(count, SEED);
  const times = [];
  let found = 0;
  for (let row = 0; row < Math.min(count, 1_000); row++) {
    const start = now();
    index.set(row, dataset.embedding(row));
    found += [...index.search(dataset.embedding(row), 1)].includes(row);
    times.push(now() - start);
  }
  return (
    `Of the first ${times.length} rows ${found} were found by their own embeddings at once, before anything was ` +
    `absorbed (one with an equal before it counts as missed); ${median(times).toFixed(3)} ms to add and search.`
  );
}

/** Runs the comparison. `ours is × it` is our rate divided by that of the peer. */
export async function run(options = {}) {
  const count = Number(options.count ?? 100_000);
  const dataset = readDataset(count, QUERY_COUNT);
  const selections = makeSelections(dataset, count);
  const judgements = exactSelections(
    dataset,
    QUERY_COUNT,
    K,
    selections.map(({ rowsOf }) => rowsOf),
  );
  tell('exact answers computed');
  const [truth] = judgements;
  const ours = makeOurs(count, dataset);
  return withDirectory(async (directory) => {
    const peers = options.peers === '0' ? [] : makePeers(count, dataset, QUERY_COUNT, K, directory);
    const rows = await compareSides([ours, ...peers], count, dataset, truth);
    ours.setEffort(0.99);
    rows.push(...(await measureFilters(ours.index, dataset, selections, judgements, count)));
    tell('filters measured');
    rows.push(...(await measureChurn(ours, dataset, truth, count)));
    const { cellCount, measuredRecall, bytes } = ours.index.statistics();
    const share = (bytes / (count * dataset.embedding(0).byteLength)).toFixed(2);
    const note = `${cellCount} cells, recall measured on own samples ${measuredRecall}, ${share} × the floats.`;
    return { rows, notes: [note, findAtOnce(dataset, count)] };
  });
}
