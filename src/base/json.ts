/**
 * JSON that keeps what JavaScript's numbers lose: the difference between `1` and `1.0`, and integers beyond
 * 2^53.
 *
 * The protocol and Chroma's Python users tell integers from floats (`1.0` written comes back as `1.0`), while
 * `JSON.parse` makes one number of both. So a text is first looked over for spellings that lose something: an
 * integral float, most exponents, sixteen digits or more. Most texts have none and go to `JSON.parse` as they
 * are. In the others each such number is turned into a string that begins with a mark, a character that
 * occurs nowhere in the text; `JSON.parse` reads that, and the marked strings become exact numbers. So the
 * built-in parser does all the parsing, whatever the numbers are (docs/adr/0008).
 */
import { DatabaseError } from './errors.ts';

/** A number that was written as a float although its value is integral, such as `1.0`. */
export class Double {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }

  /** As a float: `1.0`. */
  toString(): string {
    return formatFloat(this.value);
  }

  /** `JSON.stringify` has no floats. */
  toJSON(): number {
    return this.value;
  }
}

/**
 * What `parseJson` returns: JSON's values, with `Double` and `bigint` where a plain number would lose
 * something.
 */
export type JsonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Double
  | JsonValue[]
  | { [key: string]: JsonValue };

/**
 * A number, outside of strings, whose spelling may lose something: an integral float, an exponent, sixteen
 * digits or more. Also a float that may round to an integer: one of six digits before the point or more, or
 * with ten zeros or nines after it, without which five digits leave a double room for the fraction. The
 * integer part follows JSON's grammar to the letter, so that a malformed number stays as it is and is refused
 * by the parser.
 */
const LOSSY_NUMBER = lossyNumber(
  /-?(?:0|[1-9]\d*)/,
  /\.0+|\.(?:0{10}|9{10})\d*|(?<=\d{6})\.\d+|(?:\.\d+)?[eE][+-]?\d+|(?<=\d{16})/,
);

function lossyNumber(whole: RegExp, rest: RegExp): RegExp {
  return new RegExp(`(?<![\\w.+-])${whole.source}(?:${rest.source})(?![\\w.+-])`, 'g');
}

/**
 * The same, without grammar: a quick look over a whole text, strings included. Alternatives begin with what
 * is rare and look back from there: with `\d{6}\.` the look at a query's numbers took five times as long, and
 * with a look back from every digit, instead of from what may stand before a number, nearly twice.
 *
 * An exponent loses nothing where it makes a fraction for certain, as in `1.5e-7`: with one digit before the
 * point, not 0, and from −2 (at −1 nines may round to 1) to −99 (far from rounding to 0). Some components
 * of a batch of embeddings are as small, and to look through all of it twice took 100 ms more for 500 × 512.
 */
