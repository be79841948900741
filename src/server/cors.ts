/**
 * Which web pages may speak to the server: those of the origins that are configured, and none by default.
 *
 * As Chroma answers: a preflight gets 200, other answers say whose page may read them.
 */
import type { Incoming, Reply } from './exchange.ts';

type Headers = { readonly [name: string]: string };

const NONE: Headers = {};
/** What an answer depends on, for caches. */
const VARY = 'origin, access-control-request-method, access-control-request-headers';

/** Origins whose pages may speak to the server; `*` is all. */
export class CrossOrigin {
  readonly #origins: ReadonlySet<string>;
  readonly #isAll: boolean;
  readonly #allowedHeaders: string;

  /** `*` does not stand for `Authorization` in browsers, so it is named where keys are wanted. */
  constructor(origins: readonly string[], wantsKeys: boolean) {
    this.#origins = new Set(origins);
    this.#isAll = this.#origins.has('*');
    this.#allowedHeaders = wantsKeys ? '*, authorization' : '*';
  }

  /** The reply to a preflight; `null` where it is none, or nothing is allowed. */
  preflight(incoming: Incoming): Reply | null {
    if (incoming.method !== 'OPTIONS' || this.#origins.size === 0) return null;
    if (incoming.header('access-control-request-method') === null) return null;
    const headers = {
      ...this.headersFor(incoming),
      'access-control-allow-methods': '*',
      'access-control-allow-headers': this.#allowedHeaders,
      vary: VARY,
    };
    return { status: 200, headers, body: null };
  }

  /** What other answers to this request say. */
  headersFor(incoming: Incoming): Headers {
    if (this.#origins.size === 0) return NONE;
    if (this.#isAll) return { 'access-control-allow-origin': '*', vary: VARY };
    const origin = incoming.header('origin');
    if (origin === null || !this.#origins.has(origin)) return { vary: VARY };
    return { 'access-control-allow-origin': origin, vary: VARY };
  }
}
