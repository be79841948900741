/** Short ways to write batches and requests in tests. */
import type {
  DeleteRequest,
  EmbeddingBatch,
  GetRequest,
  QueryRequest,
  RecordBatch,
} from '../../src/api/index.ts';

/** Packs rows into an embedding batch; `null` rows are absent. */
export function pack(rows: readonly (readonly number[] | null)[]): EmbeddingBatch {
  const dimension = rows.find((row) => row !== null)?.length ?? 0;
  const values = new Float32Array(rows.length * dimension);
  const present = new Uint8Array(rows.length);
  rows.forEach((row, index) => {
    if (row === null) return;
    values.set(row, index * dimension);
    present[index] = 1;
  });
  return { dimension, values, present: present.includes(0) ? present : null };
}

/** One record of a test. */
export interface TestRecord {
  readonly id: string;
  readonly embedding?: readonly number[];
  readonly document?: string;
  readonly uri?: string;
  /** JSON text. */
  readonly metadata?: string;
}

/** Columns of some records. */
export function batchOf(...records: TestRecord[]): RecordBatch {
  const hasEmbeddings = records.some((record) => record.embedding !== undefined);
  return {
    ids: records.map(({ id }) => id),
    embeddings: hasEmbeddings ? pack(records.map(({ embedding }) => embedding ?? null)) : null,
    documents: records.map(({ document }) => document ?? null),
    uris: records.map(({ uri }) => uri ?? null),
    metadatas: records.map(({ metadata }) => metadata ?? null),
    metadataKeys: [],
  };
}

const NO_SELECTION = { ids: null, where: null, whereDocument: null };

/** A `get` request: everything unless told otherwise. */
export function getRequest(request: Partial<GetRequest> = {}): GetRequest {
  const include = ['documents', 'metadatas', 'embeddings', 'uris'] as const;
  return { ...NO_SELECTION, limit: null, offset: 0, include, ...request };
}

/** A `delete` request. */
export function deleteRequest(request: Partial<DeleteRequest>): DeleteRequest {
  return { ...NO_SELECTION, limit: null, ...request };
}

/** A `query` request for some embeddings. */
export function queryRequest(
  rows: readonly (readonly number[])[],
  request: Partial<QueryRequest> = {},
): QueryRequest {
  const include = ['documents', 'metadatas', 'distances'] as const;
  return {
    ...NO_SELECTION,
    embeddings: pack(rows),
    nResults: 10,
    include,
    recall: 1,
    explain: false,
    ...request,
  };
}
