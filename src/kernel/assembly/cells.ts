/**
 * The search over cells, from the centroids to the candidates, in one call.
 *
 *   rank      cells by the score of their centre, as far as they can matter
 *   visit     them in that order, until a centre scores less than the mean of the best centre's score and
 *             the k-th best estimate so far, less `slack`; with a mask also by how far the entries reach
 *   estimate  32 entries at a time by shuffles (FastScan)
 *   keep      entries whose estimate could, with its error, still be among the k best
 *
 * Scores are inner products, so more is better: score = ⟨centre, q⟩ + base + slope·⟨signs, q⟩, with base and
 * slope of the entry (see entries.ts) and the last product from the table. The request is in request.ts.
 */
import { estimateCentres, prepare } from './centres';
import { scanList } from './codes';
import { sumBlock, sumHalfBlock } from './fastscan';
import * as at from './request';
import {
  bringBest,
  heapify,
  noteBest,
  selectBetterHalf,
  sink,
  startBest,
  swap,
  worstOfBest,
} from './selection';

/** The best possible score of the last candidate dropped for room, and the candidates so far. */
let floor: f32 = 0;
let found: u32 = 0;
let scanned: u32 = 0;

/** Centres that are multiplied before the others, by their estimates the best. */
const SEEDS: u32 = 16;
/** Cells that are visited before the rest are ranked. */
const FIRST: u32 = 4;
/**
 * Cells without their entries that end a search, which has to be made again when they were read: what it
 * would come to after them depends on what is in them.
 */
const UNREAD_MAX: u32 = 8;
const NO_BLOCK: u32 = 0xffffffff;

/**
 * Lists the cells that have entries, and allowed ones as far as that is known, with what their centres could
 * score at best, at `HEAP`; returns how many. The seeds come first, about `SEEDS`.
 */
function listCells(p: usize): u32 {
  estimateCentres(p, 0, SEEDS);
  const cellCount = load<u32>(p, at.CELL_COUNT);
  const heap: usize = load<u32>(p, at.HEAP);
  const hopes: usize = load<u32>(p, at.HOPES);
  let fact: usize = load<u32>(p, at.FACTS);
  const what: usize = load<u32>(p, at.HAS_LISTS) == 0 ? 20 : 24;
  let place = heap;
  for (let cell: u32 = 0; cell < cellCount; cell++) {
    store<f32>(place, load<f32>(hopes + (cell << 2)));
    store<u32>(place, cell, 4);
    place += load<u32>(fact + what) == 0 ? 0 : 8;
    fact += 32;
  }
  return <u32>((place - heap) >> 3);
}

/** Brings the listed cells to the front whose hope is at least `limit`; returns how many. */
function bringPromising(heap: usize, count: u32, limit: f32): u32 {
  let front = heap;
  const end = heap + (<usize>count << 3);
  for (let place = heap; place < end; place += 8) {
    if (load<f32>(place) < limit) continue;
    swap(place, front);
    front += 8;
  }
  return <u32>((front - heap) >> 3);
}

/** Replaces the hopes of `count` listed cells by their scores. */
function score(p: usize, pairs: usize, count: u32): void {
  const list: usize = load<u32>(p, at.LIST);
  const dots: usize = load<u32>(p, at.DOTS);
  const facts: usize = load<u32>(p, at.FACTS);
  const queryScale = load<f32>(p, at.QUERY_SCALE);
  for (let i: usize = 0; i < count; i++) store<u32>(list + (i << 2), load<u32>(pairs + (i << 3), 4));
  scanList(load<u32>(p, at.CODES), list, count, load<u32>(p, at.WIDTH), load<u32>(p, at.QUERY_CODES), dots);
  for (let i: usize = 0; i < count; i++) {
    const fact = facts + (<usize>load<u32>(list + (i << 2)) << 5);
    const dot = <f32>load<i32>(dots + (i << 2)) * (load<f32>(fact) * queryScale);
    store<f32>(pairs + (i << 3), dot + load<f32>(fact, 8));
  }
}

