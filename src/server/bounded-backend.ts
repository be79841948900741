/**
 * A backend whose batches and answers are bounded, so that no request makes the server hold more than it can.
 *
 * One record more than allowed is asked for: if it comes, the answer would have been larger, and its client
 * is told how to ask for parts of it.
 */
import { type Backend, type EmbeddingBatch, embeddingCount, type RecordBatch } from '../api/index.ts';
import { DatabaseError } from '../base/index.ts';
import type { ServerLimits } from './admission.ts';
import { overrideMethods } from './override-methods.ts';

/** Bytes of a float32 as text, with its comma, as embeddings mostly have it. */
const FLOAT_BYTES = 11;

/** How to ask for less. */
const PARTS_OF_GET = 'for parts of it, with limit and offset';
const PARTS_OF_QUERY = 'for fewer results, or send fewer queries at once';

type Bounds = Pick<ServerLimits, 'batchSizeMax' | 'resultsMax' | 'answerBytesMax'>;

/** See the top of this file. */
export function boundBackend(backend: Backend, bounds: Bounds): Backend {
  const { batchSizeMax, resultsMax } = bounds;
  const reads: Partial<Backend> = {
    async get(scope, request, options) {
      const limit = Math.min(request.limit ?? Number.POSITIVE_INFINITY, resultsMax + 1);
      const columns = await backend.get(scope, { ...request, limit }, options);
      if (columns.ids.length > resultsMax) throw tooMany(resultsMax, PARTS_OF_GET);
      checkSize([columns], bounds, PARTS_OF_GET);
      return columns;
    },
    async query(scope, request, options) {
      const { embeddings, nResults } = request;
      const queryCount = Math.max(embeddingCount(embeddings), 1);
      const bound = Math.floor(resultsMax / queryCount);
      const capped = { ...request, nResults: Math.min(nResults, bound + 1) };
      const results = await backend.query(scope, capped, options);
      if (results.some(({ ids }) => ids.length > bound)) throw tooMany(resultsMax, PARTS_OF_QUERY);
      checkSize(results, bounds, PARTS_OF_QUERY);
      return results;
    },
  };
  if (batchSizeMax === null) return overrideMethods(backend, reads);
  const checkBatch = ({ ids }: RecordBatch): void => {
    if (ids.length <= batchSizeMax) return;
    throw tooMuch(`Expected at most ${batchSizeMax} records in one batch, got ${ids.length}.`, batchSizeMax);
  };
  return overrideMethods(backend, {
    ...reads,
    async limits(options) {
      const own = await backend.limits(options);
      return { ...own, batchSizeMax: Math.min(own.batchSizeMax, batchSizeMax) };
    },
    async add(scope, batch, options) {
      checkBatch(batch);
      return backend.add(scope, batch, options);
    },
    async upsert(scope, batch, options) {
      checkBatch(batch);
      return backend.upsert(scope, batch, options);
    },
    async update(scope, batch, options) {
      checkBatch(batch);
      return backend.update(scope, batch, options);
    },
  });
}

function tooMany(max: number, remedy: string): DatabaseError {
  return tooMuch(`The answer has more than ${max} records. Ask ${remedy}.`, max);
}

interface Columns {
  readonly ids: readonly string[];
  readonly documents: readonly (string | null)[] | null;
  readonly metadatas: readonly (string | null)[] | null;
  readonly embeddings: EmbeddingBatch | null;
}

function checkSize(answers: readonly Columns[], { answerBytesMax }: Bounds, remedy: string): void {
  let bytes = 0;
  for (const { ids, documents, metadatas, embeddings } of answers) {
    bytes += lengthOf(ids) + lengthOf(documents) + lengthOf(metadatas);
    bytes += (embeddings?.values.length ?? 0) * FLOAT_BYTES;
  }
  if (bytes <= answerBytesMax) return;
  const message = `The answer has some ${bytes} bytes, over ${answerBytesMax}. Ask ${remedy}, or for fewer columns, with include.`;
  throw tooMuch(message, answerBytesMax);
}

function lengthOf(texts: readonly (string | null)[] | null): number {
  if (texts === null) return 0;
  let length = 0;
  for (const text of texts) length += text?.length ?? 4;
  return length;
}

function tooMuch(message: string, limit: number): DatabaseError {
  return new DatabaseError('TESSERA_LIMIT_EXCEEDED', message, { details: { limit } });
}
