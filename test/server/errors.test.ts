/** From errors to statuses, and what an answer tells of them. */
import { describe, expect, test } from 'vitest';
import type { Backend } from '../../src/api/index.ts';
import {
  AssertionError,
  DatabaseError,
  ERROR_CODES,
  type ErrorCode,
  seededRandom,
} from '../../src/base/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { EphemeralClient } from '../../src/index.ts';
import { createServer } from '../../src/server/index.ts';
import { DATABASE, Harness, NO_COLLECTION } from './harness.ts';

/** A backend whose every method rejects with `error`. */
function failing(error: unknown): Backend {
  return new Proxy({} as Backend, { get: () => () => Promise.reject(error) });
}

const EXPECTED: Record<string, [status: number, name: string]> = {
  invalid: [400, 'InvalidArgumentError'],
  limit: [400, 'InvalidArgumentError'],
  not_found: [404, 'NotFoundError'],
  conflict: [409, 'ChromaError'],
  unsupported: [501, 'ChromaError'],
  unavailable: [503, 'ChromaError'],
  closed: [503, 'ChromaError'],
  corrupt: [500, 'InternalError'],
};
const EXPECTED_BY_CODE: Partial<Record<ErrorCode, [status: number, name: string]>> = {
  TESSERA_UNAUTHORIZED: [401, 'AuthError'],
  TESSERA_TIMEOUT: [504, 'ChromaError'],
  TESSERA_FORBIDDEN: [403, 'ChromaError'],
  TESSERA_ABORTED: [400, 'ChromaError'],
};

test('a server over what is no backend is refused before a request comes', async () => {
  const client = new EphemeralClient({ threads: 0 });
  for (const value of [{}, null, undefined, client, Promise.resolve({})]) {
    expect(() => createServer(value as never)).toThrow(
      expect.objectContaining({
        code: 'TESSERA_INVALID_ARGUMENT',
        message: expect.stringMatching(/backend/),
      }),
    );
  }
  await client.close();
});

describe('errors of the database', () => {
  test.each(Object.entries(ERROR_CODES))(
    '%s (%s) has its status, name, message and code',
    async (code, kind) => {
      const harness = new Harness(failing(new DatabaseError(code as ErrorCode, 'What happened.')));
      const [status, error] = EXPECTED_BY_CODE[code as ErrorCode] ?? EXPECTED[kind]!;
      const reply = await harness.send('GET', `${DATABASE}/collections/${NO_COLLECTION}/count`);
      expect([reply.status, reply.json]).toEqual([status, { error, message: 'What happened.', code }]);
    },
  );

  test('a value of the wrong type is a 422 whatever its code', async () => {
    const error = new DatabaseError('TESSERA_INVALID_ID', 'ids: no.', { details: { reason: 'type' } });
    const reply = await new Harness(failing(error)).send('GET', `${DATABASE}/collections_count`);
    expect([reply.status, reply.json]).toEqual([
      422,
      {
        error: 'ChromaError',
        message: 'Failed to deserialize the JSON body into the target type: ids: no.',
        code: 'TESSERA_INVALID_ID',
      },
    ]);
  });

  test('a reset that is not allowed is a 403', async () => {
    const backend = await openDatabase({ threads: 0 });
    const reply = await new Harness(backend).send('POST', '/api/v2/reset');
    expect([reply.status, reply.json]).toMatchObject([
      403,
      { error: 'ChromaError', message: expect.stringMatching(/^Reset is disabled by config/) },
    ]);
    await backend.close();
  });

  test('a closed database is a 503, also for the health check', async () => {
    const harness = await Harness.open();
    await harness.backend.close();
    expect((await harness.send('GET', `${DATABASE}/collections`)).status).toBe(503);
    const health = await harness.send('GET', '/api/v2/healthcheck');
    expect([health.status, health.json]).toEqual([
      503,
      { is_executor_ready: false, is_log_client_ready: false },
    ]);
  });
});

describe('unexpected errors', () => {
  test.each([
    ['an assertion', new AssertionError('secret: /home/me/data')],
    ['a TypeError', new TypeError('secret: x is not a function')],
    ['something that is no error', 'secret'],
  ])('%s is a 500 with an id, and only the log has the rest', async (_, error) => {
    const harness = new Harness(failing(error), { random: seededRandom(1) });
    const reply = await harness.send('GET', `${DATABASE}/collections_count`);
    const random = seededRandom(1);
    // The first one begins the ids of requests.
    const [prefix, id] = [random.uuid().slice(0, 8), random.uuid()];
    expect(reply.status).toBe(500);
    expect(reply.json).toEqual({ error: 'InternalError', message: expect.stringContaining(id) });
    expect(reply.text).not.toContain('secret');
    expect(reply.headers.get('chroma-trace-id')).toBe(id.replaceAll('-', ''));
    expect(harness.log).toContainEqual({
      level: 'error',
      event: 'failure',
      request: `${prefix}-1`,
      trace: id.replaceAll('-', ''),
      code: null,
      stack: expect.stringContaining('secret'),
    });
  });

  test('a log that fails does not end the server', async () => {
    const backend = await openDatabase({ threads: 0 });
    const server = createServer(backend, {
      log: () => {
        throw new Error('The disk of the log is full.');
      },
    });
    const response = await server.fetch(new Request('http://server/api/v2/version'));
    expect([response.status, await response.json()]).toMatchObject([500, { error: 'InternalError' }]);
    await backend.close();
  });

  test('damage is logged with its code', async () => {
    const harness = new Harness(failing(new DatabaseError('TESSERA_CORRUPT', 'A checksum is wrong.')));
    await harness.send('GET', `${DATABASE}/collections_count`);
    expect(harness.log).toContainEqual(expect.objectContaining({ level: 'error', code: 'TESSERA_CORRUPT' }));
  });
});

describe('the log', () => {
  test('has an entry for each request: debug for those that were answered, info for those refused', async () => {
    const harness = await Harness.open({ clock: { nowNs: () => 0n, monotonicMs: () => 5 } });
    const request = expect.stringMatching(/^[\da-f]{8}-[123]$/);
    await harness.send('GET', '/api/v2/version');
    await harness.send('GET', '/api/v2/tenants/nope');
    await harness.send('GET', '/nowhere');
    expect(harness.log).toEqual([
      {
        level: 'debug',
        event: 'request',
        request,
        method: 'GET',
        path: '/api/v2/version',
        status: 200,
        ms: 0,
      },
      {
        level: 'info',
        event: 'request',
        request,
        method: 'GET',
        path: '/api/v2/tenants/nope',
        status: 404,
        ms: 0,
      },
      { level: 'info', event: 'request', request, method: 'GET', path: '/nowhere', status: 404 },
    ]);
    await harness.backend.close();
  });
});