/**
 * Looks at the entries of one block of a cell for which `lanes` has a bit; where all of them are in one half
 * of the block, at that alone. `centre` is the cell's part of every score, `error` what an estimate may be
 * off. The slots are looked up in `mask`, unless that is 0.
 */
function visitBlock(p: usize, block: usize, lanes: u32, centre: f32, error: f32, mask: usize): void {
  const bytes = load<u32>(p, at.WIDTH) << 2;
  const table: usize = load<u32>(p, at.TABLE);
  const sums: usize = load<u32>(p, at.SUMS);
  const candidates: usize = load<u32>(p, at.CANDIDATES);
  const capacity = load<u32>(p, at.CAPACITY);
  const factors = block + bytes;
  let lane: usize = 0;
  let end: usize = 32;
  if (lanes >> 16 == 0) {
    end = 16;
    sumHalfBlock(block, table, bytes, 0, sums);
  } else if (<u16>lanes == 0) {
    lane = 16;
    sumHalfBlock(block, table, bytes, 4, sums + 32);
  } else sumBlock(block, table, bytes, sums);
  const step = f32x4.splat(load<f32>(p, at.STEP));
  const offset = f32x4.splat(load<f32>(p, at.OFFSET));
  const common = f32x4.splat(centre);
  const estimates = sums + 64;
  const least = f32x4.splat(max(worstOfBest, floor) - error);
  let passing: u32 = 0;
  for (; lane < end; lane += 4) {
    const sum = f32x4.convert_i32x4_u(v128.load16x4_u(sums + (lane << 1)));
    const product = f32x4.add(f32x4.mul(sum, step), offset);
    const own = f32x4.add(
      v128.load(factors + (lane << 2)),
      f32x4.mul(v128.load(factors + (lane << 2), 128), product),
    );
    const four = f32x4.add(common, own);
    v128.store(estimates + (lane << 2), four);
    passing |= <u32>i32x4.bitmask(f32x4.gt(four, least)) << <u32>lane;
  }
  passing &= lanes;
  while (passing != 0) {
    const i: usize = ctz(passing);
    passing &= passing - 1;
    const estimate = load<f32>(estimates + (i << 2));
    if (estimate <= max(worstOfBest, floor) - error) continue;
    const slot = load<u32>(factors + (i << 2), 256);
    if (mask != 0 && !((load<u32>(mask + ((slot >> 5) << 2)) >> (slot & 31)) & 1)) continue;
    if (found == capacity) {
      selectBetterHalf(candidates, capacity);
      found = capacity >> 1;
      floor = load<f32>(candidates + (<usize>found << 3));
    }
    store<f32>(candidates + (<usize>found << 3), estimate + error);
    store<u32>(candidates + (<usize>found << 3), slot, 4);
    found++;
    if (estimate > worstOfBest) noteBest(load<u32>(p, at.BEST), load<u32>(p, at.K), estimate);
  }
}

/** Nothing reads it: it keeps the compiler from leaving `touch` out. */
let touched: u32 = 0;

/**
 * Reads something of every 64 bytes of a block, so that all of it is on its way from main memory at once
 * while the block before it is looked at. `bytes` is a multiple of 128. Of 512 dimensions, searches so took
 * 0.99 of the processor time at 40,000 rows, 0.94 at 60,000 and 0.89 at 200,000 (in turns, 2026-11-29).
 */
// @ts-ignore: decorator
@inline
function touch(block: usize, bytes: usize): void {
  let all: u32 = 0;
  const end = block + bytes;
  for (; block < end; block += 128) all |= load<u32>(block) | load<u32>(block, 64);
  touched = all;
}

