/**
 * JSON that keeps what JavaScript's numbers lose: the difference between `1` and `1.0`, and integers beyond
 * 2^53.
 *
 * The protocol and Chroma's Python users tell integers from floats (`1.0` written comes back as `1.0`), while
 * `JSON.parse` makes one number of both. So a text is first looked over by a regular expression for the three
 * spellings that may lose something (an integral float, an exponent that can make one, sixteen or more
 * digits). Nearly no text has one and goes to the built-in parser; the others go to lossless-json, several
 * times slower, whose number hook tells us the spelling. A false alarm (such a spelling inside a string,
 * after a comma) costs time, never truth.
 */
import { parse as parseLossless } from 'lossless-json';
import { DatabaseError } from './errors.ts';

/** A number that was written as a float although its value is integral, such as `1.0`. */
export class Double {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
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

const LOSSY_NUMBER =
  /[[:,]\s*-?(?:\d{16}|\d+\.0*(?:[,}\]\s]|[eE])|\d+(?:\.\d+)?[eE]\+?\d|\d{2,}(?:\.\d+)?[eE]-)/;

/** Reads a number's spelling: `Double` for an integral float, `bigint` for an integer outside ±2^53. */
function toExactNumber(text: string): number | bigint | Double {
  const value = Number(text);
  if (/^-?\d+$/.test(text)) return Number.isSafeInteger(value) ? value : BigInt(text);
  return Number.isInteger(value) ? new Double(value) : value;
}

/**
 * Parses a JSON text without losing integral floats or large integers.
 *
 * Errors: `TESSERA_INVALID_JSON` when the text is not JSON.
 */
export function parseJson(text: string): JsonValue {
  try {
    const isLossy = LOSSY_NUMBER.test(text) || /^\s*-?[\d.eE+-]+\s*$/.test(text);
    return (isLossy ? parseLossless(text, undefined, toExactNumber) : JSON.parse(text)) as JsonValue;
  } catch (cause) {
    if (!(cause instanceof SyntaxError) && !(cause instanceof RangeError)) throw cause;
    throw new DatabaseError('TESSERA_INVALID_JSON', `Expected a JSON text. ${cause.message}`, { cause });
  }
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
