/** LanceDB in process, as `collection` compares with it: the same records, and an HNSW-SQ index. */
import { createRequire } from 'node:module';
import { DIMENSION } from './dataset.mjs';

const require = createRequire(new URL('./peers/package.json', import.meta.url));

/** Columns that a query brings back: what `collection.query` brings back by default. */
const COLUMNS = ['id', 'document', 'source', 'section', 'length', 'even', 'bucket', 'priority', 'lemma'];

/** Search widths, of which the smallest that reaches a recall is taken. */
export const WIDTHS = [20, 30, 40, 60, 80, 120, 160, 240, 320, 480, 640];

function makeSchema() {
  const { Bool, Field, FixedSizeList, Float32, Int32, Schema, Utf8 } = require('apache-arrow');
  const text = (name) => new Field(name, new Utf8(), true);
  const item = new Field('item', new Float32(), true);
  return new Schema([
    text('id'),
    new Field('vector', new FixedSizeList(DIMENSION, item), true),
    ...['document', 'source', 'section', 'priority', 'lemma'].map(text),
    ...['length', 'bucket'].map((name) => new Field(name, new Int32(), true)),
    new Field('even', new Bool(), true),
  ]);
}

/** An empty table in a new database in `directory`. */
export async function openTable(directory) {
  const database = await require('@lancedb/lancedb').connect(directory);
  return database.createEmptyTable('bench', makeSchema());
}

/** Rows `first` up to `end` of the data set, as `table.add` takes them: one object a record. */
export function objectsOf(dataset, first, end) {
  return Array.from({ length: end - first }, (_, i) => ({
    id: dataset.ids[first + i],
    vector: dataset.embedding(first + i),
    document: dataset.documents[first + i],
    priority: null,
    lemma: null,
    ...dataset.metadatas[first + i],
  }));
}

/** The same in the library's own columns, so that adding them needs no conversion. */
export function columnsOf(dataset, first, end) {
  const rows = objectsOf(dataset, first, end);
  return require('@lancedb/lancedb').makeArrowTable(rows, { schema: makeSchema() });
}

/** Makes the index, of one part, as for a table that fits in memory. */
export async function makeIndex(table) {
  const { Index } = require('@lancedb/lancedb');
  await table.optimize();
  await table.createIndex('vector', {
    config: Index.hnswSq({ distanceType: 'cosine', numPartitions: 1 }),
    waitTimeoutSeconds: 3_600,
  });
}

/** The ids found. Twice as many candidates as wanted are ranked by their floats. */
export async function askTable(table, query, k, width, filter) {
  let search = table.vectorSearch(query).distanceType('cosine').ef(width).refineFactor(2);
  if (filter !== undefined) search = search.where(filter);
  const rows = await search
    .limit(k)
    .select([...COLUMNS, '_distance'])
    .toArray();
  // Every column is read, as a program that asked for it would.
  return rows.map((row) => row.toJSON().id);
}