/** Touches the block of a cell that a search looks at first. */
function touchFirst(p: usize, cell: u32): void {
  const fact: usize = <usize>load<u32>(p, at.FACTS) + (<usize>cell << 5);
  let block = load<u32>(fact, 16);
  if (block == NO_BLOCK) return;
  const hasLists = load<u32>(p, at.HAS_LISTS) != 0;
  if (hasLists) block = load<u32>(load<u32>(fact, 24), 8);
  const bytes = (<usize>load<u32>(p, at.WIDTH) << 2) + (hasLists ? 256 : 384);
  touch(<usize>load<u32>(p, at.BLOCKS) + <usize>block * load<u32>(p, at.BLOCK_BYTES), bytes);
}

/** The best centre's score, and its distance squared, negative until its cell was visited. */
let first: f32 = 0;
let firstSquared: f32 = 0;
let slack: f32 = 0;
/** Cells so far whose entries were not read. */
let unread: u32 = 0;
/** What the rounding of the table adds to the squared distance of a centre, in the error of an estimate. */
let rounding: f32 = 0;

/**
 * Entries of the table are off by step / √12 (usual deviation), the product of signs, which is width / 4 of
 * them, by step · √(width / 48), and an estimate by ‖r‖ · √(π / 2) / √width of that. The error that comes
 * from the signs alone is √(π / 2 − 1) · ‖r‖ · ‖q − c‖ / √width, so that the two together are the latter
 * with ‖q − c‖² + (π / 2) / (48 · (π / 2 − 1)) · width · step² for ‖q − c‖².
 */
const ROUNDING: f32 = 0.0573;

/**
 * Looks at the entries of a cell whose centre scores `key`, as far as the mask allows them where that is
 * known of the cells.
 */
function visit(p: usize, key: f32, cell: u32): void {
  const fact: usize = <usize>load<u32>(p, at.FACTS) + (<usize>cell << 5);
  const dot = key - load<f32>(fact, 8);
  const squared = load<f32>(p, at.QUERY_SQUARED) + load<f32>(fact, 4) - 2 * dot;
  const error = load<f32>(p, at.DOUBT) * load<f32>(fact, 12) * sqrt<f32>(max<f32>(0, squared) + rounding);
  if (load<u32>(fact, 20) > 0 && load<u32>(fact, 16) == NO_BLOCK) {
    store<u32>(fact, 1, 28);
    unread++;
    return;
  }
  if (load<u32>(p, at.HAS_LISTS) == 0) visitAll(p, fact, dot, error);
  else visitAllowed(p, fact, dot, error);
  if (firstSquared < 0) firstSquared = max<f32>(0, squared);
}

/** Looks at all blocks of a cell. */
function visitAll(p: usize, fact: usize, centre: f32, error: f32): void {
  const blocks: usize = load<u32>(p, at.BLOCKS);
  const blockBytes: usize = load<u32>(p, at.BLOCK_BYTES);
  const next = (<usize>load<u32>(p, at.WIDTH) << 2) + 384;
  const mask: usize = load<u32>(p, at.MASK);
  const count = load<u32>(fact, 20);
  let block = load<u32>(fact, 16);
  // All blocks are full but the first.
  let inBlock: u32 = ((count - 1) & 31) + 1;
  for (let rest: i32 = count; rest > 0; rest -= inBlock, inBlock = 32) {
    const place = blocks + <usize>block * blockBytes;
    block = load<u32>(place + next);
    if (rest > <i32>inBlock) touch(blocks + <usize>block * blockBytes, next);
    visitBlock(p, place, 0xffffffff >> (32 - inBlock), centre, error, mask);
    scanned += inBlock;
  }
}

