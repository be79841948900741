/**
 * A million embeddings of 512 dimensions, 2 GB of floats, in a process that takes at most 512 MB.
 *
 *   TESSERA_BENCH_DATA=DIR npm run bench -- million [--count 1000000] [--memory 512MB] [--json FILE]
 *
 * A child process with `PersistentClient({ path, memory })` adds them in batches of 500 with one metadata key
 * each, acknowledged and durable, settles, and asks: 1,000 queries at the recall that is the default, for the
 * times; 5 of them by `exact: true`. What bounds the memory is the setting alone; what is reported is the
 * peak of the whole process (VmHWM): Node, all threads, the data it makes piece by piece, everything. Further
 * children, each with the setting and a peak of its own, open what the first has left and ask one query.
 *
 * Rows beyond 100,000 are noise around those of the data set (dataset.mjs, `readGrownRows`). The exact
 * answers that all others are judged by are computed here, in double precision. The directory, about 2.6 GB,
 * is made below the system's place for temporary files and removed.
 */
import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import {
  cosine,
  DIMENSION,
  ExactAnswers,
  judgeBy,
  QUERY_COUNT,
  readGrownRows,
  readQueries,
} from './dataset.mjs';
import { directoryBytes, inChild, median, quantile, tell, withDirectory } from './measure.mjs';
import { grownRowOf, K } from './store.mjs';

export const title = 'A million embeddings in 512 MB';

const TASKS = new URL('./million-tasks.mjs', import.meta.url).href;
const JUDGED = 50;
const REOPENINGS = 5;
const MB = 2 ** 20;

/** Exact answers to the first queries, and cosines of all rows named in `answers`, in one reading. */
function judgeAll(count, query, answers) {
  const exact = new ExactAnswers(query, JUDGED, K);
  const wanted = new Map();
  answers.flat().forEach((row) => {
    wanted.set(row, undefined);
  });
  for (const { first, rows } of readGrownRows(0, count)) {
    exact.offer(rows);
    for (let i = 0; i < rows.length / DIMENSION; i++) {
      if (wanted.has(first + i)) {
        wanted.set(first + i, rows.slice(i * DIMENSION, (i + 1) * DIMENSION));
      }
    }
  }
  return { judgements: exact.judgements(), similarityOf: (row, q) => cosine(wanted.get(row), query(q)) };
}

function checkSpace(count) {
  const needed = count * 3_500;
  const { bavail, bsize } = statfsSync(tmpdir());
  if (bavail * bsize >= needed) return;
  throw new Error(`Expected ${Math.ceil(needed / 1e9)} GB free in ${tmpdir()}. Set TMPDIR to another place.`);
}

/** One row a measure. */
export async function run(options = {}) {
  const count = Number(options.count ?? 1_000_000);
  const memory = options.memory ?? '512MB';
  checkSpace(count);
  return withDirectory(async (directory) => {
    const task = { path: directory, count, memory };
    const first = await inChild(TASKS, 'ingestAndAsk', task);
    tell('ingested and asked');
    const reopened = [];
    for (let i = 0; i < REOPENINGS; i++) reopened.push(await inChild(TASKS, 'reopen', { ...task, query: i }));
    tell('reopened');
    const asRows = (answers) => answers.map((ids) => ids.map(grownRowOf));
    const [found, exact, opened] = [first.found, first.exact, reopened.map(({ ids }) => ids)].map(asRows);
    const { judgements, similarityOf } = judgeAll(
      count,
      readQueries(QUERY_COUNT),
      [found, exact, opened].flat(),
    );
    const recallOf = (answers) => judgeBy(similarityOf, judgements, answers).recall;
    // An answer is right where at most one of the ten is passed over, as the default recall allows.
    const rightCount = opened.filter((rows, i) => {
      const judgement = judgements.slice(i, i + 1);
      return judgeBy((row) => similarityOf(row, i), judgement, [rows]).recall >= 0.9;
    }).length;
    const times = reopened.map(({ ms }) => ms);
    const peaks = [first.peak, Math.max(...reopened.map(({ peak }) => peak))].map((bytes) => bytes / MB);
    const { stats } = first;
    return {
      rows: [
        { measure: 'peak of the process that ingests and asks, MiB', value: peaks[0], reach: '≤ 512' },
        { measure: '… when everything was added, MiB', value: first.peakAdded / MB },
        { measure: '… when it had settled, MiB', value: first.peakSettled / MB },
        { measure: 'peak of one that opens and asks, MiB', value: peaks[1], reach: '≤ 512' },
        { measure: 'records/s added, durable', value: (1000 * count) / first.addMs },
        { measure: 'settled after, s', value: first.settleMs / 1000 },
        { measure: 'records/s, settling included', value: (1000 * count) / (first.addMs + first.settleMs) },
        { measure: 'query, p50 ms', value: quantile(first.times, 0.5) },
        { measure: 'query, p99 ms', value: quantile(first.times, 0.99) },
        { measure: `recall@${K} of ${JUDGED} queries`, value: recallOf(found), reach: '≥ 0.99' },
        { measure: 'query with exact: true, p50 ms', value: quantile(first.exactTimes, 0.5) },
        { measure: 'recall with exact: true', value: recallOf(exact), reach: '1' },
        { measure: 'reopen to first answer, ms, median of 5', value: median(times), reach: '≤ 1,000' },
        { measure: 'reopen, the slowest, ms', value: Math.max(...times) },
        { measure: `reopen, right answers of ${REOPENINGS}`, value: rightCount, reach: String(REOPENINGS) },
        { measure: 'on disk, × the floats', value: directoryBytes(directory) / (count * DIMENSION * 4) },
      ],
      notes: [
        `stats(): ${stats.vectors.kind}, ${stats.vectors.cellCount} cells, measured recall ` +
          `${stats.vectors.measuredRecall}, ${stats.vectors.cachedCount} embeddings cached, ` +
          `${(stats.memory.used / MB).toFixed(0)} of ${(stats.memory.budget / MB).toFixed(0)} MiB used.`,
      ],
    };
  });
}
