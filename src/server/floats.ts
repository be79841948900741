/**
 * float32 values as JSON: the shortest decimal that reads back as the same float32, with a point or an
 * exponent.
 *
 * `JSON.stringify` of a float32 0.1 gives `0.10000000149011612`, because to JavaScript the value is a double.
 * Clients expect `0.1`, and the longer form nearly doubles the size of an answer.
 *
 * Method: a float32 has at most nine significant digits, and every decimal of up to six survives the round
 * trip. So the answer is the rounding to six, seven, eight or nine digits: the first of them that rounds back
 * to the value. With `n` the digits as an integer and `p` the decimal places, `n / 10^p` is one correctly
 * rounded division as long as `10^p` is exact (p ≤ 22), hence exactly the double that a JSON reader makes of
 * the text. More digits are never farther away, so the tries can begin in the middle: most values need eight
 * or nine. `n` fits 31 bits then, and its digits are written as bytes without a detour over strings. Values
 * outside the range where this holds (tiny, huge) take the slower `toPrecision`, which does the same.
 *
 * A double that lies exactly half-way between two float32 values is passed over: a reader that rounds the
 * decimal straight to float32 might go the other way than one that goes through a double.
 */

const POWERS = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));
const LOG10_2 = Math.log10(2);
/** Below this, JSON texts of numbers have exponents. */
const POSITIONAL_MIN = 1e-6;
const INT31_MAX = 0x7fffffff;
/** Longest text of a float32, `-123456789000000000000.0`, with its comma. */
const TEXT_BYTES_MAX = 26;

const ZERO = 48;
const POINT = 46;
const MINUS = 45;
const COMMA = 44;

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/**
 * The values from `start` up to `end` as a JSON array; those that are not finite are `null`. O(end − start).
 */
export function formatFloats(values: Float32Array, start: number, end: number): string {
  const bytes = Buffer.allocUnsafe((end - start) * TEXT_BYTES_MAX + 2);
  bytes[0] = 0x5b;
  let at = 1;
  for (let i = start; i < end; i++) {
    if (i > start) bytes[at++] = COMMA;
    at = writeFloat32(bytes, at, values[i]!);
  }
  bytes[at++] = 0x5d;
  return bytes.toString('latin1', 0, at);
}

/** Writes one value at `at` and returns the offset after it. */
function writeFloat32(bytes: Buffer, at: number, value: number): number {
  const magnitude = Math.abs(value);
  if (magnitude >= POSITIONAL_MIN && magnitude < INT31_MAX) {
    const places = shortestPlaces(magnitude);
    if (places >= 0)
      return writeDecimal(bytes, at, value < 0, Math.round(magnitude * POWERS[places]!), places);
  }
  const text = formatRare(value);
  return at + bytes.write(text, at, 'latin1');
}

/**
 * The least number of decimal places that tells `magnitude` from its neighbours, or −1 when the digits would
 * not fit 31 bits (the caller takes the slow way then).
 */
function shortestPlaces(magnitude: number): number {
  scratch[0] = magnitude;
  const binaryExponent = (scratchBits[0]! >>> 23) - 127;
  // log10 of the power of two below the magnitude is its decimal exponent, or one less. So these places
  // give six digits or seven.
  const six = Math.max(0, 5 - Math.floor(binaryExponent * LOG10_2));
  let places = six + 2;
  if (!isExactAt(magnitude, places)) {
    places++;
    return isExactAt(magnitude, places) && magnitude * POWERS[places]! < INT31_MAX ? places : -1;
  }
  while (places > 0 && isExactAt(magnitude, places - 1)) places--;
  return magnitude * POWERS[places]! < INT31_MAX ? places : -1;
}

function isExactAt(magnitude: number, places: number): boolean {
  const power = POWERS[places]!;
  return roundsTo(Math.round(magnitude * power) / power, magnitude);
}

function roundsTo(candidate: number, value: number): boolean {
  if (Math.fround(candidate) !== value) return false;
  const neighbour = value + 2 * (candidate - value);
  return neighbour === value || Math.fround(neighbour) !== neighbour;
}

/** Writes `digits / 10^places` with a point and at least one digit on either side of it. */
function writeDecimal(
  bytes: Buffer,
  at: number,
  isNegative: boolean,
  digits: number,
  places: number,
): number {
  let next = at;
  if (isNegative) bytes[next++] = MINUS;
  const power = POWERS[places]!;
  let whole = places > 9 ? 0 : (digits / power) | 0;
  let fraction = whole === 0 ? digits : digits - whole * power;
  let wholeCount = 1;
  for (let bound = 10; wholeCount < 10 && whole >= bound; bound *= 10) wholeCount++;
  for (let i = next + wholeCount - 1; i >= next; i--) {
    const rest = (whole / 10) | 0;
    bytes[i] = ZERO + (whole - rest * 10);
    whole = rest;
  }
  next += wholeCount;
  bytes[next++] = POINT;
  if (places === 0) {
    bytes[next++] = ZERO;
    return next;
  }
  for (let i = next + places - 1; i >= next; i--) {
    const rest = (fraction / 10) | 0;
    bytes[i] = ZERO + (fraction - rest * 10);
    fraction = rest;
  }
  return next + places;
}

/**
 * The values that the fast way does not cover: zero, not finite, below 1e-6, or with more than nine digits.
 */
function formatRare(value: number): string {
  if (!Number.isFinite(value)) return 'null';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  let text = String(value);
  for (let digits = 1; digits <= 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (!roundsTo(candidate, value)) continue;
    text = String(candidate);
    break;
  }
  return /[.e]/.test(text) ? text : `${text}.0`;
}
