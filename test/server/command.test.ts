/** The command `tessera` as a process: it runs the build that `npm test` makes first. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { connect, createServer as createSocketServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { RELEASE_VERSION } from '../../src/api/index.ts';
import { makeDirectory, run, watch } from '../support/command.ts';
import { ROOT } from '../tidy/tree.ts';
import { DATABASE } from './harness.ts';

async function post(url: string, body: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
}

test('npm start takes further options, and ends its server when it is told to end itself', async () => {
  const directory = await makeDirectory();
  const args = ['start', '--silent', '--', '--port', '0', '--path', directory];
  const { child, listening, exited } = watch(spawn('npm', args, { cwd: ROOT }));
  const url = await listening;
  expect((await fetch(`${url}/api/v2/heartbeat`)).status).toBe(200);
  child.kill('SIGTERM');
  // The streams close when the last process that holds them has ended, so this waits for the server.
  await exited;
  await expect(fetch(`${url}/api/v2/heartbeat`)).rejects.toThrow();
});

test('run serves, stops at SIGTERM with nothing left to recover, and finds its data again', async () => {
  const directory = await makeDirectory();
  const args = ['run', '--path', directory, '--port', '0'];
  const first = run(args);
  const url = await first.listening;
  const created = (await (await post(`${url}${DATABASE}/collections`, { name: 'kept' })).json()) as {
    id: string;
  };
  const records = { ids: ['a'], embeddings: [[1, 2]], documents: ['still here'] };
  expect((await post(`${url}${DATABASE}/collections/${created.id}/add`, records)).status).toBe(201);
  first.child.kill('SIGTERM');
  const { code, out, err } = await first.exited;
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toContain(`Saving data to: ${directory}`);
  const files = await readdir(directory, { recursive: true });
  expect(files.filter((file) => /-(wal|journal)$/.test(file))).toEqual([]);

  const second = run(args);
  const again = await post(`${await second.listening}${DATABASE}/collections/${created.id}/get`, {});
  expect(await again.json()).toMatchObject({ ids: ['a'], documents: ['still here'] });
  second.child.kill('SIGINT');
  expect((await second.exited).code).toBe(0);
});

test('verify, repair and stats look into a directory that a server has open', async () => {
  const directory = await makeDirectory();
  const server = run(['run', '--path', directory, '--port', '0']);
  const url = await server.listening;
  const created = (await (await post(`${url}${DATABASE}/collections`, { name: 'shared' })).json()) as {
    id: string;
  };
  const path = `${url}${DATABASE}/collections/${created.id}`;
  await post(`${path}/add`, { ids: ['a', 'b'], embeddings: [[1], [2]] });
  for (const [command, out] of [
    ['verify', 'shared: 2 records, sound\n'],
    ['repair', 'shared: 2 records, sound\n'],
    ['stats', expect.stringContaining('records     2 of 1 dimension')],
  ] as const) {
    expect(await run([command, directory]).exited).toEqual({ code: 0, out, err: '' });
  }
  expect(await (await post(`${path}/verify`, {})).json()).toMatchObject({ record_count: 2, fault_count: 0 });
  server.child.kill('SIGTERM');
  expect((await server.exited).code).toBe(0);
});

test('run answers the request that is running when the signal comes, and no later one', async () => {
  const directory = await makeDirectory();
  const server = run(['run', '--path', directory, '--port', '0']);
  const url = await server.listening;
  const created = (await (await post(`${url}${DATABASE}/collections`, { name: 'busy' })).json()) as {
    id: string;
  };
  const ids = Array.from({ length: 5_000 }, (_, i) => `id${i}`);
  const body = {
    ids,
    embeddings: ids.map((_, i) => [i, 1, 2, 3]),
    documents: ids.map((id) => id.repeat(50)),
  };
  const answer = post(`${url}${DATABASE}/collections/${created.id}/add`, body);
  // The body is on its way once the server has answered something that was sent after it.
  await fetch(`${url}/api/v2/version`);
  server.child.kill('SIGTERM');
  expect((await answer).status).toBe(201);
  expect((await server.exited).code).toBe(0);
  await expect(fetch(`${url}/api/v2/version`)).rejects.toThrow();
});

test('run does not wait for clients that keep a connection or do not finish what they send', async () => {
  const server = run(['run', '--path', await makeDirectory(), '--port', '0']);
  const { hostname, port } = new URL(await server.listening);
  // Kept open, the idle connection would last 65 s and the unfinished request 300 s: longer than a test
  // may take.
  const idle = connect(Number(port), hostname);
  idle.write('GET /api/v2/version HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(idle, 'data');
  const unfinished = connect(Number(port), hostname);
  unfinished.write('POST /api/v2/tenants HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{');
  unfinished.on('error', () => {});
  await once(unfinished, 'connect');
  await fetch(`http://${hostname}:${port}/api/v2/version`);
  server.child.kill('SIGTERM');
  expect((await server.exited).code).toBe(0);
});

test('run allows reset by option or by ALLOW_RESET, and not otherwise', async () => {
  const cases = [
    [[], {}, 403],
    [['--allow-reset'], {}, 200],
    [[], { ALLOW_RESET: 'TRUE' }, 200],
    [[], { ALLOW_RESET: 'no' }, 403],
  ] as const;
  for (const [args, env, status] of cases) {
    const server = run(['run', '--path', await makeDirectory(), '--port', '0', ...args], env);
    expect((await post(`${await server.listening}/api/v2/reset`, {})).status).toBe(status);
    server.child.kill('SIGTERM');
    expect((await server.exited).code).toBe(0);
  }
});

test('run logs JSON lines as far as it is told to', async () => {
  const linesOf = async (level: string): Promise<Record<string, unknown>[]> => {
    const server = run(['run', '--path', await makeDirectory(), '--port', '0', '--log', level]);
    const url = await server.listening;
    await fetch(`${url}/api/v2/version`);
    await fetch(`${url}/api/v2/tenants/nope`);
    server.child.kill('SIGTERM');
    const { err } = await server.exited;
    return err
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  expect(await linesOf('quiet')).toEqual([]);
  expect((await linesOf('info')).map(({ event, status }) => [event, status])).toEqual([
    ['start', undefined],
    ['request', 404],
    ['stop', undefined],
  ]);
  const debug = await linesOf('debug');
  expect(debug.map(({ event, status }) => [event, status])).toEqual([
    ['start', undefined],
    ['request', 200],
    ['request', 404],
    ['stop', undefined],
  ]);
  expect(debug[1]).toMatchObject({
    time: expect.stringMatching(/^\d{4}-/),
    level: 'debug',
    path: '/api/v2/version',
  });
});

test('run refuses a port that is taken, with exit status 1', async () => {
  const taken = createSocketServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  onTestFinished(() => void taken.close());
  const { port } = taken.address() as { port: number };
  const { code, err } = await run(['run', '--path', await makeDirectory(), '--port', String(port)]).exited;
  expect(code).toBe(1);
  expect(err).toBe(
    `tessera: Cannot listen on 127.0.0.1:${port}: the port is in use. Choose another port, or stop the program that has it.\n`,
  );
});

test('run refuses addresses that other machines reach, unless told to', async () => {
  for (const host of ['0.0.0.0', '::', '192.168.1.1', 'example.org']) {
    const { code, err } = await run(['run', '--path', await makeDirectory(), '--host', host, '--port', '0'])
      .exited;
    expect([host, code]).toEqual([host, 1]);
    expect(err).toMatch(/no authentication.*tessera key create.*--insecure/);
  }
  const server = run([
    'run',
    '--path',
    await makeDirectory(),
    '--host',
    '0.0.0.0',
    '--port',
    '0',
    '--insecure',
  ]);
  expect(await server.listening).toMatch(/^http:\/\/0\.0\.0\.0:\d+$/);
  server.child.kill('SIGTERM');
  expect((await server.exited).code).toBe(0);
});

test('a command line that makes no sense exits with 2 and says what was probably meant', async () => {
  const { code, err } = await run(['run', '--prot', '1']).exited;
  expect(code).toBe(2);
  expect(err).toMatch(/Unknown option --prot\. Did you mean --port\?/);
});

test('help and version are printed', async () => {
  expect(await run(['--version']).exited).toMatchObject({ code: 0, out: `${RELEASE_VERSION}\n` });
  const help = await run(['--help']).exited;
  expect(help).toMatchObject({ code: 0, out: expect.stringContaining('run') });
  const runHelp = await run(['run', '--help']).exited;
  expect(runHelp.code).toBe(0);
  for (const shown of ['--path DIR', './data', '127.0.0.1', '8000', '--allow-reset', 'quiet', '--insecure']) {
    expect(runHelp.out).toContain(shown);
  }
});
