/**
 * How much a server takes on at once, and what one request may ask for.
 *
 * A request over a bound is refused at once, with a word on when to try again, instead of being kept: a
 * server that keeps what it cannot do in time only makes everybody wait longer. Bytes of bodies count as they
 * arrive, so that an announcement costs the others nothing.
 */
import { LIMITS } from '../api/index.ts';
import { DatabaseError } from '../base/index.ts';

/** Bounds of a server; every member has a default. */
export interface ServerLimits {
  /** Bytes of one body. */
  readonly bodyBytesMax: number;
  /** Bytes of all bodies under way together; at least one always fits. */
  readonly bodiesBytesMax: number;
  /** Requests under way. */
  readonly requestsMax: number;
  /** Records of one write; `null` for as many as its body holds. */
  readonly batchSizeMax: number | null;
  /** Records in one answer. */
  readonly resultsMax: number;
  /** Bytes of one answer, about. */
  readonly answerBytesMax: number;
  /** Milliseconds until a call is given up; 0 for never. Not of routes that are `isLong`. */
  readonly callMs: number;
}

/**
 * `bodiesBytesMax`: four of the largest bodies; parsed, each takes several times its size. `requestsMax`:
 * with queries of a millisecond on one thread, who comes last waits a second. `resultsMax`, `answerBytesMax`:
 * an answer is one string, of which V8 allows 512 MB, and twice that is needed to send it. `callMs`: far over
 * the slowest call seen, an exact query over a million records that have to be read.
 */
export const DEFAULT_SERVER_LIMITS: ServerLimits = {
  bodyBytesMax: LIMITS.bodyBytesMax,
  bodiesBytesMax: 4 * LIMITS.bodyBytesMax,
  requestsMax: 1_000,
  batchSizeMax: null,
  resultsMax: 1_000_000,
  answerBytesMax: 268_435_456,
  callMs: 120_000,
};

/** What a request under way holds. */
export interface Pass {
  /** Counts bytes of its body. Errors: `TESSERA_LIMIT_EXCEEDED`, `TESSERA_OVERLOADED`. */
  take(byteCount: number): void;
  /** Gives everything back. */
  leave(): void;
}

/** See the top of this file. */
export class Admission {
  readonly #limits: ServerLimits;
  readonly #bodiesBytesMax: number;
  #requestCount = 0;
  #bodiesBytes = 0;

  constructor(limits: ServerLimits) {
    this.#limits = limits;
    this.#bodiesBytesMax = Math.max(limits.bodiesBytesMax, limits.bodyBytesMax);
  }

  /** Requests under way. */
  get requestCount(): number {
    return this.#requestCount;
  }

  /** Bytes of bodies under way. */
  get bodiesBytes(): number {
    return this.#bodiesBytes;
  }

  /** Lets a request in. Errors: `TESSERA_OVERLOADED`. */
  enter(): Pass {
    const { requestsMax } = this.#limits;
    if (this.#requestCount >= requestsMax) {
      throw overloaded(`${requestsMax} requests are under way, as many as this server takes on.`);
    }
    this.#requestCount++;
    let held = 0;
    return {
      take: (byteCount) => {
        if (held + byteCount > this.#limits.bodyBytesMax) throw bodyTooLarge(this.#limits.bodyBytesMax);
        if (this.#bodiesBytes + byteCount > this.#bodiesBytesMax) {
          throw overloaded(`Bodies of ${this.#bodiesBytesMax} bytes are under way, as many as fit.`);
        }
        held += byteCount;
        this.#bodiesBytes += byteCount;
      },
      leave: () => {
        this.#requestCount--;
        this.#bodiesBytes -= held;
      },
    };
  }
}

/** A body over the bound. */
export function bodyTooLarge(bytesMax: number): DatabaseError {
  const remedy = `Expected at most ${bytesMax} bytes; send smaller batches.`;
  const message = `Failed to buffer the request body: length limit exceeded. ${remedy}`;
  return new DatabaseError('TESSERA_LIMIT_EXCEEDED', message, {
    details: { reason: 'body', limit: bytesMax },
  });
}

function overloaded(reason: string): DatabaseError {
  return new DatabaseError('TESSERA_OVERLOADED', `${reason} Nothing was done; try again in a second.`);
}