/** Looks at the allowed entries of a cell, whose list is drawn in request.ts. */
function visitAllowed(p: usize, fact: usize, centre: f32, error: f32): void {
  const blocks: usize = load<u32>(p, at.BLOCKS);
  const blockBytes: usize = load<u32>(p, at.BLOCK_BYTES);
  // Slots are needed of few entries, and what block comes next the list says.
  const bytes = (<usize>load<u32>(p, at.WIDTH) << 2) + 256;
  const list: usize = load<u32>(fact, 24);
  const end = list + 8 + (<usize>load<u32>(list) << 3);
  const newest = load<u32>(fact, 16);
  for (let pair = list + 8; pair < end; pair += 8) {
    const block = load<u32>(pair);
    const lanes = load<u32>(pair, 4);
    if (pair + 8 < end) touch(blocks + <usize>load<u32>(pair, 8) * blockBytes, bytes);
    visitBlock(p, blocks + <usize>block * blockBytes, lanes, centre, error, 0);
    const inBlock: u32 = block == newest ? ((load<u32>(fact, 20) - 1) & 31) + 1 : 32;
    const isFirstHalf = lanes >> 16 == 0;
    scanned += isFirstHalf ? min<u32>(16, inBlock) : <u16>lanes == 0 ? inBlock - 16 : inBlock;
  }
}

/**
 * What a centre has to score for its cell to be visited.
 *
 * Where a mask leaves entries only that are far from the query, the cells that hold the nearest of them are
 * many and hardly differ: then a cell is visited if an entry of it at the usual distance r from the centre,
 * off by `REACH` · r towards the query, were nearer than the k-th best: d² + r² − 2 · reach · r · d ≤ dₖ².
 */
function limit(p: usize): f32 {
  const usual = usualLimit();
  const reach = load<f32>(p, at.REACH);
  if (reach == 0) return usual;
  const querySquared = load<f32>(p, at.QUERY_SQUARED);
  const bestSquared = querySquared - 2 * worstOfBest;
  const spread = load<f32>(p, at.SPREAD);
  // Nearer than the usual entry of the best cell: the query is among the entries that count.
  if (bestSquared < firstSquared + spread) return usual;
  const farthest =
    reach * sqrt<f32>(spread) + sqrt<f32>(max<f32>(0, (reach * reach - 1) * spread + bestSquared));
  return min<f32>(usual, 0.5 * (querySquared - farthest * farthest));
}

// @ts-ignore: decorator
@inline
function usualLimit(): f32 {
  return 0.5 * (first + worstOfBest) - slack;
}

/** How many entries a block has in a usual cell, whose newest is partly filled: 2 to the power of this. */
const USUAL_LOGARITHM: f32 = 4.85;
/** How much less `REACH` is for each halving of the entries that count in a block (docs/adr/0010). */
const REACH_OF_HALF: f32 = 0.045;

/**
 * Whether a cell is visited whose centre scores `key`, at least `limit`. The fewer entries of its blocks
 * count, the less may be found there for looking at a block, and the less far the farthest of them lies
 * towards the query: so the reach is less where the mask leaves less than a usual cell has.
 */
function isWithinReach(p: usize, key: f32, cell: u32): bool {
  if (load<u32>(p, at.HAS_LISTS) == 0 || key >= usualLimit()) return true;
  const list: usize = load<u32>(<usize>load<u32>(p, at.FACTS) + (<usize>cell << 5), 24);
  const blocks = load<u32>(list);
  // How many blocks there are is not known before the entries are read.
  if (blocks == 0) return true;
  const halvings = max<f32>(0, USUAL_LOGARITHM + logarithm(<f32>blocks) - logarithm(<f32>load<u32>(list, 4)));
  const reach = load<f32>(p, at.REACH) - REACH_OF_HALF * halvings;
  const querySquared = load<f32>(p, at.QUERY_SQUARED);
  const squared = max<f32>(0, querySquared - 2 * key);
  const spread = load<f32>(p, at.SPREAD);
  return squared + spread - 2 * reach * sqrt<f32>(spread * squared) <= querySquared - 2 * worstOfBest;
}

/** The logarithm to base 2 of a positive float: up to 0.09 too small, and right for powers of two. */
// @ts-ignore: decorator
@inline
function logarithm(value: f32): f32 {
  return <f32>reinterpret<u32>(value) * (1.0 / 8388608.0) - 127;
}

