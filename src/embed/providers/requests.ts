/**
 * Requests to a provider of embeddings: JSON out, JSON in, tried again where that can help.
 *
 * What may pass by itself is tried again: no connection, no answer in time, 408, 429 and every 5xx. Between
 * two tries lies what `Retry-After` asks for, or else a wait that doubles from try to try, a random part of
 * it taken off so that programs which were refused together do not come back together. An answer that says
 * what is wrong with the request (any other 4xx) is final, and so is a provider that asks for a longer wait
 * than anybody will sit through.
 *
 * Requests start no closer together than the rate that the caller allows, however many run side by side.
 */
import { type Clock, DatabaseError, systemClock, systemRandom, throwIfAborted } from '../../base/index.ts';
import type { Fetch } from './provider-options.ts';
import { isTooLong } from './token-limits.ts';

/** How requests are made; every part has a default for users and a stand-in in tests. */
export interface RequestPolicy {
  readonly fetch: Fetch;
  /** Tries after the first one. */
  readonly retryCount: number;
  /** How long one try may take. */
  readonly timeoutMs: number;
  /** How long to wait between two starts; 0 for no limit. */
  readonly intervalMs: number;
  readonly clock: Pick<Clock, 'monotonicMs' | 'nowNs'>;
  /** Resolves after a while, or rejects with the signal's reason. */
  readonly sleep: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
  /** A number in [0, 1). */
  readonly chance: () => number;
}

/** One request. `body` is JSON. */
export interface ProviderRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/**
 * Waits between tries: 0.5, 1, 2, 4, 8 s and so on. Providers count by the minute, so that five tries in some
 * 15 s bridge a hiccup, and `Retry-After` the rest.
 */
const WAIT_MS_FIRST = 500;
const WAIT_MS_MAX = 30_000;

/** The longest `Retry-After` that is heeded: providers count by the minute; beyond two, a quota is spent. */
const RETRY_AFTER_MS_MAX = 120_000;

/** Characters of a refusal that are shown. */
const REFUSAL_LENGTH_MAX = 300;

/** What of the policy is the same for all. */
export const SYSTEM_POLICY: Pick<RequestPolicy, 'clock' | 'sleep' | 'chance'> = {
  clock: systemClock,
  sleep,
  chance: () => Number.parseInt(systemRandom.uuid().slice(0, 8), 16) / 2 ** 32,
};

/** What one try came to. */
type Try =
  | { readonly kind: 'answer'; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly error: DatabaseError }
  | { readonly kind: 'passing'; readonly reason: string; readonly waitMs: number | null; cause?: unknown };

/** Sends the requests of one function. */
export class Requests {
  readonly #provider: string;
  readonly #policy: RequestPolicy;
  #nextStartMs = Number.NEGATIVE_INFINITY;

  /** `provider` is what messages call the other side. */
  constructor(provider: string, policy: RequestPolicy) {
    this.#provider = provider;
    this.#policy = policy;
  }

  /**
   * Posts a request and returns the JSON of the answer.
   *
   * Errors: `TESSERA_EMBEDDING_FUNCTION` for a refused request, `TESSERA_LIMIT_EXCEEDED` for one with a text
   * that is too long, `TESSERA_EMBEDDING_PROVIDER` when no good answer came, `TESSERA_ABORTED`.
   */
  async post(request: ProviderRequest, signal: AbortSignal | undefined): Promise<unknown> {
    for (let tries = 0; ; tries++) {
      await this.#waitForTurn(signal);
      const outcome = await this.#try(request, signal);
      if (outcome.kind === 'answer') return outcome.value;
      if (outcome.kind === 'refusal') throw outcome.error;
      const { reason, cause } = outcome;
      if (tries >= this.#policy.retryCount) {
        const count = tries === 0 ? 'once' : `${tries + 1} times`;
        throw this.#unavailable(`${reason}, asked ${count}. Try again later`, cause);
      }
      const waitMs = outcome.waitMs ?? this.#backoffMs(tries);
      if (waitMs > RETRY_AFTER_MS_MAX) {
        const seconds = Math.ceil(waitMs / 1000);
        throw this.#unavailable(`${reason} and asks to wait ${seconds} s. Try again then`, cause);
      }
      await this.#sleep(waitMs, signal);
    }
  }

