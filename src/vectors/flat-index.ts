/**
 * Exact search over all rows of a collection, in memory.
 *
 * Reading every float of 20,000 rows of 512 is 40 MB of memory traffic per query, so each row also has an
 * 8-bit code, a quarter of that. A search has two stages (docs/adr/0005):
 *
 *   1. scan     every allowed row's code gives a lower and an upper bound of its distance (bounds.ts); rows
 *               whose lower bound lies beyond the k-th smallest upper bound are out (shortlist.ts).
 *   2. re-rank  the rest get their exact distances, in ascending order of the lower bound, until that
 *               bound lies beyond the k-th exact distance.
 *
 * The bounds are proven, not estimated: the answer is that of computing every distance in float64 and
 * rounding it to float32, ties and their order included. Where the codes tell nothing (all rows nearly
 * equally far), the second stage goes over all rows and the search is slow, but no less exact.
 *
 * A collection too small for the scan to matter has no codes and is searched float by float.
 */
import type { Space } from '../api/index.ts';
import { assert, type Bitset } from '../base/index.ts';
import { dot, squaredL2 } from '../kernel/index.ts';
import { boundCoefficients } from './bounds.ts';
import { CodeScan } from './code-scan.ts';
import { BATCH, CodeTable } from './code-table.ts';
import { distanceFromSum } from './distance.ts';
import { FloatRows } from './float-rows.ts';
import { NearestHeap } from './nearest-heap.ts';
import { type HeldRows, RowMemory } from './row-memory.ts';
import { Shortlist } from './shortlist.ts';
import { type NearestSlots, nothing, type VectorRows } from './vector-rows.ts';

/** Constants that change how fast a search is, never what it answers. */
export interface FlatTuning {
  /** Above this number of slots, or of floats, the rows get codes. */
  readonly plainSlotsMax: number;
  readonly plainFloatsMax: number;
  /**
   * From this share of allowed slots on, whole runs are scanned; below, the allowed slots are gathered from
   * a list.
   */
  readonly runShareMin: number;
}

/**
 * Measured at 20,000 × 512 on real embeddings (bench/kernels.bench.mjs): a listed row costs about 1.6 times
 * one in a run, so runs win from a share of 0.6 on. Below the plain limits a search without codes takes
 * less than 0.1 ms.
 */
const TUNING: FlatTuning = { plainSlotsMax: 1024, plainFloatsMax: 65_536, runShareMin: 0.6 };

/** How an index is made. */
export interface FlatIndexOptions {
  readonly space: Space;
  /** Components of every vector and query, at most `LIMITS.dimensionMax`. */
  readonly dimension: number;
}

/** The vectors of a collection by slot, searched exactly. */
export class FlatIndex implements VectorRows {
  readonly #space: Space;
  readonly #dimension: number;
  readonly #tuning: FlatTuning;
  readonly #rows: FloatRows;
  /** Where the rows are instead once they have codes. */
  #memory: RowMemory | undefined;
  #norms = new Float64Array(0);
  #codes: CodeTable | undefined;
  #slotCount = 0;

  constructor(options: FlatIndexOptions, tuning: FlatTuning = TUNING) {
    this.#space = options.space;
    this.#dimension = options.dimension;
    this.#tuning = tuning;
    this.#rows = new FloatRows(options.dimension);
  }

  /** One more than the largest slot ever set. */
  get slotCount(): number {
    return this.#slotCount;
  }

  get cachedCount(): number {
    return this.#slotCount;
  }

  /** Bytes of memory held for vectors, codes and factors. */
  get bytes(): number {
    // What lies before the rows is for a cache that takes the memory over.
    const memory = this.#memory?.bytesOf(this.#slotCount) ?? 0;
    return this.#rows.bytes + memory + this.#norms.byteLength + (this.#codes?.bytes ?? 0);
  }

  /**
   * Stores the vector of a slot, new or not. Slots may be skipped; memory is taken for every slot up to the
   * largest.
   *
   * The embedding has the index's dimension and finite components. Errors: `TESSERA_LIMIT_EXCEEDED` when
   * there is no memory for its code, with nothing changed. O(dimension).
   */
  set(slot: number, embedding: Float32Array): void {
    this.#checkVector(embedding);
    this.#reserve(Math.max(this.#slotCount, slot + 1));
    const norm = this.#put(slot, embedding);
    this.#norms[slot] = norm;
    this.#codes?.set(slot, embedding, this.#divisor(norm));
    this.#slotCount = Math.max(this.#slotCount, slot + 1);
  }

  announce(): void {
    assert(false, 'A vector was announced to an index that holds them all.');
  }

  /** Nothing: the place of a slot is kept for its next vector. */
  remove(): void {}

  /** Nothing, since all vectors are in memory. */
  load(): void {}