/** Searches for the vector at `query`, rotated and moved. */
export function searchCells(p: usize, query: usize): void {
  const heap: usize = load<u32>(p, at.HEAP);
  prepare(p, query);
  const step = load<f32>(p, at.STEP);
  rounding = ROUNDING * <f32>load<u32>(p, at.WIDTH) * step * step;
  const count = listCells(p);
  let seeds = bringPromising(heap, count, worstOfBest);
  // Cells without entries have estimates too, and may all be better than those with some.
  if (seeds == 0) seeds = count;
  startBest(load<u32>(p, at.BEST), load<u32>(p, at.K));
  floor = -Infinity;
  found = 0;
  scanned = 0;
  firstSquared = -1;
  unread = 0;
  let visited: u32 = 0;
  if (count > 0) {
    score(p, heap, seeds);
    bringBest(heap, seeds);
    first = load<f32>(heap);
    slack = load<f32>(p, at.SLACK);
    const others = heap + (<usize>seeds << 3);
    // The first cells raise the limit nearly to its end, and few others pass it: only those are ranked.
    while (seeds > 0 && visited < FIRST && load<f32>(heap) >= limit(p)) {
      visit(p, load<f32>(heap), load<u32>(heap, 4));
      visited++;
      seeds--;
      store<u64>(heap, load<u64>(heap + (<usize>seeds << 3)));
      if (seeds > 0) bringBest(heap, seeds);
    }
    const otherCount = count - <u32>((others - heap) >> 3);
    let remaining = rank(p, seeds, others, otherCount, limit(p));
    while (remaining > 0 && unread < UNREAD_MAX && load<f32>(heap) >= limit(p)) {
      const key = load<f32>(heap);
      const cell = load<u32>(heap, 4);
      remaining--;
      const last = heap + (<usize>remaining << 3);
      sink(heap, remaining, 0, load<f32>(last), load<u32>(last, 4));
      if (!isWithinReach(p, key, cell)) continue;
      if (remaining > 0) touchFirst(p, load<u32>(heap, 4));
      visit(p, key, cell);
      visited++;
    }
  }
  store<u32>(p, unread, at.UNREAD);
  store<u32>(p, visited, at.VISITED);
  store<u32>(p, scanned, at.SCANNED);
  store<u32>(p, keepPromising(load<u32>(p, at.CANDIDATES)), at.CANDIDATE_COUNT);
}

/**
 * Makes a heap of the cells that score at least `limit`: of the first `scored` listed, and of `count` at
 * `others`, which have hopes still. Returns how many they are.
 */
function rank(p: usize, scored: u32, others: usize, count: u32, limit: f32): u32 {
  const heap: usize = load<u32>(p, at.HEAP);
  const promising = bringPromising(others, count, limit);
  score(p, others, promising);
  let kept = heap;
  const scoredEnd = heap + (<usize>scored << 3);
  for (let place = heap; place < scoredEnd; place += 8) {
    store<u64>(kept, load<u64>(place));
    kept += load<f32>(place) >= limit ? 8 : 0;
  }
  const end = others + (<usize>promising << 3);
  for (let place = others; place < end; place += 8) {
    store<u64>(kept, load<u64>(place));
    kept += load<f32>(place) >= limit ? 8 : 0;
  }
  const remaining = <u32>((kept - heap) >> 3);
  heapify(heap, remaining);
  return remaining;
}

/** Drops the candidates that the final k-th estimate rules out; returns how many remain. */
function keepPromising(candidates: usize): u32 {
  let kept: usize = candidates;
  for (let i: u32 = 0; i < found; i++) {
    const place = candidates + (<usize>i << 3);
    if (load<f32>(place) < worstOfBest) continue;
    store<u64>(kept, load<u64>(place));
    kept += 8;
  }
  return <u32>((kept - candidates) >> 3);
}
