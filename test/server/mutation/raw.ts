/** Requests as bytes on a socket, which need not be HTTP. */
import { DATABASE } from '../harness.ts';
import type { MutatedRequest } from './mutator.ts';

/** Heads that are wrong or too much; the body of a right request follows. */
const HEADS: readonly string[] = [
  'GARBAGE\r\n\r\n',
  '\0\0\0\0\xff\xfe\r\n\r\n',
  'GET / HTTP/9.9\r\n\r\n',
  'GET  HTTP/1.1\r\n\r\n',
  `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nhost: x\r\n\r\n`,
  `GET / HTTP/1.1\r\nhost: x\r\n${'x-header: '.padEnd(70_000, 'y')}\r\n\r\n`,
  `GET / HTTP/1.1\r\nhost: x\r\n${'a: b\r\n'.repeat(5_000)}\r\n`,
  'GET / HTTP/1.1\r\n\r\n',
  'GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n',
  'GET http://other.test/api/v2/heartbeat HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
  'CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n',
  'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n',
  'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef',
  'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n',
  'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n',
  'GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade, close\r\n\r\n',
  'GET / HTTP/1.1\r\nhost: x\r\nexpect: something\r\nconnection: close\r\n\r\n',
];

const JSON_POST = `POST ${DATABASE}/collections HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n`;

/** What a client sends: pieces with pauses between them, and how it ends. */
export interface RawRequest {
  readonly pieces: readonly Buffer[];
  /** `wait` for the server to close, `leave` after the last piece, or send nothing more and `trickle`. */
  readonly ending: 'wait' | 'leave' | 'trickle';
}

function bytesOf({ method, path, headers, body }: MutatedRequest, length: number): Buffer {
  const lines = Object.entries({
    host: 'x',
    connection: 'close',
    'content-length': String(length),
    ...headers,
  });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${head}\r\n`), body ?? Buffer.alloc(0)]);
}

/** Makes hostile bytes, most of them of a mutated request. `bodyBytesMax` is the server's. */
export function rawRequest(request: MutatedRequest, bodyBytesMax: number, next: () => number): RawRequest {
  const below = (limit: number): number => Math.floor(next() * limit);
  const whole = bytesOf(request, request.body?.length ?? 0);
  const cut = below(whole.length + 1);
  switch (below(10)) {
    case 0:
      return { pieces: [Buffer.from(HEADS[below(HEADS.length)]!, 'latin1')], ending: 'wait' };
    case 1:
      return { pieces: [whole.subarray(0, cut)], ending: 'trickle' };
    case 2:
      return {
        pieces: [bytesOf(request, (request.body?.length ?? 0) + 1 + below(1_000))],
        ending: 'trickle',
      };
    case 3:
      return { pieces: [whole.subarray(0, cut)], ending: 'leave' };
    case 4: {
      const head = `${JSON_POST}content-length: ${bodyBytesMax + 1 + below(bodyBytesMax)}\r\n\r\n{"name":"`;
      return { pieces: [Buffer.from(head), Buffer.alloc(bodyBytesMax, 'x')], ending: 'trickle' };
    }
    case 5: {
      const flipped = Buffer.from(whole);
      for (let i = below(4); i >= 0; i--) flipped[below(flipped.length)] = below(256);
      return { pieces: [flipped], ending: 'trickle' };
    }
    default:
      return { pieces: [whole.subarray(0, cut), whole.subarray(cut)], ending: 'wait' };
  }
}
