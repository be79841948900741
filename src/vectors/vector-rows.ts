/**
 * What holds the vectors of an index and ranks them exactly: all in memory, or as many as there is room for.
 */
import type { Space } from '../api/index.ts';
import type { Bitset } from '../base/index.ts';

/** Where vectors are read from that are not in memory. */
export interface VectorSource {
  /**
   * Calls `visit` for each of the first `count` of `slots`, ascending and all different, with its index there
   * and its vector, a view that is valid during the call. Errors: those of reading.
   */
  read(slots: Uint32Array, count: number, visit: (index: number, embedding: Float32Array) => void): void;
}

/** How a cache is made. */
export interface VectorCacheOptions {
  readonly space: Space;
  /** Components of every vector and query, at most `LIMITS.dimensionMax`. */
  readonly dimension: number;
  /** Where vectors are read again that had to go; without one, all stay. */
  readonly source?: VectorSource | undefined;
  /** Whether so many bytes more may be taken; by default always. */
  readonly grant?: ((bytes: number) => boolean) | undefined;
}

/** The answer of a search: distances ascending, equal ones by slot; and what the search took. */
export interface NearestSlots {
  readonly slots: Uint32Array;
  readonly distances: Float32Array;
  /** Rows looked at through their codes, or with less precision. */
  readonly scanned: number;
  /** Rows whose exact distance was computed. */
  readonly reranked: number;
  /** Rows that were not in memory. */
  readonly read: number;
}

/** The answer where nothing was asked for. */
export function nothing(): NearestSlots {
  return { slots: new Uint32Array(0), distances: new Float32Array(0), scanned: 0, reranked: 0, read: 0 };
}

/** See the top of this file. Slots that are named have vectors, in memory or at the source. */
export interface VectorRows {
  /** One more than the largest slot ever set or announced. */
  readonly slotCount: number;
  /** Bytes of memory held. */
  readonly bytes: number;
  /** Vectors in memory. */
  readonly cachedCount: number;
  /** Stores the vector of a slot, new or not. O(dimension). */
  set(slot: number, embedding: Float32Array): void;
  /** Notes that the source has a vector for a slot, other than the one in memory, if any. */
  announce(slot: number): void;
  /** Drops the vector of a slot. */
  remove(slot: number): void;
  /** The vector of a slot exactly as it was given, in `into` or a new array. */
  embeddingOf(slot: number, into?: Float32Array): Float32Array;
  /** Length of the vector of a slot, in float64. */
  normOf(slot: number): number;
  /**
   * Brings the vectors of these slots into memory, as far as there is room, in fewer reads than one by one.
   */
  load(slots: readonly number[]): void;
  /** The `k` slots of `allowed`, which has `allowedCount` members, nearest to `query`. Exact. */
  search(query: Float32Array, k: number, allowed: Bitset, allowedCount: number): NearestSlots;
  /** The `k` nearest of the first `count` of `candidates`, all different. Exact among them. */
  rank(query: Float32Array, k: number, candidates: Uint32Array, count: number): NearestSlots;
}

/** Whether two vectors are the same, bit by bit: −0 and 0 are two. */
export function isSameVector(left: Float32Array, right: Float32Array): boolean {
  return left.length === right.length && left.every((value, i) => Object.is(value, right[i]));
}
