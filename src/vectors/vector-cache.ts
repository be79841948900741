/**
 * The vectors of a large collection: as many in memory as there is room for, the others read from a source.
 *
 * A vector in memory has a *place* (row-memory.ts), given out to slots as their vectors are needed. When no
 * more room is granted, the clock algorithm (Corbató, 1968) takes a place back from a slot that was not used
 * since the hand last passed.
 *
 * Ranking has two stages, as in the flat index, but without codes: floats are summed in float32 first, whose
 * errors are bounded (kernel/assembly/rows.ts), and in float64 only where those bounds leave open whether a
 * row is among the k nearest. Vectors that are not in memory get the exact distance at once, since reading
 * them costs far more. So the answer is that of computing every distance in float64, whatever is in memory.
 *
 * Codes would make exact search over all rows five times as fast for a quarter more memory; here that is
 * the rare case, since the cells choose the candidates (docs/adr/0012).
 */
import type { Space } from '../api/index.ts';
import { assert, type Bitset, DatabaseError } from '../base/index.ts';
import { distanceFromSum } from './distance.ts';
import { FloatBounds } from './float-bounds.ts';
import { NearestHeap } from './nearest-heap.ts';
import { ReadyPlaces } from './ready-places.ts';
import { BATCH, type HeldRows, RowMemory, TOGETHER } from './row-memory.ts';
import { Shortlist } from './shortlist.ts';
import {
  type NearestSlots,
  nothing,
  type VectorCacheOptions,
  type VectorRows,
  type VectorSource,
} from './vector-rows.ts';

/** Queries that share a row that is read. */
const FOUR = 4;
/** Rows that stay in the processor's cache while one four after the other is compared with them. */
const TILE_BYTES = 524_288;
const TILE_MAX = BATCH / FOUR;
/**
 * Distances that one slice of `searchSlice` computes, 1.5 ms at 512 dimensions, and vectors that it reads.
 */
const SLICE_DISTANCES = 32_768;
const SLICE_READS = 128;
/** Room for rows is asked for in steps of this many bytes, the first of which every collection is granted. */
const STEP_BYTES = 1_048_576;
const STEP_SHARE = 1 / 16;
/** Cursors from here on stand for slots whose vectors are read. */
const READING = 2 ** 33;
/** Up to this share of the places, the rows allowed are listed. */
const LISTED_SHARE = 1 / 16;
const NO_PLACE = -1;
const NO_SLOT = 0xffffffff;
/** Parts that kernels add up sums in (kernel/assembly/row-sums.ts, together.ts). */
const PARTS = 16;
const PARTS_OF_FOUR = 4;

/** See the top of this file. */
export class VectorCache implements VectorRows {
  readonly #space: Space;
  readonly #dimension: number;
  readonly #width: number;
  readonly #source: VectorSource | undefined;
  readonly #grant: (bytes: number) => boolean;
  readonly #memory: RowMemory;
  /** Slot → place. */
  #placeOf = new Int32Array(0);
  /** Place → slot, norm, and whether it was used since the hand passed. */
  #slotAt = new Uint32Array(0);
  #norms = new Float64Array(0);
  #used = new Uint8Array(0);
  #placeCount = 0;
  readonly #ready = new ReadyPlaces();
  readonly #freePlaces: number[] = [];
  #hand = 0;
  #slotCount = 0;
  #listed = new Uint32Array(BATCH);
  /** Of the rows that are compared now, in the order of their places in `#places`. */
  readonly #batchSlots = new Uint32Array(BATCH);
  readonly #batchNorms = new Float64Array(BATCH);
  readonly #bounds: FloatBounds;
  readonly #shortlist = new Shortlist(1);
  /** Of the queries that `searchSlice` looks for together. */
  readonly #shortlists: Shortlist[] = [];

  /** `held` are vectors to begin with, in memory already: those of the slots of `live` are there. */
  constructor(options: VectorCacheOptions, held?: { readonly rows: HeldRows; readonly live: Bitset }) {
    this.#space = options.space;
    this.#dimension = options.dimension;
    this.#source = options.source;
    this.#grant = options.grant ?? (() => true);
    this.#memory = held?.rows.memory ?? new RowMemory(options.dimension);
    this.#width = this.#memory.width;
    this.#bounds = new FloatBounds(this.#space, this.#width);
    if (held !== undefined) this.#adopt(held.rows, held.live);
  }

