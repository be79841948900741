/** The processes of `million`, whose memory is measured; they hold one piece of the data at a time. */
import { QUERY_COUNT, readQueries } from './dataset.mjs';
import { now, processMemory } from './measure.mjs';
import { ask, askAll, grownBatches, withCollection } from './store.mjs';

const JUDGED = 50;
/** Exact queries: each reads every embedding that is not in memory. */
const EXACT = 5;

/** Fills a new store, waits for its indexes, and asks. Times in milliseconds, memory in bytes. */
export async function ingestAndAsk({ path, count, memory }) {
  const query = readQueries(QUERY_COUNT);
  return withCollection({ path, memory }, async (collection) => {
    let addMs = 0;
    let told = now();
    for (const batch of grownBatches(0, count)) {
      const start = now();
      await collection.add(batch);
      addMs += now() - start;
      if (now() - told > 20_000) {
        told = now();
        const { resident, peak } = processMemory();
        const state = `${batch.ids[0]}, ${Math.round(resident / 2 ** 20)} MiB, peak ${Math.round(peak / 2 ** 20)}`;
        process.stderr.write(`  … ${state}\n`);
      }
    }
    const { peak: peakAdded } = processMemory();
    const start = now();
    await collection.settle();
    const settleMs = now() - start;
    const { peak: peakSettled } = processMemory();
    await askAll(collection, query, 100);
    const { answers, times } = await askAll(collection, query, QUERY_COUNT);
    const exact = await askAll(collection, query, EXACT, { exact: true });
    return {
      addMs,
      settleMs,
      times,
      found: answers.slice(0, JUDGED),
      exactTimes: exact.times,
      exact: exact.answers,
      stats: await collection.stats(),
      peakAdded,
      peakSettled,
      ...processMemory(),
    };
  });
}

/** Opens the store and asks one query; loading modules and reading the query are not part of the time. */
export async function reopen({ path, memory, query }) {
  const vector = readQueries(query + 1)(query);
  const start = now();
  return withCollection({ path, memory }, async (collection) => {
    const ids = await ask(collection, vector);
    return { ms: now() - start, ids, ...processMemory() };
  });
}
