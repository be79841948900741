/**
 * The search over cells, from the centroids to the candidates, in one call.
 *
 *   rank      cells by the score of their centre
 *   visit     them in that order, until a centre scores less than the mean of the best centre's score and
 *             the k-th best estimate so far, less `slack`
 *   estimate  32 entries at a time by shuffles (FastScan)
 *   keep      entries whose estimate could, with its error, still be among the k best
 *
 * Scores are inner products, so more is better: score = ⟨centre, q⟩ + base + slope·⟨signs, q⟩, with base and
 * slope of the entry (see entries.ts) and the last product from the table.
 *
 * The request, at `p` (all u32 or f32):
 *
 *    0 cellCount      4 width          8 queryCodes    12 cellCodes     16 cellFacts    20 dots
 *   24 heap          28 blocks        32 blockBytes    36 table         40 mask or 0    44 best
 *   48 k             52 candidates    56 capacity      60 queryScale    64 queryNormSquared
 *   68 step          72 offset        76 slack         80 doubt
 *  written by the call:
 *   84 visited       88 scanned       92 candidateCount
 *
 * Facts of a cell (32 bytes): scale of its code, squared norm of its centre, what is added to the product
 * of query and centre to score it, root of the mean squared residual of its entries (f32); first block, number of entries (u32); 8 bytes unused.
 * `dots` has room for i32 × cellCount, `heap` for 8 bytes × (cellCount + 1), `best` for f32 × k and
 * `candidates` for `capacity` pairs (f32 the best score the entry could have, u32 slot).
 */
import { scanList, scanRun } from './codes';

/** The k-th best estimate so far, and the best possible score of the last candidate dropped for room. */
let kth: f32 = 0;
let floor: f32 = 0;
let found: u32 = 0;

// @ts-ignore: decorator
@inline
function isBefore(a: f32, aCell: u32, b: f32, bCell: u32): bool {
  return a > b || (a == b && aCell < bCell);
}

/** Cells that are visited before the rest are sorted. */
const FIRST: u32 = 4;

/** Puts (key, cell) at place `at` of the heap of `count` and lets it sink from there. */
function sink(heap: usize, count: u32, at: u32, key: f32, cell: u32): void {
  while (true) {
    let child: u32 = 2 * at + 1;
    if (child >= count) break;
    let place = heap + (<usize>child << 3);
    if (
      child + 1 < count &&
      isBefore(load<f32>(place, 8), load<u32>(place, 12), load<f32>(place), load<u32>(place, 4))
    ) {
      child++;
      place += 8;
    }
    if (isBefore(key, cell, load<f32>(place), load<u32>(place, 4))) break;
    store<u64>(heap + (<usize>at << 3), load<u64>(place));
    at = child;
  }
  const target = heap + (<usize>at << 3);
  store<f32>(target, key);
  store<u32>(target, cell, 4);
}

/** Lists the cells that have entries with the scores of their centres at `heap`; returns how many. */
function rankCells(p: usize): u32 {
  const cellCount = load<u32>(p);
  const facts: usize = load<u32>(p, 16);
  const dots: usize = load<u32>(p, 20);
  const queryScale = load<f32>(p, 60);
  scanRun(load<u32>(p, 12), cellCount, load<u32>(p, 4), load<u32>(p, 8), dots);
  let place: usize = load<u32>(p, 24);
  let count: u32 = 0;
  for (let cell: u32 = 0; cell < cellCount; cell++) {
    const fact: usize = facts + (<usize>cell << 5);
    if (load<u32>(fact, 20) == 0) continue;
    const dot = <f32>load<i32>(dots + (<usize>cell << 2)) * load<f32>(fact) * queryScale;
    store<f32>(place, dot + load<f32>(fact, 8));
    store<u32>(place, cell, 4);
    place += 8;
    count++;
  }
  return count;
}

/** Brings the best of `count` listed cells to the front. */
function bringBest(heap: usize, count: u32): void {
  let best = heap;
  const end = heap + (<usize>count << 3);
  for (let place = heap + 8; place < end; place += 8) {
    if (isBefore(load<f32>(place), load<u32>(place, 4), load<f32>(best), load<u32>(best, 4))) best = place;
  }
  const swapped = load<u64>(best);
  store<u64>(best, load<u64>(heap));
  store<u64>(heap, swapped);
}

