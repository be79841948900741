/** Requests and answers: one `fetch` a call, and every way in which it fails as one of our errors. */
import {
  DatabaseError,
  ERROR_CODES,
  type ErrorCode,
  parseJson,
  show,
  throwIfAborted,
} from '../../base/index.ts';

/**
 * Sends a request; the signature of a server's fetch handler, so that one can be talked to without a socket.
 */
export type Fetch = (request: Request) => Promise<Response>;

/** Where the server is and how to talk to it. */
export interface TransportOptions {
  /** Scheme, host, port and any path before `/api/v2`, without a slash at the end. */
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly fetch: Fetch;
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Sends requests to one server. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #inFlight = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  /**
   * Sends one request and returns the text of a successful answer. `body` is JSON text.
   *
   * Errors: `TESSERA_CLOSED`, `TESSERA_ABORTED`, `TESSERA_CONNECTION` when no answer came, and what the
   * server said.
   */
  async send(
    method: Method,
    path: string,
    body: string | null,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    if (this.#isClosed)
      throw new DatabaseError('TESSERA_CLOSED', 'This client is closed. Make a new one to go on.');
    throwIfAborted(signal);
    const call = this.#exchange(method, path, body, signal);
    this.#inFlight.add(call);
    try {
      return await call;
    } finally {
      this.#inFlight.delete(call);
    }
  }

  /** Waits for the calls under way, and refuses later ones. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#inFlight);
  }

  async #exchange(
    method: Method,
    path: string,
    body: string | null,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const url = `${this.#options.baseUrl}${path}`;
    let status: number;
    let text: string;
    try {
      const response = await this.#options.fetch(
        new Request(url, {
          method,
          headers: {
            ...(body === null ? {} : { 'content-type': 'application/json' }),
            ...this.#options.headers,
          },
          ...(body === null ? {} : { body }),
          ...(signal === undefined ? {} : { signal }),
        }),
      );
      status = response.status;
      text = await response.text();
    } catch (cause) {
      throwIfAborted(signal);
      throw new DatabaseError(
        'TESSERA_CONNECTION',
        `No answer from ${url}: ${reasonOf(cause)}. Is a server listening there?`,
        { details: { url }, cause },
      );
    }
    throwIfAborted(signal);
    if (status >= 200 && status < 300) return text;
    throw remoteError({ status, text, method, url });
  }
}

/** `fetch` says only that it failed, and puts the reason, such as ECONNREFUSED, into the cause. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as { cause?: { code?: unknown; message?: unknown }; message?: unknown };
  return String(cause?.code ?? cause?.message ?? message ?? error);
}

interface FailedAnswer {
  readonly status: number;
  readonly text: string;
  readonly method: string;
  readonly url: string;
}

/** What Chroma's servers, and ours for their clients' sake, put before the message of a 422. */
const TYPE_FAULT_PREFIX = 'Failed to deserialize the JSON body into the target type: ';

/**
 * Rebuilds the error that a server reports: by our code where it sends one, else by what Chroma means by it.
 */
function remoteError({ status, text, method, url }: FailedAnswer): DatabaseError {
  const body = readErrorBody(text);
  const told = body.message ?? `${method} ${url} was answered with status ${status}: ${show(text)}`;
  const message = told.startsWith(TYPE_FAULT_PREFIX) ? told.slice(TYPE_FAULT_PREFIX.length) : told;
  const details = { status, url, reason: status === 422 ? 'type' : undefined };
  return new DatabaseError(body.code ?? codeOf(status, message), message, { details });
}

function readErrorBody(text: string): { code: ErrorCode | null; message: string | null } {
  let body: unknown;
  try {
    body = parseJson(text);
  } catch {
    return { code: null, message: null };
  }
  const { code, message, error } = (body ?? {}) as { code?: unknown; message?: unknown; error?: unknown };
  const isKnown = typeof code === 'string' && Object.hasOwn(ERROR_CODES, code);
  return {
    code: isKnown ? (code as ErrorCode) : null,
    message: typeof message === 'string' ? message : typeof error === 'string' ? error : null,
  };
}

/** Sentences of Chroma that tell more than its status. */
const SENTENCES: readonly [RegExp, ErrorCode][] = [
  [/^Collection expecting embedding with dimension|^Inconsistent dimensions/, 'TESSERA_DIMENSION_MISMATCH'],
  [/^Database \[.*\] does not exist/s, 'TESSERA_DATABASE_MISSING'],
  [/^Inconsistent number of IDs/, 'TESSERA_BATCH_MISMATCH'],
  [/^Empty ID/, 'TESSERA_INVALID_ID'],
  [/^Invalid where|^Regex syntax/, 'TESSERA_INVALID_FILTER'],
  [/^(Validation error: name: )?Expected a name/, 'TESSERA_INVALID_NAME'],
];

function codeOf(status: number, message: string): ErrorCode {
  switch (status) {
    case 400:
    case 422:
      return SENTENCES.find(([sentence]) => sentence.test(message))?.[1] ?? 'TESSERA_INVALID_ARGUMENT';
    case 401:
      return 'TESSERA_UNAUTHORIZED';
    case 403:
      return 'TESSERA_FORBIDDEN';
    case 404:
      if (/^Collection\b/.test(message)) return 'TESSERA_COLLECTION_NOT_FOUND';
      if (/^Tenant\b/.test(message)) return 'TESSERA_TENANT_NOT_FOUND';
      return /^Database\b/.test(message) ? 'TESSERA_DATABASE_NOT_FOUND' : 'TESSERA_NOT_FOUND';
    case 409:
      return 'TESSERA_ALREADY_EXISTS';
    case 413:
      return 'TESSERA_LIMIT_EXCEEDED';
    case 429:
      return 'TESSERA_BUSY';
    case 501:
      return 'TESSERA_UNSUPPORTED';
    default:
      return status < 500 ? 'TESSERA_INVALID_ARGUMENT' : 'TESSERA_REMOTE';
  }
}
