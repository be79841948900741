/**
 * Which centres are near to a vector, without multiplying it with each of them.
 *
 * The centres have one-bit codes as entries of cells have, here with the origin as their centre, and a block
 * of 32 is looked at in one go. An estimate says how good a centre could be at best; only those that could
 * be good enough are multiplied, in 8-bit codes.
 *
 * Centre i is in lane i mod 32 of block i / 32:
 *
 *   offset            field
 *   0                 codes   as in entries.ts
 *   4·width           base    f32 × 32, what is added to the product with a query to score the cell
 *   4·width + 128     slope   f32 × 32
 *   4·width + 256     near    f32 × 32, −‖centre‖²/2, so that the greater score is the nearer centre
 *   4·width + 384     norm    f32 × 32
 *
 * Where there is no cell, base and near are −∞ and the others 0.
 */
import { scanList } from './codes';
import { makeTable } from './entries';
import { sumBlock } from './fastscan';
import { project } from './means';
import { quantise } from './quantise';
import * as at from './request';
import { noteBest, startBest, worstOfBest } from './selection';

/** Bytes of a block beyond its codes. */
const FACTORS: usize = 512;

/** Makes what the kernels need of a query or row of `width` floats, rotated and moved. */
export function prepare(p: usize, vector: usize): void {
  const width = load<u32>(p, at.WIDTH);
  const out: usize = load<u32>(p, at.SUMS);
  prepareCodes(p, vector);
  makeTable(vector, width, load<f32>(p, at.TABLE_LEVELS), load<u32>(p, at.TABLE), out);
  store<f32>(p, load<f32>(out), at.STEP);
  store<f32>(p, load<f32>(out, 4), at.OFFSET);
  project(vector, 1, width, vector, out);
  store<f32>(p, load<f32>(out), at.QUERY_SQUARED);
}

function prepareCodes(p: usize, vector: usize): void {
  const out: usize = load<u32>(p, at.SUMS);
  const levels: f64 = load<f32>(p, at.QUERY_LEVELS);
  quantise(vector, load<u32>(p, at.WIDTH), levels, load<u32>(p, at.QUERY_CODES), true, out);
  store<f32>(p, <f32>load<f64>(out), at.QUERY_SCALE);
}

/**
 * Writes to `HOPES` what each centre could score at best, with `field` of the block (0 base, 256 near) added
 * to the product. Leaves the k-th of the scores that are reached at least in `worstOfBest`.
 */
export function estimateCentres(p: usize, field: usize, k: u32): void {
  const bytes = load<u32>(p, at.WIDTH) << 2;
  const table: usize = load<u32>(p, at.TABLE);
  const sums: usize = load<u32>(p, at.SUMS);
  const best: usize = load<u32>(p, at.BEST);
  const step = f32x4.splat(load<f32>(p, at.STEP));
  const offset = f32x4.splat(load<f32>(p, at.OFFSET));
  const doubt = f32x4.splat(load<f32>(p, at.CENTRE_DOUBT) * sqrt<f32>(load<f32>(p, at.QUERY_SQUARED)));
  const cellCount = load<u32>(p, at.CELL_COUNT);
  let block: usize = load<u32>(p, at.CENTRES);
  let hopes: usize = load<u32>(p, at.HOPES);
  startBest(best, k);
  for (let first: u32 = 0; first < cellCount; first += 32) {
    sumBlock(block, table, bytes, sums);
    block += bytes;
    for (let lane: usize = 0; lane < 128; lane += 16) {
      const sum = f32x4.convert_i32x4_u(v128.load16x4_u(sums + (lane >> 1)));
      const product = f32x4.add(f32x4.mul(sum, step), offset);
      const middle = f32x4.add(
        v128.load(block + lane + field),
        f32x4.mul(v128.load(block + lane, 128), product),
      );
      const error = f32x4.mul(v128.load(block + lane, 384), doubt);
      v128.store(hopes + lane, f32x4.add(middle, error));
      const least = f32x4.sub(middle, error);
      let passing = i32x4.bitmask(f32x4.gt(least, f32x4.splat(worstOfBest)));
      if (passing == 0) continue;
      v128.store(sums + 64, least);
      while (passing != 0) {
        const value = load<f32>(sums + 64 + (<usize>ctz(passing) << 2));
        passing &= passing - 1;
        if (value > worstOfBest) noteBest(best, k, value);
      }
    }
    block += FACTORS;
    hopes += 128;
  }
}

