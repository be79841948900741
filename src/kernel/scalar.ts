/**
 * The kernels in plain TypeScript: the definition of what the WebAssembly must compute, bit for bit.
 *
 * Integers are exact in any order. Sums of floats are not, so all functions of floats fix the order:
 * component i goes into sum i mod 8, and the eight sums are united as ((0+2)+(4+6)) + ((1+3)+(5+7)).
 * Products of two float32 values are exact in float64, and neither side may fuse a multiplication with an
 * addition, hence equal bits. Besides being the oracle, the float functions serve collections too small to
 * be worth a WebAssembly memory.
 */

const ROUNDER = 6_755_399_441_055_744;

/** Dots of `count` consecutive rows of `width` codes from code `first` on with `query`, into `out`. */
export function scanRun(
  codes: Int8Array,
  first: number,
  count: number,
  width: number,
  query: Int16Array,
  out: Int32Array,
): void {
  for (let i = 0; i < count; i++) out[i] = dotCodes(codes, first + i * width, width, query);
}

/** Dots of the rows whose slots are listed; slot 0 begins at code `first`. */
export function scanList(
  codes: Int8Array,
  first: number,
  slots: Uint32Array,
  width: number,
  query: Int16Array,
  out: Int32Array,
): void {
  for (let i = 0; i < slots.length; i++) out[i] = dotCodes(codes, first + slots[i]! * width, width, query);
}

function dotCodes(codes: Int8Array, first: number, width: number, query: Int16Array): number {
  let sum = 0;
  for (let i = 0; i < width; i++) sum += codes[first + i]! * query[i]!;
  return sum;
}

/**
 * Σ left·right in float64. The vectors have the same length, any; the missing ones of the last eight count
 * as zeros.
 */
export function dot(left: Float32Array, right: Float32Array): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let s4 = 0;
  let s5 = 0;
  let s6 = 0;
  let s7 = 0;
  const whole = left.length & ~7;
  let i = 0;
  for (; i < whole; i += 8) {
    s0 += left[i]! * right[i]!;
    s1 += left[i + 1]! * right[i + 1]!;
    s2 += left[i + 2]! * right[i + 2]!;
    s3 += left[i + 3]! * right[i + 3]!;
    s4 += left[i + 4]! * right[i + 4]!;
    s5 += left[i + 5]! * right[i + 5]!;
    s6 += left[i + 6]! * right[i + 6]!;
    s7 += left[i + 7]! * right[i + 7]!;
  }
  const rest = left.length - whole;
  if (rest > 0) s0 += left[i]! * right[i]!;
  if (rest > 1) s1 += left[i + 1]! * right[i + 1]!;
  if (rest > 2) s2 += left[i + 2]! * right[i + 2]!;
  if (rest > 3) s3 += left[i + 3]! * right[i + 3]!;
  if (rest > 4) s4 += left[i + 4]! * right[i + 4]!;
  if (rest > 5) s5 += left[i + 5]! * right[i + 5]!;
  if (rest > 6) s6 += left[i + 6]! * right[i + 6]!;
  return s0 + s2 + (s4 + s6) + (s1 + s3 + (s5 + s7));
}

/** Σ (left − right)² in float64, on the same terms. */
export function squaredL2(left: Float32Array, right: Float32Array): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let s4 = 0;
  let s5 = 0;
  let s6 = 0;
  let s7 = 0;
  const whole = left.length & ~7;
  let i = 0;
  for (; i < whole; i += 8) {
    s0 += square(left[i]! - right[i]!);
    s1 += square(left[i + 1]! - right[i + 1]!);
    s2 += square(left[i + 2]! - right[i + 2]!);
    s3 += square(left[i + 3]! - right[i + 3]!);
    s4 += square(left[i + 4]! - right[i + 4]!);
    s5 += square(left[i + 5]! - right[i + 5]!);
    s6 += square(left[i + 6]! - right[i + 6]!);
    s7 += square(left[i + 7]! - right[i + 7]!);
  }
  const rest = left.length - whole;
  if (rest > 0) s0 += square(left[i]! - right[i]!);
  if (rest > 1) s1 += square(left[i + 1]! - right[i + 1]!);
  if (rest > 2) s2 += square(left[i + 2]! - right[i + 2]!);
  if (rest > 3) s3 += square(left[i + 3]! - right[i + 3]!);
  if (rest > 4) s4 += square(left[i + 4]! - right[i + 4]!);
  if (rest > 5) s5 += square(left[i + 5]! - right[i + 5]!);
  if (rest > 6) s6 += square(left[i + 6]! - right[i + 6]!);
  return s0 + s2 + (s4 + s6) + (s1 + s3 + (s5 + s7));
}

/** What `quantise` says of a vector besides its codes. */
export interface QuantisedVector {
  readonly scale: number;
  /** Norm of what the codes leave out. */
  readonly residual: number;
}

/**
 * Writes small integers for a vector of floats to `codes`:
 *
 *   vector = scale · codes + residual,   scale = max|component| / levels
 *
 * One scale per vector (not per collection) needs no training, does not age as data changes, and gives a
 * vector of any magnitude the same relative precision. The norm of the residual is kept because it bounds
 * the error of any product with the vector, so that the codes may be as coarse as they like without an
 * answer being wrong.
 *
 * A vector of zeros has scale 0, codes 0 and residual 0. Components are finite. Ties are rounded to even:
 * adding and subtracting 1.5 · 2^52 does so, because float64 numbers of that size are integers. All
 * arithmetic is float64, where no float32 input overflows or underflows.
 */
export function quantise(
  vector: Float32Array,
  levels: number,
  codes: Int8Array | Int16Array,
): QuantisedVector {
  let largest = 0;
  for (const x of vector) largest = Math.max(largest, Math.abs(x));
  const scale = largest / levels;
  const inverse = largest === 0 ? 0 : levels / largest;
  const sums = new Float64Array(8);
  for (let i = 0; i < vector.length; i++) {
    const value = vector[i]!;
    const code = value * inverse + ROUNDER - ROUNDER;
    codes[i] = code;
    sums[i % 8]! += square(value - scale * code);
  }
  const [s0, s1, s2, s3, s4, s5, s6, s7] = sums;
  return { scale, residual: Math.sqrt(s0! + s2! + (s4! + s6!) + (s1! + s3! + (s5! + s7!))) };
}

function square(value: number): number {
  return value * value;
}
