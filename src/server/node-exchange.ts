/**
 * Requests and replies on a socket of `node:http`.
 *
 * What a refused request still sends is read and dropped, so that its client, which may write the whole body
 * before it reads, gets to see the refusal. How long that may take is the bound of every request (listen.ts).
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { type Incoming, type Reply, targetOf } from './exchange.ts';

/** Answers requests of `node:http` by `handle`. */
export function nodeListener(handle: (incoming: Incoming) => Promise<Reply>): RequestListener {
  return (message, response) => {
    // A socket that breaks is no event of its own: `close` follows.
    message.on('error', () => {});
    void handle(incomingOf(message, response)).then((reply) => send(reply, message, response));
  };
}

function incomingOf(message: IncomingMessage, response: ServerResponse): Incoming {
  const url = message.url!;
  return {
    method: message.method!,
    // Proxies may send the whole URL (RFC 9112, 3.2.2).
    target: /^https?:\/\//i.test(url) ? targetOf(url) : url,
    remote: message.socket.remoteAddress ?? null,
    header: (name) => {
      const value = message.headers[name];
      return value === undefined ? null : Array.isArray(value) ? value.join(', ') : value;
    },
    readBody: (take) => readBody(message, take),
    onGone: (listener) => {
      response.once('close', () => {
        if (!response.writableEnded) listener();
      });
    },
  };
}

function readBody(message: IncomingMessage, take: (byteCount: number) => void): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const fail = (error: Error): void => {
      message.removeAllListeners('data');
      message.resume();
      reject(error);
    };
    message.on('data', (chunk: Buffer) => {
      try {
        take(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        fail(error as Error);
      }
    });
    message.once('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    message.once('close', () => {
      if (!message.complete) fail(new Error('The connection ended before the body did.'));
    });
  });
}

function send({ status, headers, body }: Reply, message: IncomingMessage, response: ServerResponse): void {
  if (response.destroyed) return;
  response.writeHead(status, { ...headers, 'content-length': body === null ? 0 : Buffer.byteLength(body) });
  response.end(message.method === 'HEAD' || body === null ? undefined : body);
}