/** Drops the listed cells that score below `limit`, makes a heap of the rest and returns how many they are. */
function heapPromising(heap: usize, count: u32, limit: f32): u32 {
  let kept: u32 = 0;
  const end = heap + (<usize>count << 3);
  for (let place = heap; place < end; place += 8) {
    store<u64>(heap + (<usize>kept << 3), load<u64>(place));
    kept += load<f32>(place) >= limit ? 1 : 0;
  }
  for (let at: i32 = (<i32>kept >> 1) - 1; at >= 0; at--) {
    const place = heap + (<usize>at << 3);
    sink(heap, kept, at, load<f32>(place), load<u32>(place, 4));
  }
  return kept;
}

/** Takes `estimate` into the k best and raises `kth`. */
function noteBest(best: usize, k: u32, estimate: f32): void {
  let at: u32 = 0;
  while (true) {
    let child: u32 = 2 * at + 1;
    if (child >= k) break;
    if (child + 1 < k && load<f32>(best + ((child + 1) << 2)) < load<f32>(best + (child << 2))) child++;
    const value = load<f32>(best + (child << 2));
    if (value >= estimate) break;
    store<f32>(best + (at << 2), value);
    at = child;
  }
  store<f32>(best + (at << 2), estimate);
  kth = load<f32>(best);
}

/**
 * Partitions the candidates so that the better half comes first, and drops the rest (quickselect; Hoare,
 * Algorithm 65). Pairs are ordered as their scores, ties by slot.
 */
function dropWorseHalf(candidates: usize, count: u32): void {
  const wanted = <i32>(count >> 1);
  let left: i32 = 0;
  let right: i32 = <i32>count - 1;
  while (left < right) {
    const middle = candidates + (<usize>((left + right) >> 1) << 3);
    const pivot = load<f32>(middle);
    const pivotSlot = load<u32>(middle, 4);
    let i = left;
    let j = right;
    while (i <= j) {
      let a = candidates + (<usize>i << 3);
      while (isBefore(load<f32>(a), load<u32>(a, 4), pivot, pivotSlot)) {
        i++;
        a += 8;
      }
      let b = candidates + (<usize>j << 3);
      while (isBefore(pivot, pivotSlot, load<f32>(b), load<u32>(b, 4))) {
        j--;
        b -= 8;
      }
      if (i <= j) {
        const swapped = load<u64>(a);
        store<u64>(a, load<u64>(b));
        store<u64>(b, swapped);
        i++;
        j--;
      }
    }
    if (wanted <= j) right = j;
    else if (wanted >= i) left = i;
    else break;
  }
  floor = load<f32>(candidates + (<usize>wanted << 3));
  found = wanted;
}

/**
 * Adds up the table for the 32 codes of a block: u16 × 32 at `out`. `bytes` is that of the codes, a multiple
 * of 128: eight groups, whose entries of at most 31 add up within a byte, are taken at a time.
 */
