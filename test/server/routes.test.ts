/** Which paths there are, and how they are read; `contract.test.ts` has what is at them. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { listen } from '../../src/server/index.ts';
import { DATABASE, Harness } from './harness.ts';

const TENANTS = '/api/v2/tenants';
const COLLECTIONS = `${DATABASE}/collections`;

let harness: Harness;

beforeAll(async () => {
  harness = await Harness.open();
});

afterAll(() => harness.backend.close());

describe('paths and methods', () => {
  test("a collection is not to be had by another database's path", async () => {
    const id = (await harness.createCollection('guarded')).split('/').at(-1)!;
    await harness.send('POST', `${TENANTS}/default_tenant/databases`, { name: 'elsewhere' });
    const elsewhere = `${TENANTS}/default_tenant/databases/elsewhere/collections`;
    expect((await harness.send('GET', `${elsewhere}/${id}/count`)).status).toBe(404);
    expect((await harness.send('POST', `${elsewhere}/${id}/get`, {})).status).toBe(404);
    expect((await harness.send('GET', `${elsewhere}/by-id/${id}`)).status).toBe(404);
    expect((await harness.send('GET', `${COLLECTIONS}/${id}/count`)).json).toBe(0);
  });

  test('an unknown path is a 404 without a body', async () => {
    for (const path of [
      '/',
      '/api/v2/x',
      '/api/v1/x',
      '/api/v2/heartbeat/',
      `${DATABASE}/collections/a/b/c/d`,
    ]) {
      const reply = await harness.send('GET', path);
      expect([path, reply.status, reply.text, reply.headers.get('chroma-trace-id')]).toEqual([
        path,
        404,
        '',
        null,
      ]);
    }
  });

  test('a wrong method is a 405 without a body, naming the right ones', async () => {
    const cases = [
      ['POST', '/api/v2/heartbeat', 'GET,HEAD'],
      ['OPTIONS', '/api/v2/heartbeat', 'GET,HEAD'],
      ['POST', `${COLLECTIONS}/by-id/x`, 'GET,HEAD'],
      ['PATCH', `${COLLECTIONS}/x`, 'GET,HEAD,PUT,DELETE'],
      ['GET', `${COLLECTIONS}/x/add`, 'POST'],
      ['PUT', COLLECTIONS, 'GET,HEAD,POST'],
    ] as const;
    for (const [method, path, allow] of cases) {
      const reply = await harness.send(method, path);
      expect([path, reply.status, reply.text, reply.headers.get('allow')]).toEqual([path, 405, '', allow]);
    }
  });

  test('HEAD is answered like GET, without a body', async () => {
    const reply = await harness.send('HEAD', '/api/v2/heartbeat');
    expect([reply.status, reply.text, reply.headers.get('content-type')]).toEqual([
      200,
      '',
      'application/json',
    ]);
  });

  test('parts of the path are percent-decoded, once', async () => {
    expect((await harness.send('GET', `${COLLECTIONS}/a%2Fb%2525`)).json).toMatchObject({
      message: 'Collection [a/b%25] does not exist',
    });
  });

  test('a whole URL in the place of a path, as proxies send it, is its path', async () => {
    const listener = await listen(harness.server, { port: 0 });
    onTestFinished(() => listener.close(0));
    const socket = connect(listener.port, '127.0.0.1');
    socket.end(
      'GET HTTP://elsewhere:1/api/v2/version?x=1 HTTP/1.1\r\nhost: elsewhere\r\nconnection: close\r\n\r\n',
    );
    const reply = Buffer.concat(await socket.toArray()).toString();
    expect(reply).toMatch(/^HTTP\/1\.1 200 .*"1\.0\.0"$/s);
  });
});