const MAYBE_LOSSY =
  /\.(?:0+(?!\d)|0{10}|9{10}|(?<=\d{6}\.)\d)|[eE](?<=\d[eE])(?!(?=-0?(?:[2-9]|[1-9]\d)(?!\d))(?<=[,:[\s-][1-9](?:\.\d+)?[eE]))[+-]?\d|(?:^|[,:[\s-])\d{16}/;

/** Characters for private use, from which the mark is taken, as such and as an escape. */
const PRIVATE = /[\ue000-\uf8ff]|\\u([eEfF][\da-fA-F]{3})/g;
const PRIVATE_FIRST = 0xe000;
const PRIVATE_LAST = 0xf8ff;

/**
 * Parses a JSON text without losing integral floats or large integers. O(length).
 *
 * Errors: `TESSERA_INVALID_JSON` when the text is not JSON.
 */
export function parseJson(text: string): JsonValue {
  try {
    if (!MAYBE_LOSSY.test(text)) return JSON.parse(text) as JsonValue;
    const mark = chooseMark(text);
    return restore(JSON.parse(markNumbers(text, mark)) as JsonValue, mark);
  } catch (cause) {
    if (!(cause instanceof SyntaxError) && !(cause instanceof RangeError)) throw cause;
    throw new DatabaseError('TESSERA_INVALID_JSON', `Expected a JSON text. ${cause.message}`, { cause });
  }
}

/** A character for private use that the text has neither as such nor as an escape. */
function chooseMark(text: string): string {
  const used = new Set<number>();
  for (const [found, escaped] of text.matchAll(PRIVATE)) {
    used.add(escaped === undefined ? found.charCodeAt(0) : Number.parseInt(escaped, 16));
  }
  for (let code = PRIVATE_FIRST; code <= PRIVATE_LAST; code++) {
    if (!used.has(code)) return String.fromCharCode(code);
  }
  throw new SyntaxError('The text uses all 6,400 characters for private use; one must be left.');
}

/**
 * The text with every number that may lose something turned into a marked string. Strings are jumped over.
 */
function markNumbers(text: string, mark: string): string {
  const markNumber = (number: string): string => `"${mark}${number}"`;
  let marked = '';
  let done = 0;
  let at = 0;
  while (at < text.length) {
    let quote = text.indexOf('"', at);
    if (quote < 0) quote = text.length;
    // Between two strings there is mostly `,` or `:`, too short for a number of this kind.
    if (quote - at > 2) {
      const between = text.slice(at, quote);
      if (MAYBE_LOSSY.test(between)) {
        marked += text.slice(done, at) + between.replace(LOSSY_NUMBER, markNumber);
        done = quote;
      }
    }
    at = endOfString(text, quote);
  }
  return marked + text.slice(done);
}

/** The offset after the string that begins at `quote`. */
function endOfString(text: string, quote: number): number {
  let end = quote;
  for (;;) {
    end = text.indexOf('"', end + 1);
    if (end < 0) return text.length;
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    // An odd distance means an even number of backslashes: the quote is not escaped.
    if ((end - before) % 2 === 1) return end + 1;
  }
}

const BACKSLASH = 92;

/** Turns the marked strings in a parsed value into exact numbers, in place. */
function restore(value: JsonValue, mark: string): JsonValue {
  if (typeof value === 'string') return value.startsWith(mark) ? toExactNumber(value.slice(1)) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const element = value[i]!;
      if (typeof element === 'string' || typeof element === 'object') value[i] = restore(element, mark);
    }
    return value;
  }
  const object = value as { [key: string]: JsonValue };
  for (const key of Object.keys(object)) {
    // A number stood where a key must stand; as a string it has passed the parser.
    if (key.startsWith(mark)) throw new SyntaxError(`Expected a string as key, got ${key.slice(1)}`);
    const member = object[key]!;
    const restored = restore(member, mark);
    if (restored === member) continue;
    // Assigning to `__proto__` would change the prototype; a member of that name stays a member this way.
    if (key === '__proto__') Object.defineProperty(object, key, { ...PLAIN_MEMBER, value: restored });
    else object[key] = restored;
  }
  return object;
}

const PLAIN_MEMBER = { enumerable: true, configurable: true, writable: true } as const;

/** Reads a number's spelling: `Double` for an integral float, `bigint` for an integer outside ±2^53. */
function toExactNumber(text: string): number | bigint | Double {
  const value = Number(text);
  if (/^-?\d+$/.test(text)) return Number.isSafeInteger(value) ? value : BigInt(text);
  return Number.isInteger(value) ? new Double(value) : value;
}

/**
 * Writes one value of `parseJson`'s kind, or an ordinary JavaScript value, as JSON; inverse of `parseJson`.
 */
export function formatJson(value: JsonValue): string {
  if (value instanceof Double) return formatFloat(value.value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') {
    return Number.isInteger(value) && !Number.isSafeInteger(value)
      ? formatFloat(value)
      : JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(formatJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const members: string[] = [];
    for (const key of Object.keys(value)) {
      const member = value[key];
      if (member !== undefined) members.push(`${JSON.stringify(key)}:${formatJson(member)}`);
    }
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}

/**
 * A finite number spelled as a float: with a point or an exponent, shortest form that reads back the same.
 */
export function formatFloat(value: number): string {
  const text = Object.is(value, -0) ? '-0' : JSON.stringify(value);
  return /[.eE]/.test(text) ? text : `${text}.0`;
}