  #backoffMs(tries: number): number {
    const { chance } = this.#policy;
    return Math.min(WAIT_MS_FIRST * 2 ** tries, WAIT_MS_MAX) * (1 - chance() / 2);
  }

  async #waitForTurn(signal: AbortSignal | undefined): Promise<void> {
    const { intervalMs, clock } = this.#policy;
    throwIfAborted(signal);
    if (intervalMs === 0) return;
    const nowMs = clock.monotonicMs();
    const startMs = Math.max(nowMs, this.#nextStartMs);
    this.#nextStartMs = startMs + intervalMs;
    if (startMs > nowMs) await this.#sleep(startMs - nowMs, signal);
  }

  async #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#policy.sleep(ms, signal);
    } finally {
      throwIfAborted(signal);
    }
  }

  async #try({ url, headers, body }: ProviderRequest, signal: AbortSignal | undefined): Promise<Try> {
    const { timeoutMs, fetch } = this.#policy;
    const timeout = AbortSignal.timeout(timeoutMs);
    let response: Response;
    let text: string;
    try {
      response = await fetch(
        new Request(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body: JSON.stringify(body),
          signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
        }),
      );
      text = await response.text();
    } catch (cause) {
      throwIfAborted(signal);
      const reason = timeout.aborted
        ? `gave no answer within ${timeoutMs} ms`
        : `gave no answer (${shown(cause)})`;
      return { kind: 'passing', reason, waitMs: null, cause };
    }
    if (response.ok) return { kind: 'answer', value: this.#parse(text) };
    const { status } = response;
    const said = `answered ${status}: ${refusal(text)}`;
    if (status === 408 || status === 429 || status >= 500) {
      return { kind: 'passing', reason: said, waitMs: this.#retryAfterMs(response) };
    }
    return { kind: 'refusal', error: this.#refused(said, status) };
  }

  #refused(said: string, status: number): DatabaseError {
    const details = { provider: this.#provider, status };
    if (!isTooLong(status, said)) {
      return new DatabaseError('TESSERA_EMBEDDING_FUNCTION', `${this.#provider} ${said}`, { details });
    }
    const remedy =
      'A text is longer than its model reads: cut it with splitText, or take files in by `tessera ingest`.';
    return new DatabaseError('TESSERA_LIMIT_EXCEEDED', `${this.#provider} ${said}. ${remedy}`, { details });
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw this.#unavailable(`answered what is no JSON: ${refusal(text)}. Check the URL`, cause);
    }
  }

  /** Seconds or a date; `null` where the answer says neither. */
  #retryAfterMs(response: Response): number | null {
    const value = response.headers.get('retry-after');
    if (value === null) return null;
    const seconds = Number(value);
    if (value.trim() !== '' && Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
    const ms = Date.parse(value) - Number(this.#policy.clock.nowNs() / 1_000_000n);
    return Number.isFinite(ms) ? Math.max(0, ms) : null;
  }

  #unavailable(what: string, cause: unknown): DatabaseError {
    return providerFault(this.#provider, what, cause);
  }
}

/** The error of a provider that gave no good answer; `what` goes on after its name, without a full stop. */
export function providerFault(provider: string, what: string, cause?: unknown): DatabaseError {
  return new DatabaseError('TESSERA_EMBEDDING_PROVIDER', `${provider} ${what}.`, {
    details: { provider },
    cause,
  });
}

/** The cause that fetch hides says more: `fetch failed` is the same for all. */
function shown(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  if (!(inner instanceof Error)) return String(inner);
  const { code } = inner as { code?: unknown };
  return inner.message || String(code ?? inner.name);
}

/** The message within a refusal; providers wrap theirs differently. */
function refusal(text: string): string {
  let message = text.trim();
  try {
    const body = JSON.parse(text) as Record<string, unknown> | null;
    const { error, message: top, detail } = body ?? {};
    const inner = (error as { message?: unknown } | null | undefined)?.message;
    const said = [inner, error, top, detail].find((part) => typeof part === 'string');
    if (said !== undefined) message = String(said);
  } catch {
    // It is no JSON, and shown as it is.
  }
  if (message === '') return 'nothing';
  return message.length <= REFUSAL_LENGTH_MAX ? message : `${message.slice(0, REFUSAL_LENGTH_MAX)}...`;
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}