  /** Takes vectors over where they are. */
  #adopt({ norms, slotCount }: HeldRows, live: Bitset): void {
    this.#placeOf = new Int32Array(slotCount).fill(NO_PLACE);
    this.#slotAt = new Uint32Array(slotCount).fill(NO_SLOT);
    this.#norms = norms.slice(0, slotCount);
    this.#used = new Uint8Array(slotCount);
    [this.#placeCount, this.#slotCount] = [slotCount, slotCount];
    for (let slot = slotCount - 1; slot >= 0; slot--) {
      if (!live.has(slot)) {
        this.#freePlaces.push(slot);
        continue;
      }
      this.#placeOf[slot] = slot;
      this.#slotAt[slot] = slot;
    }
  }

  get slotCount(): number {
    return this.#slotCount;
  }

  get cachedCount(): number {
    return this.#placeCount - this.#freePlaces.length;
  }

  get bytes(): number {
    const maps = this.#placeOf.byteLength + this.#slotAt.byteLength;
    const rows = this.#memory.addressOf(Math.max(this.#placeCount, this.#ready.count));
    return rows + maps + this.#norms.byteLength + this.#used.byteLength;
  }

  /** Whether every place that there is room for is taken and no more would be granted. */
  get isFull(): boolean {
    return this.#freePlaces.length === 0 && this.#placeCount === this.#slotAt.length && !this.#mayGrow();
  }

  isCached(slot: number): boolean {
    return slot < this.#placeOf.length && this.#placeOf[slot] !== NO_PLACE;
  }

  set(slot: number, embedding: Float32Array): void {
    this.announce(slot);
    this.#admit(slot, embedding, this.#memory.loadRow(embedding));
  }

