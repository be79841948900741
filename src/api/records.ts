/**
 * Records as they cross the `Backend` port: columns, not objects, so that a batch of 5,000 costs a few
 * allocations and a thread hand-over copies buffers.
 *
 * Metadata crosses as canonical JSON text. One string is cheaper to hand to another thread than an object, it
 * is what SQLite stores, the server can pass it on without parsing, and it keeps `1` and `1.0` apart (see
 * base/json.ts).
 */

import type { QueryPlan } from './statistics.ts';

/**
 * Distance: `l2` is the squared Euclidean distance, `ip` 1 − dot product, `cosine` 1 − cosine. Less is
 * nearer.
 */
export type Space = 'l2' | 'ip' | 'cosine';

/** `count` embeddings of one dimension, row after row; rows without one are marked absent and hold zeros. */
export interface EmbeddingBatch {
  readonly dimension: number;
  /** `count × dimension` float32 values, row-major. All finite. */
  readonly values: Float32Array;
  /** One byte a row, 0 where the row has no embedding; `null` when every row has one. */
  readonly present: Uint8Array | null;
}

/**
 * Columns of one write. Every column has as many rows as `ids`; `null` stands for a column that was not
 * given.
 */
export interface RecordBatch {
  readonly ids: readonly string[];
  readonly embeddings: EmbeddingBatch | null;
  readonly documents: readonly (string | null)[] | null;
  readonly uris: readonly (string | null)[] | null;
  /**
   * JSON objects, members `null` meaning "delete this key" (update and upsert alone). Validated by
   * `encodeMetadata`.
   */
  readonly metadatas: readonly (string | null)[] | null;
  /**
   * Each key that a record of the batch sets, with each type it is set to, once. The collection's schema
   * grows by them.
   */
  readonly metadataKeys: readonly MetadataKey[];
}

/** Types of metadata values; an array counts as its element type. */
export type MetadataType = 'string' | 'int' | 'float' | 'bool';

/** A metadata key with one type of its values. */
export interface MetadataKey {
  readonly key: string;
  readonly type: MetadataType;
}

/** A column that a read can bring back. */
export type IncludeColumn = 'documents' | 'embeddings' | 'metadatas' | 'uris';
/** What `include` lists. `distances` has a meaning in queries alone and is tolerated elsewhere. */
export type Include = IncludeColumn | 'distances';

/** Which records: ids and filters are ANDed; `null` for any part means "no restriction". */
export interface RecordSelection {
  readonly ids: readonly string[] | null;
  readonly where: WhereNode | null;
  readonly whereDocument: WhereNode | null;
}

/** `get`: records in insertion order. */
export interface GetRequest extends RecordSelection {
  readonly limit: number | null;
  readonly offset: number;
  readonly include: readonly Include[];
}

/** `delete`: `limit` takes the first in insertion order and needs a filter. */
export interface DeleteRequest extends RecordSelection {
  readonly limit: number | null;
}

/** `query`: the nearest `nResults` for each embedding, nearest first. */
export interface QueryRequest extends RecordSelection {
  readonly embeddings: EmbeddingBatch;
  readonly nResults: number;
  readonly include: readonly Include[];
  /**
   * Share of the exact answer's records that the answer shall have on average, above 0; 1 asks for the exact
   * answer, `null` for what the collection's configuration says. Small collections are searched exactly
   * whatever is asked.
   */
  readonly recall: number | null;
  /** Whether each answer tells how it was found. */
  readonly explain: boolean;
}

/** Columns of some records; a column that was not asked for is `null`. */
export interface RecordColumns {
  readonly ids: string[];
  readonly embeddings: EmbeddingBatch | null;
  readonly documents: (string | null)[] | null;
  readonly uris: (string | null)[] | null;
  /** Canonical JSON objects; `null` for a record that never had metadata. */
  readonly metadatas: (string | null)[] | null;
}

/** The neighbours of one query embedding; `distances` and `plan` are `null` when not asked for. */
export interface Neighbours extends RecordColumns {
  readonly distances: Float32Array | null;
  readonly plan: QueryPlan | null;
}

/** What `delete` did. Ids without a filter count as sent, as Chroma counts them. */
export interface DeleteResult {
  readonly deleted: number;
}

// Filters, after parsing (see where.ts for the grammar that users write).

/** A typed scalar operand. `int` values beyond ±2^53 are `bigint`. */
export type Scalar =
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'int'; readonly value: number | bigint }
  | { readonly type: 'float'; readonly value: number };

/** A parsed filter: plain frozen data that crosses threads. `whereDocument` parses to the same nodes. */
export type WhereNode =
  | { readonly kind: 'and'; readonly children: readonly WhereNode[] }
  | { readonly kind: 'or'; readonly children: readonly WhereNode[] }
  | {
      readonly kind: 'compare';
      readonly key: string;
      readonly operator: '$eq' | '$ne' | '$gt' | '$gte' | '$lt' | '$lte';
      readonly operand: Scalar;
    }
  | {
      readonly kind: 'in';
      readonly key: string;
      readonly operator: '$in' | '$nin';
      readonly operands: readonly Scalar[];
    }
  | {
      readonly kind: 'contains';
      readonly key: string;
      readonly operator: '$contains' | '$not_contains';
      readonly operand: Scalar;
    }
  | {
      readonly kind: 'document';
      readonly operator: '$contains' | '$not_contains' | '$regex' | '$not_regex' | '$eq' | '$ne';
      readonly text: string;
    };