/**
 * Lists the cells that may be among the `k` whose centres are nearest to the prepared vector; says how many.
 */
function listNear(p: usize, k: u32): u32 {
  estimateCentres(p, 256, k);
  const cellCount = load<u32>(p, at.CELL_COUNT);
  const hopes: usize = load<u32>(p, at.HOPES);
  const list: usize = load<u32>(p, at.LIST);
  const limit = f32x4.splat(worstOfBest);
  let count: usize = 0;
  for (let first: u32 = 0; first < cellCount; first += 4) {
    let passing = i32x4.bitmask(f32x4.ge(v128.load(hopes + (first << 2)), limit));
    while (passing != 0) {
      const cell = first + <u32>ctz(passing);
      passing &= passing - 1;
      // With fewer than k cells the limit is −∞, and places without a cell pass it.
      if (load<f32>(hopes + (cell << 2)) == -Infinity) continue;
      store<u32>(list + (count << 2), cell);
      count++;
    }
  }
  return <u32>count;
}

/** Writes ⟨centre, vector⟩ − ‖centre‖²/2 of the first `count` listed cells to `HOPES`. */
function scoreListed(p: usize, count: u32): void {
  const facts: usize = load<u32>(p, at.FACTS);
  const list: usize = load<u32>(p, at.LIST);
  const dots: usize = load<u32>(p, at.DOTS);
  const hopes: usize = load<u32>(p, at.HOPES);
  const scale = load<f32>(p, at.QUERY_SCALE);
  scanList(load<u32>(p, at.CODES), list, count, load<u32>(p, at.WIDTH), load<u32>(p, at.QUERY_CODES), dots);
  for (let i: usize = 0; i < count; i++) {
    const fact = facts + (<usize>load<u32>(list + (i << 2)) << 5);
    const dot = <f32>load<i32>(dots + (i << 2)) * (load<f32>(fact) * scale);
    store<f32>(hopes + (i << 2), dot - load<f32>(fact, 4) * 0.5);
  }
}

/**
 * Lists the `k` cells nearest to a vector, and perhaps more, with ⟨centre, vector⟩ − ‖centre‖²/2 at `HOPES`;
 * returns how many are listed.
 */
export function listNearest(p: usize, vector: usize, k: u32): u32 {
  prepare(p, vector);
  const count = listNear(p, k);
  scoreListed(p, count);
  return count;
}

/**
 * Writes to `out` (u32) for each of `count` rows that follow one another the cell whose centre is nearest:
 * of the first `listed` in `LIST`, or of all if it is 0. On ties the first of the list, or the lowest.
 * −1 if there is no cell.
 */
export function nearestCells(p: usize, rows: usize, count: u32, listed: u32, out: usize): void {
  const rowBytes = <usize>load<u32>(p, at.WIDTH) << 2;
  const list: usize = load<u32>(p, at.LIST);
  const hopes: usize = load<u32>(p, at.HOPES);
  for (let i: u32 = 0; i < count; i++) {
    let choices = listed;
    if (listed == 0) choices = listNearest(p, rows, 1);
    else {
      prepareCodes(p, rows);
      scoreListed(p, listed);
    }
    let nearest: u32 = 0xffffffff;
    let most: f32 = -Infinity;
    for (let j: usize = 0; j < choices; j++) {
      const score = load<f32>(hopes + (j << 2));
      if (score <= most) continue;
      most = score;
      nearest = load<u32>(list + (j << 2));
    }
    store<u32>(out, nearest);
    rows += rowBytes;
    out += 4;
  }
}
