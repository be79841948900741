/** Requests and replies as the platform's `Request` and `Response`, for callers without a socket. */
import { type Incoming, type Reply, targetOf } from './exchange.ts';

/** A `Request` as the server reads it. */
export function incomingOf(request: Request): Incoming {
  return {
    method: request.method,
    target: targetOf(request.url),
    remote: null,
    header: (name) => request.headers.get(name),
    readBody: (take) => readBody(request, take),
    onGone: (listener) => request.signal.addEventListener('abort', listener, { once: true }),
  };
}

async function readBody(request: Request, take: (byteCount: number) => void): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
    // Leaving the loop cancels the stream: the rest is not read.
    take(chunk.length);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/** A reply as a `Response` to a request of this method. */
export function responseOf({ status, headers, body }: Reply, method: string): Response {
  return new Response(method === 'HEAD' ? null : body, { status, headers });
}