  announce(slot: number): void {
    this.remove(slot);
    if (slot >= this.#slotCount) this.#ready.noteRow();
    this.#slotCount = Math.max(this.#slotCount, slot + 1);
    if (this.#placeOf.length >= this.#slotCount) return;
    const grown = new Int32Array(Math.max(64, Math.ceil(this.#slotCount * 1.125))).fill(NO_PLACE);
    grown.set(this.#placeOf);
    this.#placeOf = grown;
  }

  remove(slot: number): void {
    if (!this.isCached(slot)) return;
    const place = this.#placeOf[slot]!;
    this.#placeOf[slot] = NO_PLACE;
    this.#slotAt[place] = NO_SLOT;
    this.#freePlaces.push(place);
  }

  embeddingOf(slot: number, into: Float32Array = new Float32Array(this.#dimension)): Float32Array {
    into.set(this.#memory.at(this.#placeFor(slot)));
    return into;
  }

  normOf(slot: number): number {
    // The place first: reading a vector may replace the array of lengths by a longer one.
    const place = this.#placeFor(slot);
    return this.#norms[place]!;
  }

  load(slots: readonly number[]): void {
    const missing = Uint32Array.from(slots.filter((slot) => !this.isCached(slot))).sort();
    if (missing.length === 0) return;
    this.#read(missing, missing.length, (slot, embedding) => {
      this.#admit(slot, embedding, this.#memory.loadRow(embedding));
    });
  }

  /**
   * Reads vectors of `live` that are not in memory, up to `count` from slot `first` on, while there is room.
   * Returns the slot to go on from, or −1 when there is nothing left to do.
   */
  warm(live: Bitset, first: number, count: number): number {
    // Growing step by step leaves sixteen times the arrays beside the rows as garbage.
    const liveCount = first === 0 ? live.count() : 0;
    if (liveCount > this.#slotAt.length + this.#stepPlaces) this.reserve(liveCount);
    const missing = new Uint32Array(count);
    let found = 0;
    let slot = first;
    for (; slot < this.#slotCount && found < count; slot++) {
      if (live.has(slot) && !this.isCached(slot)) missing[found++] = slot;
    }
    if (found === 0) return -1;
    this.#read(missing, found, (index, embedding) => {
      if (!this.isFull) this.#admit(index, embedding, this.#memory.loadRow(embedding), false);
    });
    return this.isFull ? -1 : slot;
  }

  /** Makes some places ready for rows that come, as far as it is granted; false if there is nothing to do. */
  prepare(): boolean {
    const wanted = this.#ready.wanted(this.#placeCount, this.#freePlaces.length);
    const capacity = this.#slotAt.length;
    if (wanted > capacity && this.#mayGrow() && this.#growBy(this.#stepPlaces, false)) return true;
    const next = this.#ready.next(this.#placeCount, Math.min(wanted, capacity));
    if (next === undefined) return false;
    this.#memory.clear(next.first, next.end);
    return true;
  }

  /** Makes room for so many vectors at once, as far as it is granted. */
  reserve(count: number): void {
    const places = count - this.#slotAt.length;
    if (places <= 0 || !this.#grant(places * this.#placeBytes)) return;
    this.#growBy(places, this.#source === undefined);
  }

  /** Gives each slot with a vector the number that `slotOf` has for it; the others are forgotten. */
  renumber(slotOf: Int32Array, slotCount: number): void {
    const placeOf = new Int32Array(slotCount).fill(NO_PLACE);
    for (let place = 0; place < this.#placeCount; place++) {
      const slot = this.#slotAt[place]!;
      if (slot === NO_SLOT) continue;
      const next = slotOf[slot]!;
      if (next === -1) {
        this.#slotAt[place] = NO_SLOT;
        this.#freePlaces.push(place);
      } else {
        this.#slotAt[place] = next;
        placeOf[next] = place;
      }
    }
    this.#placeOf = placeOf;
    this.#slotCount = slotCount;
  }

  search(query: Float32Array, k: number, allowed: Bitset, allowedCount: number): NearestSlots {
    const wanted = Math.min(k, allowedCount);
    if (wanted === 0) return nothing();
    // Looking for few among all places would cost more than ranking them.
    if (allowedCount <= this.#placeCount * LISTED_SHARE) {
      return this.rank(query, k, allowed.toArray(), allowedCount);
    }
    const queryNorm = this.#memory.loadQuery(query);
    const nearest = new NearestHeap(wanted);
    const shortlist = this.#shortlist;
    shortlist.restart(wanted);
    let count = 0;
    let scanned = 0;
    for (let place = 0; place < this.#placeCount; place++) {
      const slot = this.#slotAt[place]!;
      if (slot === NO_SLOT || !allowed.has(slot)) continue;
      this.#put(count++, place, slot);
      if (count < BATCH) continue;
      scanned += this.#score(count, queryNorm, shortlist);
      count = 0;
    }
    scanned += this.#score(count, queryNorm, shortlist);
    let reranked = this.#rankShortlist(shortlist, queryNorm, nearest);
    const read = scanned === allowedCount ? 0 : this.#searchMissing(queryNorm, allowed, nearest);
    reranked += read;
    assert(nearest.isFull, `${allowedCount} slots were said to be allowed, fewer were found.`);
    return { scanned, reranked, read, ...drain(nearest) };
  }

  rank(query: Float32Array, k: number, candidates: Uint32Array, count: number): NearestSlots {
    if (k === 0 || count === 0) return nothing();
    const queryNorm = this.#memory.loadQuery(query);
    const nearest = new NearestHeap(Math.min(k, count));
    const shortlist = this.#shortlist;
    shortlist.restart(nearest.capacity);
    if (this.#listed.length < count) this.#listed = new Uint32Array(Math.ceil(count * 1.25));
    let missing = 0;
    let cached = 0;
    for (let i = 0; i < count; i++) {
      const slot = candidates[i]!;
      const place = this.#placeOf[slot]!;
      if (place === NO_PLACE) {
        this.#listed[missing++] = slot;
        continue;
      }
      // Writing would make the processor fetch and keep a line that most often says so already.
      if (this.#used[place] === 0) this.#used[place] = 1;
      this.#put(cached++, place, slot);
      if (cached < BATCH) continue;
      this.#score(cached, queryNorm, shortlist);
      cached = 0;
    }
    this.#score(cached, queryNorm, shortlist);
    const reranked = this.#rankShortlist(shortlist, queryNorm, nearest) + missing;
    if (missing > 0) {
      this.#listed.subarray(0, missing).sort();
      this.#read(this.#listed, missing, (slot, embedding) => {
        const norm = this.#memory.loadRow(embedding);
        nearest.push(this.#distanceOfRow(this.#memory.row.byteOffset, norm, queryNorm), slot);
        this.#admit(slot, embedding, norm);
      });
    }
    return { scanned: count - missing, reranked, read: missing, ...drain(nearest) };
  }

  /**
   * Looks for the nearest of several queries, `TOGETHER` at most, within one slice of the rows, for a caller
   * that looks at all rows in slices: each heap holds the nearest of its query so far. Slots that were looked
   * at leave `left`, which begins as all of them; so each is looked at once, also one that comes into memory
   * between two slices, or leaves it. The first slice has the cursor 0; returns that of the next,
   * −1 after the last.
   */
  searchSlice(
    queries: readonly Float32Array[],
    nearest: readonly NearestHeap[],
    left: Bitset,
    cursor: number,
  ): number {
    assert(queries.length <= TOGETHER, 'More queries than have room were compared together.');
    return cursor < READING
      ? this.#slicePlaces(queries, nearest, left, cursor)
      : this.#sliceReads(queries, nearest, left, cursor - READING);
  }

  #slicePlaces(
    queries: readonly Float32Array[],
    nearest: readonly NearestHeap[],
    left: Bitset,
    first: number,
  ): number {
    const end = Math.min(this.#placeCount, first + Math.ceil(SLICE_DISTANCES / queries.length));
    const norms = queries.map((query, i) => this.#memory.loadQueryOf(query, i));
    const shortlists = nearest.map((heap, i) => this.#shortlistOf(heap, i));
    const { places } = this.#memory;
    const tile = Math.max(2, Math.min(TILE_MAX, Math.floor(TILE_BYTES / (4 * this.#width))));
    for (let start = first; start < end; start += tile) {
      let count = 0;
      for (let place = start; place < Math.min(end, start + tile); place++) {
        const slot = this.#slotAt[place]!;
        if (slot === NO_SLOT || !left.has(slot)) continue;
        this.#put(count++, place, slot);
        left.delete(slot);
      }
      if (count === 0) continue;
      // The kernel takes rows by twos.
      places[count] = places[count - 1]!;
      for (let four = 0; four < queries.length; four += FOUR) {
        const stride = this.#sumRowsOfFour(count, four);
        for (let i = four; i < Math.min(queries.length, four + FOUR); i++) {
          this.#show({ count, offset: (i - four) * stride, parts: PARTS_OF_FOUR }, norms[i]!, shortlists[i]!);
        }
      }
    }
    shortlists.forEach((shortlist, i) => {
      this.#rankShortlist(shortlist, norms[i]!, nearest[i]!, this.#memory.queryAt(i));
    });
    return end < this.#placeCount ? end : READING;
  }

  /** A shortlist, one of several, of what may come among the nearest so far. */
  #shortlistOf(nearest: NearestHeap, i: number): Shortlist {
    if (this.#shortlists.length === i) this.#shortlists.push(new Shortlist(nearest.capacity));
    const shortlist = this.#shortlists[i]!;
    shortlist.restart(nearest.capacity, nearest.isFull ? nearest.worstKey : undefined);
    return shortlist;
  }

  #sliceReads(
    queries: readonly Float32Array[],
    nearest: readonly NearestHeap[],
    left: Bitset,
    first: number,
  ): number {
    const norms = queries.map((query, i) => this.#memory.loadQueryOf(query, i));
    const compare = (slot: number, embedding: Float32Array): void => {
      const norm = this.#memory.loadRow(embedding);
      // The roles are exchanged, so that the row stays where it is.
      this.#memory.query.set(embedding);
      nearest.forEach((heap, i) => {
        heap.push(this.#distanceOfRow(this.#memory.queryAt(i), norms[i]!, norm), slot);
      });
      left.delete(slot);
    };
    let [count, readCount] = [0, 0];
    let slot = first;
    for (; slot < this.#slotCount && count < SLICE_READS; slot++) {
      if (!left.has(slot)) continue;
      count++;
      if (this.isCached(slot)) compare(slot, this.#memory.at(this.#placeOf[slot]!));
      else this.#listed[readCount++] = slot;
    }
    this.#read(this.#listed, readCount, compare);
    return count === 0 ? -1 : READING + slot;
  }

  /**
   * Exact distances of the allowed vectors that are not in memory. They are kept only where nothing has to
   * go.
   */
  #searchMissing(queryNorm: number, allowed: Bitset, nearest: NearestHeap): number {
    let count = 0;
    let total = 0;
    const read = (): void => {
      this.#read(this.#listed, count, (slot, embedding) => {
        const norm = this.#memory.loadRow(embedding);
        nearest.push(this.#distanceOfRow(this.#memory.row.byteOffset, norm, queryNorm), slot);
        if (!this.isFull) this.#admit(slot, embedding, norm, false);
      });
      total += count;
      count = 0;
    };
    const slots = allowed.toArray();
    for (const slot of slots) {
      assert(slot < this.#slotCount, 'A slot was allowed that was never set.');
      if (this.#placeOf[slot] !== NO_PLACE) continue;
      this.#listed[count++] = slot;
      if (count === BATCH) read();
    }
    read();
    return total;
  }

  /** Sums in float32 for the first `count` of `places`, shown to the shortlist; returns their number. */
  #score(count: number, queryNorm: number, shortlist: Shortlist): number {
    if (count === 0) return 0;
    this.#sumRows(count);
    this.#show({ count, offset: 0, parts: PARTS }, queryNorm, shortlist);
    return count;
  }

  /** Shows rows of the batch, whose sums stand in `#scores`, to a shortlist. */
  #show(
    batch: { readonly count: number; readonly offset: number; readonly parts: number },
    queryNorm: number,
    shortlist: Shortlist,
  ): void {
    const rows = { slots: this.#batchSlots, norms: this.#batchNorms, sums: this.#memory.scores };
    this.#bounds.show(rows, batch, queryNorm, shortlist);
  }

  /** Puts a row into the batch of rows that are compared. */
  #put(at: number, place: number, slot: number): void {
    this.#memory.places[at] = place;
    this.#batchSlots[at] = slot;
    this.#batchNorms[at] = this.#norms[place]!;
  }

  /**
   * Exact distances from the query at a position, in the order of the lower bounds, as far as needed. Returns
   * how many.
   */
  #rankShortlist(shortlist: Shortlist, queryNorm: number, nearest: NearestHeap, queryAt = 0): number {
    const { slots, lowerBounds } = shortlist.candidates();
    let reranked = 0;
    for (let i = 0; i < slots.length; i++) {
      const atLeast = Math.fround(this.#space === 'ip' ? lowerBounds[i]! : Math.max(0, lowerBounds[i]!));
      if (nearest.isFull && atLeast > nearest.worstKey) break;
      const place = this.#placeOf[slots[i]!]!;
      const at = this.#memory.addressOf(place);
      nearest.push(this.#distanceOfRow(at, this.#norms[place]!, queryNorm, queryAt), slots[i]!);
      reranked++;
    }
    return reranked;
  }

  /** The exact distance of the row at a position from the query at another, rounded to float32. */
  #distanceOfRow(at: number, norm: number, queryNorm: number, queryAt = 0): number {
    const { calls } = this.#memory;
    const sumOf = this.#space === 'l2' ? calls.squaredL2 : calls.dot;
    const sum = sumOf(queryAt, at, this.#width);
    return distanceFromSum(this.#space, sum, norm, queryNorm);
  }

  #sumRows(count: number): void {
    const { calls, rowsAt, places, scores } = this.#memory;
    const sumsOf = this.#space === 'l2' ? calls.squaredL2Rows : calls.dotRows;
    sumsOf(rowsAt, places.byteOffset, count, this.#width, 0, scores.byteOffset);
  }

  /** Sums for four of the queries of a slice; returns how many floats those of one take. */
  #sumRowsOfFour(count: number, four: number): number {
    const { calls, rowsAt, places, scores } = this.#memory;
    const stride = count + (count & 1);
    const sumsOf = this.#space === 'l2' ? calls.squaredL2RowsOfFour : calls.dotRowsOfFour;
    const queries = this.#memory.queryAt(four);
    sumsOf(rowsAt, places.byteOffset, stride, this.#width, queries, scores.byteOffset);
    return stride;
  }

  #read(slots: Uint32Array, count: number, visit: (slot: number, embedding: Float32Array) => void): void {
    if (count === 0) return;
    assert(this.#source !== undefined, 'A slot was asked for whose vector was never set.');
    this.#source.read(slots, count, (index, embedding) => visit(slots[index]!, embedding));
  }

  /** The place of a slot's vector, which is read if it has none. */
  #placeFor(slot: number): number {
    if (!this.isCached(slot)) {
      assert(slot < this.#slotCount, `Slot ${slot} was never set; there are ${this.#slotCount}.`);
      this.load([slot]);
    }
    const place = this.#placeOf[slot]!;
    this.#used[place] = 1;
    return place;
  }

  /**
   * Gives a vector a place: a free one, a new one, or one taken back, unless others are still to be looked at
   * where they are. None, where there is no memory for what was granted.
   */
  #admit(slot: number, embedding: Float32Array, norm: number, mayTakeBack = true): void {
    if (this.isCached(slot)) return;
    const place = this.#freePlaces.pop() ?? this.#newPlace() ?? (mayTakeBack ? this.#takeBack() : -1);
    if (place === -1) return;
    this.#memory.put(place, embedding);
    this.#slotAt[place] = slot;
    this.#norms[place] = norm;
    this.#used[place] = 1;
    this.#placeOf[slot] = place;
  }

  #newPlace(): number | undefined {
    if (this.#placeCount === this.#slotAt.length) {
      if (!this.#mayGrow()) return undefined;
      const isNeeded = this.#source === undefined || this.#placeCount === 0;
      if (!this.#growBy(this.#stepPlaces, isNeeded)) return undefined;
    }
    return this.#placeCount++;
  }

  get #stepPlaces(): number {
    const step = Math.max(BATCH / 16, Math.floor(STEP_BYTES / (4 * this.#width)));
    return Math.max(step, Math.ceil(this.#slotAt.length * STEP_SHARE));
  }

  #mayGrow(): boolean {
    if (this.#source === undefined || this.#slotAt.length === 0) return true;
    return this.#grant(this.#stepPlaces * this.#placeBytes);
  }

  get #placeBytes(): number {
    return 4 * this.#width + 13;
  }

  /**
   * Makes room for so many places more; false where the machine or the address space has none, unless they
   * are needed. Errors: `TESSERA_LIMIT_EXCEEDED` where they are.
   */
  #growBy(places: number, isNeeded: boolean): boolean {
    const capacity = this.#slotAt.length + places;
    try {
      this.#memory.reserve(capacity);
    } catch (error) {
      if (!isNeeded && error instanceof DatabaseError) return false;
      throw error;
    }
    const slotAt = new Uint32Array(capacity).fill(NO_SLOT);
    slotAt.set(this.#slotAt);
    const norms = new Float64Array(capacity);
    norms.set(this.#norms);
    const used = new Uint8Array(capacity);
    used.set(this.#used);
    [this.#slotAt, this.#norms, this.#used] = [slotAt, norms, used];
    return true;
  }

  /** Frees the place that the hand finds first unused, and clears the marks that it passes. */
  #takeBack(): number {
    for (;;) {
      const place = this.#hand;
      this.#hand = (this.#hand + 1) % this.#placeCount;
      if (this.#used[place] === 1) {
        this.#used[place] = 0;
        continue;
      }
      this.#placeOf[this.#slotAt[place]!] = NO_PLACE;
      return place;
    }
  }
}

function drain(nearest: NearestHeap): { slots: Uint32Array; distances: Float32Array } {
  const { slots, keys } = nearest.drain();
  return { slots, distances: new Float32Array(keys) };
}