export function sumBlock(codes: usize, table: usize, bytes: u32, out: usize): void {
  const nibble = i8x16.splat(15);
  let a = i16x8.splat(0);
  let b = i16x8.splat(0);
  let c = i16x8.splat(0);
  let d = i16x8.splat(0);
  const end = codes + bytes;
  while (codes < end) {
    const t0 = v128.load(table);
    const c0 = v128.load(codes);
    let low = i8x16.swizzle(t0, v128.and(c0, nibble));
    let high = i8x16.swizzle(t0, v128.and(i16x8.shr_u(c0, 4), nibble));
    const t1 = v128.load(table, 16);
    const c1 = v128.load(codes, 16);
    low = i8x16.add(low, i8x16.swizzle(t1, v128.and(c1, nibble)));
    high = i8x16.add(high, i8x16.swizzle(t1, v128.and(i16x8.shr_u(c1, 4), nibble)));
    const t2 = v128.load(table, 32);
    const c2 = v128.load(codes, 32);
    low = i8x16.add(low, i8x16.swizzle(t2, v128.and(c2, nibble)));
    high = i8x16.add(high, i8x16.swizzle(t2, v128.and(i16x8.shr_u(c2, 4), nibble)));
    const t3 = v128.load(table, 48);
    const c3 = v128.load(codes, 48);
    low = i8x16.add(low, i8x16.swizzle(t3, v128.and(c3, nibble)));
    high = i8x16.add(high, i8x16.swizzle(t3, v128.and(i16x8.shr_u(c3, 4), nibble)));
    const t4 = v128.load(table, 64);
    const c4 = v128.load(codes, 64);
    low = i8x16.add(low, i8x16.swizzle(t4, v128.and(c4, nibble)));
    high = i8x16.add(high, i8x16.swizzle(t4, v128.and(i16x8.shr_u(c4, 4), nibble)));
    const t5 = v128.load(table, 80);
    const c5 = v128.load(codes, 80);
    low = i8x16.add(low, i8x16.swizzle(t5, v128.and(c5, nibble)));
    high = i8x16.add(high, i8x16.swizzle(t5, v128.and(i16x8.shr_u(c5, 4), nibble)));
    const t6 = v128.load(table, 96);
    const c6 = v128.load(codes, 96);
    low = i8x16.add(low, i8x16.swizzle(t6, v128.and(c6, nibble)));
    high = i8x16.add(high, i8x16.swizzle(t6, v128.and(i16x8.shr_u(c6, 4), nibble)));
    const t7 = v128.load(table, 112);
    const c7 = v128.load(codes, 112);
    low = i8x16.add(low, i8x16.swizzle(t7, v128.and(c7, nibble)));
    high = i8x16.add(high, i8x16.swizzle(t7, v128.and(i16x8.shr_u(c7, 4), nibble)));
    a = i16x8.add(a, i16x8.extend_low_i8x16_u(low));
    b = i16x8.add(b, i16x8.extend_high_i8x16_u(low));
    c = i16x8.add(c, i16x8.extend_low_i8x16_u(high));
    d = i16x8.add(d, i16x8.extend_high_i8x16_u(high));
    codes += 128;
    table += 128;
  }
  v128.store(out, a);
  v128.store(out, b, 16);
  v128.store(out, c, 32);
  v128.store(out, d, 48);
}

/** Looks at one block of the cell: `centre` is its part of every score, `error` what an estimate may be off. */
function visitBlock(p: usize, block: usize, centre: f32, error: f32, sums: usize): void {
  const bytes = load<u32>(p, 4) << 2;
  const mask: usize = load<u32>(p, 40);
  const candidates: usize = load<u32>(p, 52);
  const capacity = load<u32>(p, 56);
  const factors = block + bytes;
  sumBlock(block, load<u32>(p, 36), bytes, sums);
  const step = f32x4.splat(load<f32>(p, 68));
  const offset = f32x4.splat(load<f32>(p, 72));
  const common = f32x4.splat(centre);
  for (let lane: usize = 0; lane < 32; lane += 4) {
    const sum = f32x4.convert_i32x4_u(v128.load16x4_u(sums + (lane << 1)));
    const product = f32x4.add(f32x4.mul(sum, step), offset);
    const own = f32x4.add(
      v128.load(factors + (lane << 2)),
      f32x4.mul(v128.load(factors + (lane << 2), 128), product),
    );
    const estimates = f32x4.add(common, own);
    let passing = i32x4.bitmask(f32x4.gt(estimates, f32x4.splat(max(kth, floor) - error)));
    if (passing == 0) continue;
    v128.store(sums + 64, estimates);
    while (passing != 0) {
      const i: usize = ctz(passing);
      passing &= passing - 1;
      const slot = load<u32>(factors + ((lane + i) << 2), 256);
      if (mask != 0 && !((load<u32>(mask + ((slot >> 5) << 2)) >> (slot & 31)) & 1)) continue;
      const estimate = load<f32>(sums + 64 + (i << 2));
      if (found == capacity) dropWorseHalf(candidates, capacity);
      store<f32>(candidates + (<usize>found << 3), estimate + error);
      store<u32>(candidates + (<usize>found << 3), slot, 4);
      found++;
      if (estimate > kth) noteBest(load<u32>(p, 44), load<u32>(p, 48), estimate);
    }
  }
}

