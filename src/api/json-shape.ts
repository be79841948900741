/**
 * Reading JSON values of unknown shape, member by member, with errors that name the place.
 *
 * The errors carry `details.reason: 'type'`: the text was JSON, but not of the shape asked for. The server
 * answers them with 422, as Chroma does, and all other faults of a request with 400.
 */
import { DatabaseError, Double, type ErrorCode, type JsonValue, show } from '../base/index.ts';

/** A JSON object as the parser returns it. */
export type JsonObject = { readonly [key: string]: unknown };

/** An error for a value of the wrong JSON type at `path`. */
export function wrongType(
  path: string,
  expected: string,
  value: unknown,
  code: ErrorCode = 'TESSERA_INVALID_CONFIGURATION',
): DatabaseError {
  const shown = value instanceof Double ? String(value) : show(value);
  const message = `${path}: expected ${expected}, got ${shown}`;
  return new DatabaseError(code, message, { details: { reason: 'type' } });
}

/** An error for a member that `path` may not have; `allowed` are the names that it may have. */
export function unknownField(path: string, field: string, allowed: readonly string[]): DatabaseError {
  const names = allowed.map((name) => `\`${name}\``).join(', ');
  const expectation = allowed.length === 0 ? 'there are no fields' : `expected one of ${names}`;
  const message = `${path}.${field}: unknown field \`${field}\`, ${expectation}`;
  return new DatabaseError('TESSERA_INVALID_CONFIGURATION', message, { details: { reason: 'type' } });
}

/** An error for a member that `path` must have. */
export function missingField(
  path: string,
  field: string,
  code: ErrorCode = 'TESSERA_INVALID_CONFIGURATION',
): DatabaseError {
  const message = `${path}: missing field \`${field}\``;
  return new DatabaseError(code, message, { details: { reason: 'type' } });
}

/** Whether a value is a JSON object, which an array, `null` and a `Double` are not. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Double);
}

/** The value as an object. Errors: `TESSERA_INVALID_CONFIGURATION`. */
export function readObject(value: unknown, path: string): JsonObject {
  if (!isJsonObject(value)) throw wrongType(path, 'an object', value);
  return value;
}

/** The value as an object with no members but those of `allowed`. Errors: `TESSERA_INVALID_CONFIGURATION`. */
export function readClosedObject(value: unknown, path: string, allowed: readonly string[]): JsonObject {
  const object = readObject(value, path);
  for (const field of Object.keys(object)) {
    if (!allowed.includes(field)) throw unknownField(path, field, allowed);
  }
  return object;
}

/** The value as an unsigned integer. `1.0` is none. Errors: `TESSERA_INVALID_CONFIGURATION`. */
export function readUnsigned(value: unknown, path: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw wrongType(path, 'an unsigned integer', value);
  }
  return value;
}

/** The value as a finite number of any spelling. Errors: `TESSERA_INVALID_CONFIGURATION`. */
export function readFloat(value: unknown, path: string): number {
  const number = value instanceof Double ? value.value : typeof value === 'bigint' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number)) throw wrongType(path, 'a finite number', value);
  return number;
}

/** The value as a number above 0 and up to 1, of any spelling. Errors: `TESSERA_INVALID_CONFIGURATION`. */
export function readShare(value: unknown, path: string): number {
  const number = value instanceof Double ? value.value : value;
  if (typeof number === 'number' && number > 0 && number <= 1) return number;
  throw wrongType(path, 'a number above 0 and up to 1', value);
}

/** The value as one of some strings. Errors: `TESSERA_INVALID_CONFIGURATION`. */
export function readVariant<T extends string>(value: unknown, path: string, variants: readonly T[]): T {
  const found = variants.find((variant) => variant === value);
  if (found === undefined) {
    throw wrongType(path, `one of ${variants.map((variant) => `\`${variant}\``).join(', ')}`, value);
  }
  return found;
}

/** Levels of nesting that stored JSON may have. Chroma's parser stops at 128 for a whole request. */
const DEPTH_MAX = 128;

/**
 * A deep copy of JSON without `Double` and `bigint`.
 *
 * For values that are stored and echoed without being looked at and that cross threads, where a `Double`
 * would lose its class. `1.0` becomes `1`, which every reader of such a value takes for the same number.
 *
 * Errors: `TESSERA_INVALID_CONFIGURATION` when nested deeper than 128 levels, as a cycle is.
 */
export function plainJson(value: unknown, depth = 0): JsonValue {
  if (depth > DEPTH_MAX) {
    const message = `Expected JSON of at most ${DEPTH_MAX} levels of nesting, got more (or a cycle).`;
    throw new DatabaseError('TESSERA_INVALID_CONFIGURATION', message);
  }
  if (value instanceof Double) return value.value;
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map((element) => plainJson(element, depth + 1));
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return Object.fromEntries(members.map(([key, member]) => [key, plainJson(member, depth + 1)]));
  }
  return value as JsonValue;
}
