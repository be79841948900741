/**
 * The native libraries that `vectors` compares with, each told to use one thread and handed its data in the
 * form that it takes without work of ours: arrays of numbers for hnswlib-node, one matrix for usearch.
 *
 * A side has `prepare(first, count)`, which is not timed, `add()`, which adds what was prepared, `efforts` to
 * choose from with `setEffort`, `search(i)` for query i as the library answers, and `rowsOf` that answer.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import { DIMENSION } from './dataset.mjs';

/** Search widths, of which each peer is given the smallest that reaches a recall. */
const WIDTHS = [20, 40, 60, 80, 100, 130, 160, 200, 260, 330, 400, 500, 650, 800, 1_000, 1_300, 1_600];

/** The peers; `directory` is for what a library has to write to be told another search width. */
export function makePeers(count, dataset, queryCount, k, directory) {
  const require = createRequire(new URL('./peers/package.json', import.meta.url));
  const shared = { count, dataset, queryCount, k, directory };
  return [
    makeHnswlib(require('hnswlib-node'), shared),
    makeUsearch(require('usearch'), 'f32', shared),
    makeUsearch(require('usearch'), 'bf16', shared),
  ];
}

function makeHnswlib(library, { count, dataset, queryCount, k }) {
  const graph = new library.HierarchicalNSW('cosine', DIMENSION);
  graph.initIndex({ maxElements: count, m: 16, efConstruction: 100 });
  const queries = Array.from({ length: queryCount }, (_, i) => Array.from(dataset.query(i)));
  let prepared = [];
  let firstLabel = 0;
  return {
    name: 'hnswlib-node 3, M 16, efConstruction 100',
    efforts: WIDTHS,
    setEffort: (width) => graph.setEf(width),
    prepare: (first, length) => {
      firstLabel = first;
      prepared = Array.from({ length }, (_, i) => Array.from(dataset.embedding(first + i)));
    },
    add: () => {
      for (let i = 0; i < prepared.length; i++) graph.addPoint(prepared[i], firstLabel + i);
    },
    search: (i) => graph.searchKnn(queries[i], k),
    rowsOf: (answer) => answer.neighbors,
  };
}

/** usearch takes its search width when an index is made: the graph is written once and loaded for each. */
function makeUsearch(library, quantization, { dataset, k, directory }) {
  const options = { metric: 'cos', quantization, dimensions: DIMENSION };
  const file = path.join(directory, `usearch-${quantization}`);
  let index = new library.Index(options);
  let isSaved = false;
  let keys;
  let matrix;
  return {
    name: `usearch 2, ${quantization}`,
    efforts: WIDTHS,
    setEffort: (width) => {
      if (!isSaved) index.save(file);
      isSaved = true;
      index = new library.Index({ ...options, expansion_search: width });
      index.load(file);
    },
    prepare: (first, length) => {
      keys = BigUint64Array.from({ length }, (_, i) => BigInt(first + i));
      matrix = new Float32Array(length * DIMENSION);
      for (let i = 0; i < length; i++) matrix.set(dataset.embedding(first + i), i * DIMENSION);
    },
    add: () => index.add(keys, matrix, 1),
    search: (i) => index.search(dataset.query(i), k, 1),
    rowsOf: (answer) => Array.from(answer.keys, Number),
  };
}
