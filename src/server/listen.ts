/**
 * Puts a server on a socket of `node:http`, with bounds on what a slow or silent client may hold: the time in
 * which headers and a whole request must arrive, the time in which it must take something of its answer, and
 * the number of connections.
 */
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import { DatabaseError } from '../base/index.ts';
import { completeCounts } from './complete-options.ts';
import type { Server } from './create-server.ts';
import { nodeListener } from './node-exchange.ts';

/** Where to listen, and how patiently. */
export interface ListenOptions {
  /** Address or name of the interface. Default `127.0.0.1`, which only this machine reaches. */
  readonly host?: string;
  /** Default 8000; 0 takes any free port. */
  readonly port?: number;
  /** Milliseconds in which the headers of a request must arrive. Default 20,000. */
  readonly headersMs?: number;
  /** Milliseconds in which a whole request must arrive. Default 120,000: 40 MiB at 350 KB a second. */
  readonly requestMs?: number;
  /** Milliseconds in which a client must take some of an answer that waits for it. Default 30,000. */
  readonly stallMs?: number;
  /** Connections at once; further ones are closed. Default 4,000, a socket each. */
  readonly connectionsMax?: number;
}

/** The defaults of `ListenOptions` beside host and port, with where they come from. */
export const DEFAULT_PATIENCE = {
  headersMs: 20_000,
  requestMs: 120_000,
  stallMs: 30_000,
  connectionsMax: 4_000,
} as const;

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

/**
 * Milliseconds that requests under way have at the end: with what follows, a process is gone within a second.
 */
export const GRACE_MS = 700;
/**
 * Longer than the 40 s that Chroma's Python client keeps a connection, so that it never writes into a closed
 * one.
 */
const KEEP_ALIVE_MS = 65_000;
const CHECKS_PER_TIMEOUT = 4;

/**
 * Listens.
 *
 * Errors: `TESSERA_INVALID_ARGUMENT` for times that are none; `TESSERA_CONNECTION` when the port is taken or
 * the address is not this machine's.
 */
export async function listen(server: Server, options: ListenOptions = {}): Promise<Listener> {
  const { host = DEFAULT_HOST, port = DEFAULT_PORT } = options;
  const http = makeHttpServer(server, completeCounts<Patience>(DEFAULT_PATIENCE, options));
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

type Patience = Required<Omit<ListenOptions, 'host' | 'port'>>;

function makeHttpServer(server: Server, patience: Patience): HttpServer {
  const { headersMs, requestMs, stallMs, connectionsMax } = patience;
  const http = createHttpServer(
    {
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: Math.min(headersMs, requestMs),
      requestTimeout: requestMs,
      // How late a timeout may be noticed.
      connectionsCheckingInterval: Math.ceil(Math.min(headersMs, requestMs) / CHECKS_PER_TIMEOUT),
    },
    nodeListener((incoming) => server.handle(incoming)),
  );
  http.maxConnections = connectionsMax;
  // Told when nothing came or went for so long; that is no fault of a client whose call is at work.
  http.setTimeout(stallMs, (socket: Socket) => {
    if (socket.writableLength > 0) socket.destroy();
    else socket.setTimeout(stallMs);
  });
  return http;
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
