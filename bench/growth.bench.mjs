/**
 * What a query costs as a collection grows, from 10,000 to 1,000,000 rows.
 *
 *   TESSERA_BENCH_DATA=DIR taskset -c 1 npm run bench -- growth [--max 1000000] [--svg FILE] [--json FILE]
 *
 * One vector index in process, cosine, k = 10, recall 0.99 asked for, ids and distances only. Up to 100,000
 * rows are those of the data set; the further ones are its rows moved by noise of length 0.3 that has the
 * set's own spread (dataset.mjs, `readGrownRows`). At each size the index is settled, 1,000 queries are timed
 * in turns of 250 (medians), and the recall of 250 of them is taken against the exact answer, computed here.
 * They are the same at every size: from 50,000 rows on the index remembers some, and measures what they need.
 * The sizes cannot take turns, so cost is the CPU time of the process, which hardly depends on what else the
 * machine does meanwhile; the time on the clock stands beside it.
 *
 * The exponent e of `time ~ rows^e` is fitted by least squares of the logarithms, to all sizes and to those
 * that have cells, since small ones are searched exactly; that between the first and the last stands beside
 * them. The chart is drawn to `--svg`.
 */
import { writeFileSync } from 'node:fs';
import { drawGrowth } from './chart.mjs';
import {
  cosine,
  DIMENSION,
  ExactAnswers,
  judgeBy,
  QUERY_COUNT,
  readGrownRows,
  readQueries,
} from './dataset.mjs';
import { median, now, tell } from './measure.mjs';
import { OwnIndex } from './own-index.mjs';

export const title = 'Cost of a query from ten thousand rows to a million';

const SIZES = [10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000];
const K = 10;
const TURN = 250;
const TURNS = 12;
const JUDGED = 250;
const SEED = 5;

/** Adds rows `from` up to `end`, to the exact answers as well; milliseconds that the index took. */
function grow(index, exact, from, end) {
  let spent = 0;
  for (const { first, rows } of readGrownRows(from, end)) {
    exact.offer(rows);
    const start = now();
    for (let at = 0; at < rows.length; at += DIMENSION) {
      index.set(first + at / DIMENSION, rows.subarray(at, at + DIMENSION));
    }
    index.absorb(false);
    spent += now() - start;
  }
  const start = now();
  index.absorb(true);
  return spent + now() - start;
}

/** Cosines of found rows with their queries, which are read again from the data set. */
function readSimilarities(answers, count, query) {
  const queriesOf = new Map();
  answers.forEach((rows, q) => {
    for (const row of rows) queriesOf.set(row, [...(queriesOf.get(row) ?? []), q]);
  });
  const similarities = new Map();
  for (const { first, rows } of readGrownRows(0, count)) {
    for (let i = 0; i < rows.length / DIMENSION; i++) {
      for (const q of queriesOf.get(first + i) ?? []) {
        const values = rows.subarray(i * DIMENSION, (i + 1) * DIMENSION);
        similarities.set(`${first + i}/${q}`, cosine(values, query(q)));
      }
    }
  }
  return (row, q) => similarities.get(`${row}/${q}`);
}

function measureAt(index, exact, count, query) {
  const times = [];
  const cpuTimes = [];
  for (let turn = -2; turn < TURNS; turn++) {
    const first = ((turn + 2) * TURN) % QUERY_COUNT;
    const start = now();
    const cpu = process.cpuUsage();
    for (let i = 0; i < TURN; i++) index.search(query(first + i), K);
    const { user, system } = process.cpuUsage(cpu);
    if (turn < 0) continue;
    times.push((now() - start) / TURN);
    cpuTimes.push((user + system) / 1_000 / TURN);
  }
  const answers = Array.from({ length: JUDGED }, (_, q) => [...index.search(query(q), K)]);
  const similarityOf = readSimilarities(answers, count, query);
  const { recall } = judgeBy(similarityOf, exact.judgements(), answers);
  return { ms: median(times), cpuMs: median(cpuTimes), recall };
}

/** Slope and start of the line through the logarithms, by least squares. */
function fitPower(points) {
  const logs = points.map(({ rows, ms }) => [Math.log(rows), Math.log(ms)]);
  const mean = (i) => logs.reduce((sum, pair) => sum + pair[i], 0) / logs.length;
  const [x0, y0] = [mean(0), mean(1)];
  const covariance = logs.reduce((sum, [x, y]) => sum + (x - x0) * (y - y0), 0);
  const exponent = covariance / logs.reduce((sum, [x]) => sum + (x - x0) ** 2, 0);
  return { exponent, factor: Math.exp(y0 - exponent * x0) };
}

/** One row a size, and the fit. */
export async function run(options = {}) {
  const max = Number(options.max ?? SIZES.at(-1));
  const query = readQueries(QUERY_COUNT);
  const index = new OwnIndex(max, SEED);
  const exact = new ExactAnswers(query, JUDGED, K);
  const rows = [];
  let from = 0;
  for (const count of SIZES.filter((size) => size <= max)) {
    const spent = grow(index, exact, from, count);
    const { ms, cpuMs, recall } = measureAt(index, exact, count, query);
    const { cellCount, bytes } = index.statistics();
    rows.push({
      rows: count,
      'ms a query': ms,
      'CPU ms a query': cpuMs,
      'per second': 1000 / ms,
      recall,
      'rows added/s': (1000 * (count - from)) / spent,
      cells: cellCount,
      'memory, × floats': bytes / (count * DIMENSION * 4),
    });
    tell(`${count} rows: ${ms.toFixed(3)} ms a query, recall ${recall.toFixed(4)}`);
    from = count;
  }
  const points = rows.map((row) => ({ rows: row.rows, ms: row['CPU ms a query'], recall: row.recall }));
  const [first, last] = [points[0], points.at(-1)];
  const fit = fitPower(points);
  const between = Math.log(last.ms / first.ms) / Math.log(last.rows / first.rows);
  if (options.svg !== undefined) writeFileSync(options.svg, drawGrowth(points, fit));
  const withCells = points.filter((_, i) => rows[i].cells > 0);
  const ofCells = withCells.length < 2 ? 'unknown' : fitPower(withCells).exponent.toFixed(3);
  const notes = [
    `Exponent fitted to all sizes ${fit.exponent.toFixed(3)}, to those that have cells ${ofCells}, between the ` +
      `first and the last ${between.toFixed(3)}; to be reached: ≤ 0.35.`,
    `Least recall ${Math.min(...rows.map(({ recall }) => recall))}; to be reached: ≥ 0.99.`,
  ];
  return { rows, notes };
}
