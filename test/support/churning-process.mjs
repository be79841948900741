// Another process of the built package that works off writes, one a line, and says of each that it is stored.
// It is made to be killed.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { openDatabase } from '../../dist/engine/index.js';

const [path, scopeText, tuningText] = process.argv.slice(2);
const scope = JSON.parse(scopeText);
const settings = { path, threads: 0, durability: 'relaxed' };
const backend = await openDatabase(settings, { indexTuning: JSON.parse(tuningText) });
const everything = { ids: null, where: null, whereDocument: null };
const noColumns = { documents: null, uris: null, metadatas: null, metadataKeys: [] };

async function write({ verb, ids, dimension, values }) {
  if (verb === 'delete') return backend.delete(scope, { ...everything, ids, limit: null });
  const embeddings = { dimension, values: Float32Array.from(values), present: null };
  await backend[verb](scope, { ids, embeddings, ...noColumns });
  // A query loads the index, and with it begins the upkeep that is to be killed.
  const query = { dimension, values: embeddings.values.slice(0, dimension), present: null };
  const request = { embeddings: query, nResults: 3, include: [], recall: 0.99, explain: false };
  return backend.query(scope, { ...everything, ...request });
}

for await (const line of createInterface({ input: process.stdin })) {
  const { number, ...call } = JSON.parse(line);
  await write(call);
  writeSync(1, `${number}\n`);
  // Between writes the upkeep has some turns, now and then as many as it wants.
  for (let turn = 0; turn < number % 4; turn++) await new Promise((resolve) => setImmediate(resolve));
  if (number % 20 === 19) await backend.settle(scope);
}
