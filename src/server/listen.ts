/**
 * Puts a server on a socket.
 *
 * @hono/node-server turns Node's requests into `Request`s. It could be faster by replacing the process's
 * global `Request` and `Response` with light ones of its own; in a library those globals belong to somebody
 * else, so it is told not to (ADR 7 has the figures).
 */
import type { Server as HttpServer } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import { DatabaseError } from '../base/index.ts';
import type { Server } from './create-server.ts';

/** Where to listen. */
export interface ListenOptions {
  /** Address or name of the interface. Default `127.0.0.1`, which only this machine reaches. */
  readonly host?: string;
  /** Default 8000; 0 takes any free port. */
  readonly port?: number;
}

/** A server on a socket. */
export interface Listener {
  readonly url: string;
  /** The port in use, also when 0 was asked for. */
  readonly port: number;
  /**
   * Stops accepting, waits for the requests that run, and cuts off those that take longer than `graceMs`
   * (default 700: with what follows, a process is gone within a second). Idempotent.
   */
  close(graceMs?: number): Promise<void>;
}

/**
 * Where Chroma's clients look when told nothing, but by number: `localhost` may mean more than one interface.
 */
export const DEFAULT_HOST = '127.0.0.1';
/** The port that Chroma's clients try when told nothing. */
export const DEFAULT_PORT = 8000;

const GRACE_MS = 700;
/**
 * Longer than the 40 s that Chroma's Python client keeps a connection, so that it never writes into a closed
 * one.
 */
const KEEP_ALIVE_MS = 65_000;

/**
 * Listens.
 *
 * Errors: `TESSERA_CONNECTION` when the port is taken or the address is not this machine's.
 */
export async function listen(server: Server, options: ListenOptions = {}): Promise<Listener> {
  const { host = DEFAULT_HOST, port = DEFAULT_PORT } = options;
  const http = createAdaptorServer({
    fetch: (request) => server.fetch(request),
    hostname: host,
    overrideGlobalObjects: false,
    serverOptions: { keepAliveTimeout: KEEP_ALIVE_MS },
  }) as HttpServer;
  await bind(http, host, port);
  const address = http.address();
  const boundPort = typeof address === 'object' && address !== null ? address.port : port;
  const closing = closer(http);
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${boundPort}`,
    port: boundPort,
    close: (graceMs = GRACE_MS) => closing(graceMs),
  };
}

function bind(http: HttpServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException): void => {
      const isTaken = cause.code === 'EADDRINUSE';
      const taken = 'the port is in use. Choose another port, or stop the program that has it.';
      const message = `Cannot listen on ${host}:${port}: ${isTaken ? taken : `${cause.message}.`}`;
      reject(new DatabaseError('TESSERA_CONNECTION', message, { details: { host, port }, cause }));
    };
    http.once('error', fail);
    http.listen(port, host, () => {
      http.off('error', fail);
      resolve();
    });
  });
}

/**
 * How to close: connections that wait for their next request are cut at once, the others after their answer.
 */
function closer(http: HttpServer): (graceMs: number) => Promise<void> {
  let closed: Promise<void> | null = null;
  let isClosing = false;
  http.on('request', (_request, response) => {
    response.once('close', () => {
      if (isClosing) setImmediate(() => http.closeIdleConnections());
    });
  });
  return (graceMs) => {
    closed ??= new Promise((resolve) => {
      isClosing = true;
      const deadline = AbortSignal.timeout(graceMs);
      const cut = (): void => http.closeAllConnections();
      deadline.addEventListener('abort', cut);
      http.close(() => {
        deadline.removeEventListener('abort', cut);
        resolve();
      });
      http.closeIdleConnections();
    });
    return closed;
  };
}
