/** Collections in this process, filled and asked as the benchmarks need it. */
import { PersistentClient } from '../dist/index.js';
import { DIMENSION, judge, readGrownRows } from './dataset.mjs';

export const NAME = 'bench';
export const BATCH = 500;
export const K = 10;

/** Opens the collection of a directory, made if need be, and calls `work(collection, client)`. */
export async function withCollection(settings, work) {
  const client = new PersistentClient(settings);
  try {
    return await work(await openCollection(client), client);
  } finally {
    await client.close();
  }
}

export function openCollection(client) {
  return client.getOrCreateCollection({
    name: NAME,
    configuration: { hnsw: { space: 'cosine' } },
    embeddingFunction: null,
  });
}

/** Rows `first` up to `end` of the data set, with documents and metadata, as `add` takes them. */
export function recordsOf(dataset, first, end) {
  return {
    ids: dataset.ids.slice(first, end),
    embeddings: Array.from({ length: end - first }, (_, i) => dataset.embedding(first + i)),
    documents: dataset.documents.slice(first, end),
    metadatas: dataset.metadatas.slice(first, end),
  };
}

/** Adds the whole data set in batches and waits until the indexes have taken it in. */
export async function fill(collection, dataset) {
  for (let first = 0; first < dataset.ids.length; first += BATCH) {
    await collection.add(recordsOf(dataset, first, Math.min(first + BATCH, dataset.ids.length)));
  }
  await collection.settle();
}

/** Batches of grown rows `from` up to `end` without documents, as `add` takes them; the id is the number. */
export function* grownBatches(from, end) {
  for (const { first, rows } of readGrownRows(from, end)) {
    const count = rows.length / DIMENSION;
    for (let i = 0; i < count; i += BATCH) {
      const numbers = Array.from({ length: Math.min(BATCH, count - i) }, (_, j) => i + j);
      yield {
        ids: numbers.map((j) => `grown-${first + j}`),
        embeddings: numbers.map((j) => rows.subarray(j * DIMENSION, (j + 1) * DIMENSION)),
        metadatas: numbers.map((j) => ({ bucket: (first + j) % 1_000 })),
      };
    }
  }
}

/** Number of the row that an id of `grownBatches` names. */
export const grownRowOf = (id) => Number(id.slice('grown-'.length));

/** The ids found for one query; documents, metadata and distances come along. */
export async function ask(collection, query, options = {}) {
  const result = await collection.query({ queryEmbeddings: [query], nResults: K, ...options });
  return result.ids[0];
}

/** Asks the first `count` queries one after the other: the ids found, and the milliseconds of each. */
export async function askAll(collection, query, count, options = {}) {
  const answers = [];
  const times = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    answers.push(await ask(collection, query(i), options));
    times.push(performance.now() - start);
  }
  return { answers, times };
}

/** Recall of the answers to the first queries, which are asked for it. */
export async function recallOf(collection, dataset, judgements, options = {}) {
  const { answers } = await askAll(collection, dataset.query, judgements.length, options);
  return judge(dataset, judgements, toRows(dataset, answers));
}

/** Ids as row numbers of the data set. */
export function toRows(dataset, answers) {
  dataset.rowOf ??= new Map(dataset.ids.map((id, row) => [id, row]));
  return answers.map((ids) => ids.map((id) => dataset.rowOf.get(id)));
}
