/**
 * A request and its reply, whatever carries them: a socket of `node:http` (node-exchange.ts) or the
 * platform's `Request` and `Response` (fetch-exchange.ts). Everything between reads and writes these alone.
 */

/** A request. */
export interface Incoming {
  readonly method: string;
  /** Path and query string as they were sent. */
  readonly target: string;
  /** The client's address; `null` where there is no socket. */
  readonly remote: string | null;
  /** A header by its name in lower case, `null` where there is none. */
  header(name: string): string | null;
  /**
   * Reads the body to its end. `take` is told of every chunk before it is kept; where it throws, nothing more
   * is kept and the promise rejects with its error. Rejects with anything else where the body breaks off.
   */
  readBody(take: (byteCount: number) => void): Promise<Uint8Array>;
  /** Calls `listener` when the client is gone before it was answered. */
  onGone(listener: () => void): void;
}

/** A reply. `body` is `null` for none at all. */
export interface Reply {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  readonly body: string | null;
}

/** Path and query string of a whole URL. */
export function targetOf(url: string): string {
  const path = url.indexOf('/', url.indexOf('://') + 3);
  const hash = url.indexOf('#');
  return path < 0 ? '/' : url.slice(path, hash < 0 ? undefined : hash);
}
