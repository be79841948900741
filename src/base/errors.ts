/**
 * The one error class that users meet, and the registry of its codes.
 *
 * `kind` says what the caller can do about it (nine coarse answers); `code` names the case and never
 * disappears in a minor release; `message` is for people and may change; `details` carries the values the
 * message speaks of. `docs/errors.md` has a heading for every code, which a test compares with this registry
 * in both directions.
 *
 * Faults of our own are not in this registry: `assert` throws an `AssertionError`, which nobody turns into a
 * `DatabaseError`, so that a bug of ours is never shown as somebody's bad input.
 */

/** What the caller can do: fix the call, make it, give up on it, wait, reopen, or restore. */
export type ErrorKind =
  | 'invalid'
  | 'not_found'
  | 'conflict'
  | 'unsupported'
  | 'limit'
  | 'unauthorized'
  | 'unavailable'
  | 'closed'
  | 'corrupt';

/** Every code with its kind. One line each: this table and `docs/errors.md` are kept equal by a test. */
export const ERROR_CODES = {
  TESSERA_INVALID_ARGUMENT: 'invalid',
  TESSERA_INVALID_NAME: 'invalid',
  TESSERA_INVALID_ID: 'invalid',
  TESSERA_INVALID_EMBEDDING: 'invalid',
  TESSERA_INVALID_METADATA: 'invalid',
  TESSERA_INVALID_DOCUMENT: 'invalid',
  TESSERA_INVALID_FILTER: 'invalid',
  TESSERA_INVALID_CONFIGURATION: 'invalid',
  TESSERA_INVALID_JSON: 'invalid',
  TESSERA_BATCH_MISMATCH: 'invalid',
  TESSERA_DUPLICATE_ID: 'invalid',
  TESSERA_DIMENSION_MISMATCH: 'invalid',
  TESSERA_EMBEDDING_FUNCTION: 'invalid',
  TESSERA_NOT_A_DATABASE: 'invalid',
  TESSERA_DATABASE_MISSING: 'invalid',
  TESSERA_TENANT_NOT_FOUND: 'not_found',
  TESSERA_DATABASE_NOT_FOUND: 'not_found',
  TESSERA_COLLECTION_NOT_FOUND: 'not_found',
  TESSERA_SUPERSEDED: 'not_found',
  TESSERA_NOT_FOUND: 'not_found',
  TESSERA_ALREADY_EXISTS: 'conflict',
  TESSERA_UNSUPPORTED: 'unsupported',
  TESSERA_DRIVER_MISSING: 'unsupported',
  TESSERA_MODEL_MISSING: 'unsupported',
  TESSERA_NEWER_FORMAT: 'unsupported',
  TESSERA_READ_ONLY: 'unsupported',
  TESSERA_LIMIT_EXCEEDED: 'limit',
  TESSERA_UNAUTHORIZED: 'unauthorized',
  TESSERA_FORBIDDEN: 'unauthorized',
  TESSERA_BUSY: 'unavailable',
  TESSERA_OVERLOADED: 'unavailable',
  TESSERA_TIMEOUT: 'unavailable',
  TESSERA_DISK_FULL: 'unavailable',
  TESSERA_IO: 'unavailable',
  TESSERA_CONNECTION: 'unavailable',
  TESSERA_EMBEDDING_PROVIDER: 'unavailable',
  TESSERA_WORKER_STOPPED: 'unavailable',
  TESSERA_REMOTE: 'unavailable',
  TESSERA_ABORTED: 'invalid',
  TESSERA_CLOSED: 'closed',
  TESSERA_CORRUPT: 'corrupt',
  TESSERA_MODEL_DAMAGED: 'corrupt',
} as const;

/** A stable name of one error case; a key of `ERROR_CODES`. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Plain values that a message speaks of; they survive threads and the wire. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** What an error looks like between threads. */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
}

/** The one error class of the public API. See `docs/errors.md` for each code. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.kind = ERROR_CODES[code];
    this.details = options.details ?? {};
  }

  /** The plain form, for handing over to another thread. */
  toData(): ErrorData {
    return { code: this.code, message: this.message, details: this.details };
  }

  /** Rebuilds an error that came from another thread. */
  static fromData(data: ErrorData): DatabaseError {
    return new DatabaseError(data.code, data.message, { details: data.details });
  }
}

/** A fault of ours: an assumption that the code relies on did not hold. Never caught inside the engine. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/**
 * Throws an `AssertionError` unless `condition` holds. Always on: a wrong answer costs more than the check.
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/**
 * Shows a user's value in a message, at most 80 characters: JSON where it says what the value is, with the
 * name of the class where it is not a plain object.
 */
export function show(value: unknown): string {
  let text: string;
  try {
    text = describe(value);
  } catch {
    text = 'an object that cannot be shown';
  }
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}

function describe(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return value.name === '' ? 'a function' : `the function ${value.name}`;
  // JSON makes null of what is no finite number.
  if (typeof value === 'number') return String(value);
  const json = JSON.stringify(value) ?? String(value);
  const name = classOf(value);
  return name === null || /^[\d-]/.test(json) ? json : `${name} ${json}`;
}

/** The class of an object that is more than JSON tells; a `Date` would look like a string. */
function classOf(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const name = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof name === 'string' && name !== '' && name !== 'Object' ? name : null;
}
