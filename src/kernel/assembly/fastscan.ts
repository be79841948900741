/**
 * FastScan (André et al., VLDB 2015): the products of a query with 32 one-bit codes at a time, by shuffles
 * that look up four dimensions of sixteen codes each.
 */

/**
 * Bytes of `table` by indices below 16. For those the relaxed instruction means the same, and spares the
 * processor what makes larger indices give 0.
 */
// @ts-ignore: decorator
@inline
function lookUp(table: v128, indices: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i8x16.relaxed_swizzle(table, indices);
  return i8x16.swizzle(table, indices);
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
    let low = lookUp(t0, v128.and(c0, nibble));
    let high = lookUp(t0, v128.and(i16x8.shr_u(c0, 4), nibble));
    const t1 = v128.load(table, 16);
    const c1 = v128.load(codes, 16);
    low = i8x16.add(low, lookUp(t1, v128.and(c1, nibble)));
    high = i8x16.add(high, lookUp(t1, v128.and(i16x8.shr_u(c1, 4), nibble)));
    const t2 = v128.load(table, 32);
    const c2 = v128.load(codes, 32);
    low = i8x16.add(low, lookUp(t2, v128.and(c2, nibble)));
    high = i8x16.add(high, lookUp(t2, v128.and(i16x8.shr_u(c2, 4), nibble)));
    const t3 = v128.load(table, 48);
    const c3 = v128.load(codes, 48);
    low = i8x16.add(low, lookUp(t3, v128.and(c3, nibble)));
    high = i8x16.add(high, lookUp(t3, v128.and(i16x8.shr_u(c3, 4), nibble)));
    const t4 = v128.load(table, 64);
    const c4 = v128.load(codes, 64);
    low = i8x16.add(low, lookUp(t4, v128.and(c4, nibble)));
    high = i8x16.add(high, lookUp(t4, v128.and(i16x8.shr_u(c4, 4), nibble)));
    const t5 = v128.load(table, 80);
    const c5 = v128.load(codes, 80);
    low = i8x16.add(low, lookUp(t5, v128.and(c5, nibble)));
    high = i8x16.add(high, lookUp(t5, v128.and(i16x8.shr_u(c5, 4), nibble)));
    const t6 = v128.load(table, 96);
    const c6 = v128.load(codes, 96);
    low = i8x16.add(low, lookUp(t6, v128.and(c6, nibble)));
    high = i8x16.add(high, lookUp(t6, v128.and(i16x8.shr_u(c6, 4), nibble)));
    const t7 = v128.load(table, 112);
    const c7 = v128.load(codes, 112);
    low = i8x16.add(low, lookUp(t7, v128.and(c7, nibble)));
    high = i8x16.add(high, lookUp(t7, v128.and(i16x8.shr_u(c7, 4), nibble)));
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

/**
 * The same for one half of the block alone, u16 × 16: the first with a `shift` of 0, the second with 4.
 */
export function sumHalfBlock(codes: usize, table: usize, bytes: u32, shift: i32, out: usize): void {
  const nibble = i8x16.splat(15);
  let a = i16x8.splat(0);
  let b = i16x8.splat(0);
  const end = codes + bytes;
  while (codes < end) {
    let sum = lookUp(v128.load(table), halfOf(v128.load(codes), shift, nibble));
    sum = i8x16.add(sum, lookUp(v128.load(table, 16), halfOf(v128.load(codes, 16), shift, nibble)));
    sum = i8x16.add(sum, lookUp(v128.load(table, 32), halfOf(v128.load(codes, 32), shift, nibble)));
    sum = i8x16.add(sum, lookUp(v128.load(table, 48), halfOf(v128.load(codes, 48), shift, nibble)));
    sum = i8x16.add(sum, lookUp(v128.load(table, 64), halfOf(v128.load(codes, 64), shift, nibble)));
    sum = i8x16.add(sum, lookUp(v128.load(table, 80), halfOf(v128.load(codes, 80), shift, nibble)));
    sum = i8x16.add(sum, lookUp(v128.load(table, 96), halfOf(v128.load(codes, 96), shift, nibble)));
    sum = i8x16.add(sum, lookUp(v128.load(table, 112), halfOf(v128.load(codes, 112), shift, nibble)));
    a = i16x8.add(a, i16x8.extend_low_i8x16_u(sum));
    b = i16x8.add(b, i16x8.extend_high_i8x16_u(sum));
    codes += 128;
    table += 128;
  }
  v128.store(out, a);
  v128.store(out, b, 16);
}

// @ts-ignore: decorator
@inline
function halfOf(codes: v128, shift: i32, nibble: v128): v128 {
  return v128.and(i16x8.shr_u(codes, shift), nibble);
}