/** See the top of this file. `sums` is scratch of 80 bytes. */
export function searchCells(p: usize, sums: usize): void {
  const heap: usize = load<u32>(p, 24);
  const facts: usize = load<u32>(p, 16);
  const dots: usize = load<u32>(p, 20);
  const blocks: usize = load<u32>(p, 28);
  const blockBytes: usize = load<u32>(p, 32);
  const next = (<usize>load<u32>(p, 4) << 2) + 384;
  const best: usize = load<u32>(p, 44);
  const k = load<u32>(p, 48);
  const queryScale = load<f32>(p, 60);
  const normSquared = load<f32>(p, 64);
  const doubt = load<f32>(p, 80);
  for (let i: u32 = 0; i < k; i++) store<f32>(best + (i << 2), -Infinity);
  kth = -Infinity;
  floor = -Infinity;
  found = 0;
  let remaining = rankCells(p);
  if (remaining > 0) bringBest(heap, remaining);
  const start: f32 = 0.5 * load<f32>(heap) - load<f32>(p, 76);
  let visited: u32 = 0;
  let scanned: u32 = 0;
  while (remaining > 0) {
    // The first cells raise the limit nearly to its end, and few others pass it: only those are sorted.
    if (visited < FIRST) bringBest(heap, remaining);
    else if (visited == FIRST) {
      remaining = heapPromising(heap, remaining, 0.5 * kth + start);
      if (remaining == 0) break;
    }
    const cell = load<u32>(heap, 4);
    if (load<f32>(heap) < 0.5 * kth + start) break;
    remaining--;
    const last = heap + (<usize>remaining << 3);
    if (visited < FIRST) store<u64>(heap, load<u64>(last));
    else sink(heap, remaining, 0, load<f32>(last), load<u32>(last, 4));
    const fact = facts + (<usize>cell << 5);
    const dot = <f32>load<i32>(dots + (<usize>cell << 2)) * load<f32>(fact) * queryScale;
    const distance = sqrt<f32>(max<f32>(0, normSquared + load<f32>(fact, 4) - 2 * dot));
    const error = doubt * load<f32>(fact, 12) * distance;
    const count = load<u32>(fact, 20);
    let block = load<u32>(fact, 16);
    for (let rest: i32 = count; rest > 0; rest -= 32) {
      const at = blocks + <usize>block * blockBytes;
      visitBlock(p, at, dot, error, sums);
      block = load<u32>(at + next);
    }
    visited++;
    scanned += count;
  }
  store<u32>(p, visited, 84);
  store<u32>(p, scanned, 88);
  store<u32>(p, keepPromising(load<u32>(p, 52)), 92);
}

/** Drops the candidates that the final k-th estimate rules out; returns how many remain. */
function keepPromising(candidates: usize): u32 {
  let kept: usize = candidates;
  for (let i: u32 = 0; i < found; i++) {
    const at = candidates + (<usize>i << 3);
    if (load<f32>(at) < kth) continue;
    store<u64>(kept, load<u64>(at));
    kept += 8;
  }
  return <u32>((kept - candidates) >> 3);
}

/**
 * The one of the `count` cells listed (u32) at `list`, or of all if it is 0, whose centre is nearest to the
 * query whose codes stand at `query`; the lower one on ties. Cells whose facts say NaN are passed over.
 * Returns `count` if none is left. `dots` is scratch as in a search.
 */
export function nearestCell(
  codes: usize,
  facts: usize,
  list: usize,
  count: u32,
  width: u32,
  query: usize,
  queryScale: f32,
  dots: usize,
): u32 {
  if (list == 0) scanRun(codes, count, width, query, dots);
  else scanList(codes, list, count, width, query, dots);
  let nearest = count;
  let least: f32 = Infinity;
  for (let i: u32 = 0; i < count; i++) {
    const cell = list == 0 ? i : load<u32>(list + (i << 2));
    const fact: usize = facts + (cell << 5);
    const dot = <f32>load<i32>(dots + (i << 2)) * load<f32>(fact) * queryScale;
    const distance: f32 = load<f32>(fact, 4) - 2 * dot;
    if (distance < least) {
      least = distance;
      nearest = i;
    }
  }
  return nearest;
}
