/** What a server takes on, and what it refuses at once and with a word on what to do. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Backend } from '../../src/api/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { createServer, type Listener, type ListenOptions, listen } from '../../src/server/index.ts';
import { DATABASE, Harness, NO_COLLECTION, type Reply } from './harness.ts';

const COUNT = `${DATABASE}/collections_count`;
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function openHarness(limits: ConstructorParameters<typeof Harness>[1] = {}): Promise<Harness> {
  const harness = await Harness.open(limits);
  closers.push(() => harness.backend.close());
  return harness;
}

/** A backend whose `countCollections` waits until it is let go. */
async function waitingBackend(): Promise<{ backend: Backend; release: () => void; signals: AbortSignal[] }> {
  const real = await openDatabase({ threads: 0 });
  closers.push(() => real.close());
  const signals: AbortSignal[] = [];
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const backend = new Proxy(real, {
    get(target, name) {
      if (name === 'countCollections') {
        return async (_: unknown, { signal }: { signal: AbortSignal }) => {
          signals.push(signal);
          await gate;
          return 7;
        };
      }
      const own: unknown = Reflect.get(target, name);
      return typeof own === 'function' ? own.bind(target) : own;
    },
  });
  return { backend, release, signals };
}

describe('requests under way', () => {
  test('are bounded: one more is a 503 with retry-after, and health is told all the same', async () => {
    const { backend, release } = await waitingBackend();
    const harness = new Harness(backend, { limits: { requestsMax: 2 } });
    const running = [harness.send('GET', COUNT), harness.send('GET', COUNT)];
    const refused = await harness.send('GET', COUNT);
    expect([refused.status, refused.json]).toEqual([
      503,
      {
        error: 'ChromaError',
        message: expect.stringMatching(/^2 requests are under way.*try again/),
        code: 'TESSERA_OVERLOADED',
      },
    ]);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect((await harness.send('GET', '/api/v2/heartbeat')).status).toBe(200);
    release();
    expect((await Promise.all(running)).map(({ json }) => json)).toEqual([7, 7]);
    expect((await harness.send('GET', COUNT)).status).toBe(200);
  });

  test('that take longer than a call may are a 504, and are given up', async () => {
    const { backend, release, signals } = await waitingBackend();
    const harness = new Harness(backend, { limits: { callMs: 5 } });
    const { status, json } = await harness.send('GET', COUNT);
    expect([status, json]).toMatchObject([504, { code: 'TESSERA_TIMEOUT', error: 'ChromaError' }]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    release();
  });
});

describe('bodies under way', () => {
  test('are bounded together, by the bytes that have come and not by those announced', async () => {
    const { backend } = await waitingBackend();
    const limits = { bodyBytesMax: 1_000, bodiesBytesMax: 1_500 };
    const server = createServer(backend, { limits });
    const post = (body: ReadableStream | string): Promise<Response> =>
      server.fetch(
        new Request(`http://server${DATABASE}/collections`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
          duplex: 'half',
        } as never),
      );
    let finish = (): void => {};
    const held = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(`{"name":"${'x'.repeat(900)}`));
        finish = () => {
          controller.enqueue(new TextEncoder().encode('"}'));
          controller.close();
        };
      },
    });
    const first = post(held);
    await new Promise((resolve) => setImmediate(resolve));
    const refused = await post(JSON.stringify({ name: 'y'.repeat(700) }));
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect((await post(JSON.stringify({ name: 'small-one' }))).status).toBe(200);
    finish();
    expect((await first).status).toBe(400);
    expect((await post(JSON.stringify({ name: 'y'.repeat(700) }))).status).toBe(400);
  });
});

describe('batches and answers', () => {
  const record = (id: string): object => ({ ids: [id], embeddings: [[1, 2]], documents: ['x'.repeat(100)] });

  test('are bounded, and the refusal says how to ask for less', async () => {
    const harness = await openHarness({ limits: { batchSizeMax: 2, resultsMax: 3, answerBytesMax: 320 } });
    const collection = await harness.createCollection('bounded');
    const three = { ids: ['a', 'b', 'c'], embeddings: [[1], [2], [3]] };
    for (const verb of ['add', 'upsert', 'update']) {
      const { status, json } = await harness.send('POST', `${collection}/${verb}`, three);
      expect([verb, status, json]).toMatchObject([verb, 400, { code: 'TESSERA_LIMIT_EXCEEDED' }]);
    }
    const { json: preFlight } = await harness.send('GET', '/api/v2/pre-flight-checks');
    expect(preFlight).toMatchObject({ max_batch_size: 2 });

    for (const id of ['a', 'b', 'c']) await harness.send('POST', `${collection}/add`, record(id));
    const ids = await harness.send('POST', `${collection}/get`, { include: [] });
    expect(ids.json).toMatchObject({ ids: ['a', 'b', 'c'] });
    const large = await harness.send('POST', `${collection}/get`, { include: ['documents', 'embeddings'] });
    expect([large.status, large.json]).toMatchObject([
      400,
      { message: expect.stringMatching(/some \d+ bytes, over 320.*include/) },
    ]);
    const { json: part } = await harness.send('POST', `${collection}/get`, { limit: 2 });
    expect(part).toMatchObject({ ids: ['a', 'b'] });

    await harness.send('POST', `${collection}/add`, record('d'));
    const all = await harness.send('POST', `${collection}/get`, { include: [] });
    expect([all.status, all.json]).toMatchObject([
      400,
      { code: 'TESSERA_LIMIT_EXCEEDED', message: expect.stringMatching(/more than 3 records.*limit/) },
    ]);
    const query = (queryCount: number, n: number): Promise<Reply> => {
      const queries = Array.from({ length: queryCount }, (_, i) => [1, i]);
      return harness.send('POST', `${collection}/query`, {
        query_embeddings: queries,
        n_results: n,
        include: [],
      });
    };
    for (const [queryCount, n] of [
      [1, 3],
      [3, 1],
    ] as const)
      expect((await query(queryCount, n)).status).toBe(200);
    for (const [queryCount, n] of [
      [3, 2],
      [4, 1],
      [1, 4_294_967_295],
    ] as const) {
      const { status, json } = await query(queryCount, n);
      const message = expect.stringMatching(/more than 3 records.*fewer results.*fewer queries/);
      expect([status, json]).toMatchObject([400, { message }]);
    }
  });
});

