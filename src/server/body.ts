/** Reading a request's body as JSON: what kind it must be, how long and how deep. */
import { LIMITS } from '../api/index.ts';
import { DatabaseError, Double, type JsonValue, parseJson } from '../base/index.ts';
import { bodyTooLarge, type Pass } from './admission.ts';
import type { Incoming } from './exchange.ts';
import { plainJson } from './plain-text.ts';

const JSON_TYPE = /^application\/(?:[\w.!#$&^-]+\+)?json\s*(?:;|$)/i;

/**
 * Levels of nesting in a body: two for each level of a filter (`{"$and": [`), and some around it. What reads
 * a body may recurse, and must not run out of stack because of what somebody sent.
 */
const DEPTH_MAX = 2 * LIMITS.filterDepthMax + 64;

const decoder = new TextDecoder('utf-8', { fatal: true });

/** A body that cannot be taken for what it is. The server answers 415, whatever else is wrong. */
export class MediaTypeError extends Error {
  override readonly name = 'MediaTypeError';
}

/**
 * Reads the body of a request.
 *
 * Errors: `MediaTypeError`; `TESSERA_LIMIT_EXCEEDED` with `details.reason: 'body'` over the bound, and
 * `TESSERA_OVERLOADED`, as `pass` says; `TESSERA_INVALID_JSON`; `TESSERA_ABORTED` when the body breaks off.
 */
export async function readJsonBody(incoming: Incoming, pass: Pass, bytesMax: number): Promise<JsonValue> {
  const type = incoming.header('content-type');
  if (type !== null && !JSON_TYPE.test(type)) {
    throw new MediaTypeError('Expected request with `Content-Type: application/json`');
  }
  if (Number(incoming.header('content-length') ?? 0) > bytesMax) throw bodyTooLarge(bytesMax);
  const bytes = await incoming.readBody(pass.take).catch((cause: unknown) => {
    // A body that breaks off is the client's doing, and no fault of ours to be logged.
    throw cause instanceof DatabaseError ? cause : brokenOff(cause);
  });
  const { text, value } = parseBody(bytes);
  // The walk over every number of a query would take a tenth of its time.
  if (hasManyBrackets(text, DEPTH_MAX) && isDeeperThan(value, DEPTH_MAX)) {
    throw malformed(`recursion limit exceeded: expected at most ${DEPTH_MAX} levels of nesting`);
  }
  return value;
}

/** The value of a body, and a text of it. */
function parseBody(bytes: Uint8Array): { text: string; value: JsonValue } {
  const plain = plainJson(bytes);
  if (plain !== null) {
    try {
      return { text: plain, value: parseJson(plain) };
    } catch (cause) {
      // Once more as it was sent, so that the refusal speaks of that; with a byte order mark it is none.
      if (!(cause instanceof DatabaseError)) throw cause;
    }
  }
  const text = decodeText(bytes);
  return { text, value: parseText(text) };
}

function decodeText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw malformed('expected UTF-8', cause);
  }
}

function parseText(text: string): JsonValue {
  try {
    return parseJson(text);
  } catch (cause) {
    if (!(cause instanceof DatabaseError)) throw cause;
    throw malformed(cause.message, cause);
  }
}

/** Whether a text has more than `count` opening brackets, without which it is no deeper than that. */
function hasManyBrackets(text: string, count: number): boolean {
  let found = 0;
  for (const bracket of '[{') {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      if (++found > count) return true;
    }
  }
  return false;
}

function malformed(reason: string, cause?: unknown): DatabaseError {
  const message = `Failed to parse the request body as JSON: ${reason}`;
  return new DatabaseError('TESSERA_INVALID_JSON', message, { cause });
}

function brokenOff(cause: unknown): DatabaseError {
  const message = 'The request was given up by its client before its body had arrived.';
  return new DatabaseError('TESSERA_ABORTED', message, { cause });
}

/** Whether a value is nested deeper than `levels`; looks no deeper than that itself. */
function isDeeperThan(value: JsonValue, levels: number): boolean {
  if (typeof value !== 'object' || value === null || value instanceof Double) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const element = value[i]!;
      if (typeof element === 'object' && isDeeperThan(element, levels - 1)) return true;
    }
    return false;
  }
  for (const key of Object.keys(value)) {
    const member = value[key]!;
    if (typeof member === 'object' && isDeeperThan(member, levels - 1)) return true;
  }
  return false;
}