  /** The vector of a slot exactly as it was given, in `into` or a new array. */
  embeddingOf(slot: number, into: Float32Array = new Float32Array(this.#dimension)): Float32Array {
    assert(slot < this.#slotCount, `Slot ${slot} was never set; the index has ${this.#slotCount}.`);
    into.set(this.#row(slot));
    return into;
  }

  /**
   * The `k` slots of `allowed` nearest to `query`; all of them if they are fewer. `allowedCount` is the
   * number of members of `allowed`, all of which have been set.
   *
   * Exact, as described above. O(slots · dimension) byte operations plus O(survivors · dimension) on floats.
   */
  search(query: Float32Array, k: number, allowed: Bitset, allowedCount: number): NearestSlots {
    const queryNorm = this.#loadQuery(query);
    const resultCount = Math.min(k, allowedCount);
    if (resultCount === 0) return nothing();
    const nearest = new NearestHeap(resultCount);
    let scanned = 0;
    let reranked: number;
    if (this.#codes === undefined || resultCount === allowedCount) {
      reranked = this.#rankAll(query, queryNorm, allowed, nearest);
    } else {
      scanned = allowedCount;
      reranked = this.#scanAndRank(this.#codes, query, queryNorm, allowed, allowedCount, nearest);
    }
    assert(nearest.isFull, `${allowedCount} slots were said to be allowed, fewer were found.`);
    const { slots, keys } = nearest.drain();
    return { slots, distances: Float32Array.from(keys), scanned, reranked, read: 0 };
  }

  /** Its vectors for another holder: this one is not to be used again. Errors: as `set`. */
  giveOver(): HeldRows {
    const memory = this.#memory ?? this.#moveRows(this.#slotCount);
    return { memory, norms: this.#norms, slotCount: this.#slotCount };
  }

  /** Length of the vector of a slot that was set, in float64. */
  normOf(slot: number): number {
    return this.#norms[slot]!;
  }

  /**
   * The `k` nearest of the first `count` of `candidates`, slots that were set and are all different. Exact
   * among them.
   */
  rank(query: Float32Array, k: number, candidates: Uint32Array, count: number): NearestSlots {
    if (k === 0 || count === 0) return nothing();
    const queryNorm = this.#loadQuery(query);
    const nearest = new NearestHeap(Math.min(k, count));
    const codes = this.#codes;
    let reranked = count;
    if (codes === undefined || k >= count) {
      for (let i = 0; i < count; i++) {
        const slot = candidates[i]!;
        nearest.push(this.#distance(slot, query, queryNorm), slot);
      }
    } else {
      const shortlist = new Shortlist(nearest.capacity);
      const scan = this.#startScan(codes, query, queryNorm, shortlist);
      for (let first = 0; first < count; first += BATCH) {
        const batch = Math.min(BATCH, count - first);
        codes.list.set(candidates.subarray(first, first + batch));
        codes.scanList(batch);
        scan.addList(codes.dots, codes.list, batch);
      }
      reranked = this.#rankShortlist(shortlist, query, queryNorm, nearest);
    }
    const { slots, keys } = nearest.drain();
    return { slots, distances: Float32Array.from(keys), scanned: count, reranked, read: 0 };
  }

  /** Without codes: the exact distance of every allowed slot. Returns how many. */
  #rankAll(query: Float32Array, queryNorm: number, allowed: Bitset, nearest: NearestHeap): number {
    const slotCount = this.#slotCount;
    let count = 0;
    allowed.forEach((slot) => {
      assert(slot < slotCount, 'A slot was allowed that was never set.');
      nearest.push(this.#distance(slot, query, queryNorm), slot);
      count++;
    });
    return count;
  }

  /** With codes: both stages. Returns how many exact distances were computed. */
  #scanAndRank(
    codes: CodeTable,
    query: Float32Array,
    queryNorm: number,
    allowed: Bitset,
    allowedCount: number,
    nearest: NearestHeap,
  ): number {
    const shortlist = new Shortlist(nearest.capacity);
    const scan = this.#startScan(codes, query, queryNorm, shortlist);
    if (allowedCount >= this.#slotCount * this.#tuning.runShareMin) {
      this.#scanRuns(codes, allowed, scan);
    } else this.#scanListed(codes, allowed, scan);
    return this.#rankShortlist(shortlist, query, queryNorm, nearest);
  }

  #startScan(codes: CodeTable, query: Float32Array, queryNorm: number, shortlist: Shortlist): CodeScan {
    const { scale, residual } = codes.loadQuery(query);
    const coefficients = boundCoefficients(this.#space, { norm: queryNorm, scale, residual });
    return new CodeScan(shortlist, coefficients, { factors: codes.factors, norms: this.#norms });
  }

  /** Exact distances in the order of the lower bounds, as far as needed. Returns how many. */
  #rankShortlist(shortlist: Shortlist, query: Float32Array, queryNorm: number, nearest: NearestHeap): number {
    const { slots, lowerBounds } = shortlist.candidates();
    let reranked = 0;
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i]!;
      const atLeast = Math.fround(this.#space === 'ip' ? lowerBounds[i]! : Math.max(0, lowerBounds[i]!));
      if (nearest.isFull && atLeast > nearest.worstKey) break;
      if (!nearest.accepts(atLeast, slot)) continue;
      nearest.push(this.#distance(slot, query, queryNorm), slot);
      reranked++;
    }
    return reranked;
  }

  #scanRuns(codes: CodeTable, allowed: Bitset, scan: CodeScan): void {
    for (let first = 0; first < this.#slotCount; first += BATCH) {
      const count = Math.min(BATCH, this.#slotCount - first);
      codes.scanRun(first, count);
      scan.addRun(codes.dots, first, count, allowed);
    }
  }

  #scanListed(codes: CodeTable, allowed: Bitset, scan: CodeScan): void {
    const list = codes.list;
    const slotCount = this.#slotCount;
    let count = 0;
    const scanBatch = (): void => {
      codes.scanList(count);
      scan.addList(codes.dots, list, count);
      count = 0;
    };
    allowed.forEach((slot) => {
      assert(slot < slotCount, 'A slot was allowed that was never set.');
      list[count++] = slot;
      if (count === BATCH) scanBatch();
    });
    scanBatch();
  }

  /** The exact distance of a slot from the query of the last `#loadQuery`, rounded to float32. */
  #distance(slot: number, query: Float32Array, queryNorm: number): number {
    const memory = this.#memory;
    let sum: number;
    if (memory === undefined) {
      const row = this.#rows.row(slot);
      sum = this.#space === 'l2' ? squaredL2(query, row) : dot(query, row);
    } else {
      const sumOf = this.#space === 'l2' ? memory.calls.squaredL2 : memory.calls.dot;
      sum = sumOf(0, memory.addressOf(slot), memory.width);
    }
    return distanceFromSum(this.#space, sum, this.#norms[slot]!, queryNorm);
  }

  #row(slot: number): Float32Array {
    return this.#memory?.at(slot) ?? this.#rows.row(slot);
  }

  /** Writes the vector of a slot that there is room for; returns its length. */
  #put(slot: number, vector: Float32Array): number {
    const memory = this.#memory;
    if (memory === undefined) {
      this.#rows.row(slot).set(vector);
      return normOf(vector);
    }
    memory.put(slot, vector);
    return memory.normAt(memory.addressOf(slot));
  }

  /** Makes a query ready for `#distance`; returns its length. */
  #loadQuery(query: Float32Array): number {
    this.#checkVector(query);
    return this.#memory?.loadQuery(query) ?? normOf(query);
  }

  /**
   * Makes room for the slots below `count`, codes first, since they and what is beside them can be refused;
   * makes codes once due.
   */
  #reserve(count: number): void {
    const { plainSlotsMax, plainFloatsMax } = this.#tuning;
    const isDue = count > plainSlotsMax || count * this.#dimension > plainFloatsMax;
    if (this.#codes !== undefined) this.#codes.reserve(count);
    else if (isDue) this.#codes = this.#encodeAll(count);
    if (this.#memory === undefined) this.#rows.reserve(count);
    else this.#memory.reserve(count);
    if (this.#norms.length < count) {
      const grown = new Float64Array(Math.max(count, 8, Math.ceil(this.#norms.length * 1.5)));
      grown.set(this.#norms);
      this.#norms = grown;
    }
  }

  /** Codes of all rows, with room for `count`; the rows move to where the kernels reach them. */
  #encodeAll(count: number): CodeTable {
    const codes = new CodeTable(this.#dimension);
    codes.reserve(count);
    this.#memory = this.#moveRows(count);
    for (let slot = 0; slot < this.#slotCount; slot++) {
      codes.set(slot, this.#row(slot), this.#divisor(this.#norms[slot]!));
    }
    return codes;
  }

  #moveRows(count: number): RowMemory {
    const memory = new RowMemory(this.#dimension);
    memory.reserve(count);
    for (let slot = 0; slot < this.#slotCount; slot++) memory.put(slot, this.#rows.row(slot));
    this.#rows.clear();
    return memory;
  }

  #divisor(norm: number): number {
    return this.#space === 'cosine' ? norm : 1;
  }

  #checkVector(vector: Float32Array): void {
    const given = vector.length;
    assert(
      given === this.#dimension,
      `A vector of ${given} came to an index of dimension ${this.#dimension}.`,
    );
  }
}

function normOf(vector: Float32Array): number {
  const norm = Math.sqrt(dot(vector, vector));
  assert(Number.isFinite(norm), 'A vector with a component that is not finite came as far as the index.');
  return norm;
}
