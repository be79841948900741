/**
 * Every limit on what callers may hand in, with where its value comes from. Settings that users change are in
 * `settings.ts`.
 */
export const LIMITS = {
  /** UTF-16 units of a record id. Chroma has no limit locally; 4,096 keeps an id within two index pages. */
  idLengthMax: 4096,
  /**
   * Records in one call as told to clients in pre-flight: Chroma's own figure (SQLite's 32,766 variables / 6
   * columns).
   */
  batchSizeMax: 5461,
  /**
   * Components of an embedding: the largest that the kernels' 32-bit accumulators hold without overflow at
   * full scale.
   */
  dimensionMax: 16_384,
  /** Shortest and longest name of a collection or database: Chroma's rule. */
  nameLengthMin: 3,
  nameLengthMax: 512,
  /**
   * Bytes of one JSON text of metadata; larger ones belong into the document. Generous: Chroma Cloud allows 8
   * KB a value.
   */
  metadataBytesMax: 1_048_576,
  /** Bytes of one document: far over a book, far under SQLite's limit of 1 GB a row. */
  documentBytesMax: 67_108_864,
  /**
   * Levels of nesting in a filter; deeper ones come from programs gone wrong, and recursion stays safe on
   * small stacks.
   */
  filterDepthMax: 128,
  /**
   * Conditions in one filter: a filter of 100,000 clauses must be refused quickly, one of a few thousand ids
   * must work.
   */
  filterNodesMax: 20_000,
  /** Values in one `$in` list. */
  filterValuesMax: 100_000,
  /** Largest `limit`, `offset` and `nResults`: unsigned 32-bit on the wire. */
  unsignedMax: 4_294_967_295,
  /** Worker threads of one database: each holds indexes of its own, and machines have few more cores. */
  threadsMax: 64,
  /** Bytes of one HTTP request body: Chroma's default. */
  bodyBytesMax: 41_943_040,
} as const;