/** A server on a socket, with a client that speaks bytes. */
async function listening(options: ListenOptions, backend?: Backend): Promise<Listener> {
  const served = backend ?? (await openDatabase({ threads: 0 }));
  const listener = await listen(createServer(served), { port: 0, ...options });
  closers.push(async () => {
    await listener.close(0);
    await served.close();
  });
  return listener;
}

async function open({ port }: Listener, text = ''): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  if (text !== '') socket.write(text);
  return socket;
}

async function readToEnd(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  // `once` of node:events would reject where the socket breaks, which is one way to be cut off.
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

describe('slow and silent clients', () => {
  test('cannot hold a connection by headers or a body that never end', async () => {
    const listener = await listening({ headersMs: 40, requestMs: 80 });
    const silent = await open(listener);
    const slow = await open(listener, 'GET /api/v2/heartbeat HTTP/1.1\r\nhost: x\r\nx-1: ');
    const half = await open(
      listener,
      'POST /api/v2/tenants HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{',
    );
    // Whoever trickles a byte at a time is cut off as well: the bounds are on the whole.
    const trickle = setInterval(() => {
      slow.write('x');
      half.write(' ');
    }, 5);
    onTestFinished(() => clearInterval(trickle));
    const texts = await Promise.all([silent, slow, half].map(readToEnd));
    for (const text of texts) expect(text).toMatch(/^(?:$|HTTP\/1\.1 408 )/);
    expect((await fetch(`${listener.url}/api/v2/heartbeat`)).status).toBe(200);
  });

  test('cannot hold an answer that they do not read', async () => {
    const huge = {
      ids: ['a'],
      embeddings: null,
      documents: ['x'.repeat(50_000_000)],
      uris: null,
      metadatas: null,
    };
    const backend = new Proxy({} as Backend, {
      get: (_, name) => (name === 'get' ? async () => huge : name === 'then' ? undefined : async () => {}),
    });
    const listener = await listening({ stallMs: 50 }, backend);
    const path = `${DATABASE}/collections/${NO_COLLECTION}/get`;
    const socket = await open(
      listener,
      `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`,
    );
    // Not read: the buffers of the system fill up, and the rest waits in the server.
    await new Promise((resolve) => socket.once('readable', resolve));
    const received = await new Promise<number>((resolve) => {
      let size = 0;
      setTimeout(() => {
        socket.on('data', (chunk: Buffer) => {
          size += chunk.length;
        });
        socket.once('close', () => resolve(size));
      }, 300);
    });
    expect(received).toBeLessThan(50_000_000);
  });

  test('are told apart from a call that takes long', async () => {
    const { backend, release } = await waitingBackend();
    const listener = await listening({ stallMs: 20, headersMs: 40, requestMs: 60 }, backend);
    const answer = fetch(`${listener.url}${COUNT}`);
    setTimeout(release, 200);
    expect(await (await answer).json()).toBe(7);
  });

  test('that are gone take their call with them', async () => {
    const { backend, release, signals } = await waitingBackend();
    const listener = await listening({}, backend);
    const socket = await open(listener, `GET ${COUNT} HTTP/1.1\r\nhost: x\r\n\r\n`);
    while (signals.length === 0) await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
    await once(signals[0]!, 'abort');
    release();
    expect(signals[0]!.aborted).toBe(true);
  });

  test('are no more than so many', async () => {
    const listener = await listening({ connectionsMax: 2 });
    const kept = [await open(listener), await open(listener)];
    const third = await open(listener, 'GET /api/v2/heartbeat HTTP/1.1\r\nhost: x\r\n\r\n');
    expect(await readToEnd(third)).toBe('');
    kept[0]!.write('GET /api/v2/heartbeat HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    expect(await readToEnd(kept[0]!)).toMatch(/^HTTP\/1\.1 200 /);
  });
});

test('limits that are none are refused before a request comes', async () => {
  const backend = await openDatabase({ threads: 0 });
  closers.push(() => backend.close());
  for (const limits of [{ requestsMax: 0 }, { callMs: -1 }, { bodyBytesMax: 1.5 }, { resultsMax: null }]) {
    const attempt = (): unknown => createServer(backend, { limits: limits as never });
    expect(attempt).toThrow(/^Expected \w+ to be a whole number from [01], got/);
    expect(attempt).toThrow(expect.objectContaining({ code: 'TESSERA_INVALID_ARGUMENT' }));
  }
  await expect(listen(createServer(backend), { port: 0, stallMs: Number.NaN })).rejects.toThrow(/stallMs/);
});
