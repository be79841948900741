/** `tessera run` with keys, a configuration file and signals, as a process. */
import { appendFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hashSync } from 'bcryptjs';
import { expect, test } from 'vitest';
import { makeDirectory, type Run, run } from '../support/command.ts';
import { DATABASE } from './harness.ts';

const TENANT = '/api/v2/tenants/default_tenant';

async function makeKey(...args: readonly string[]): Promise<{ key: string; line: string }> {
  const { code, out, err } = await run(['key', 'create', ...args]).exited;
  expect(code, err).toBe(0);
  const key = /shown this once: (tsk_[\w-]{43})\n$/.exec(err)?.[1];
  expect(out).not.toContain(key);
  return { key: key!, line: out };
}

async function statusOf(url: string, authorization: string, path = TENANT): Promise<number> {
  return (await fetch(`${url}${path}`, { headers: { authorization } })).status;
}

/** Asks until the answer is `status`; the test's own time limit bounds it. */
async function until(status: number, ask: () => Promise<number>): Promise<void> {
  while ((await ask()) !== status) await sleep(20);
}

async function stop(server: Run): Promise<string> {
  server.child.kill('SIGTERM');
  const { code, err } = await server.exited;
  expect(code).toBe(0);
  return err;
}

test('a server with keys listens where others reach it, and follows its files without a restart', async () => {
  const directory = await makeDirectory();
  const [first, second] = [
    await makeKey('one', '--tenant', '*', '--access', 'write'),
    await makeKey('two', '--tenant', 'default_tenant', '--access', 'read', '--database', 'a,b'),
  ];
  expect(second.line).toMatch(/^two sha256:[\da-f]{64} tenant=default_tenant database=a,b access=read\n$/);
  const user = await makeKey('ann', '--tenant', '*', '--access', 'write', '--user');
  const keys = join(directory, 'keys');
  const passwords = join(directory, 'users');
  await writeFile(keys, `# keys\n${first.line}${user.line}`);
  await writeFile(passwords, `bob:${hashSync('secret', 4)}\n`);
  const config = join(directory, 'config.yaml');
  const yaml = [
    'listen_address: 0.0.0.0',
    'port: 0',
    `persist_path: ${join(directory, 'data')}`,
    'sqlite_filename: chroma.sqlite3',
    'auth:',
    `  keys_file: ${keys}`,
    `  htpasswd_file: ${passwords}`,
  ];
  await writeFile(config, yaml.join('\n'));
  const server = run(['run', config]);
  const url = (await server.listening).replace('0.0.0.0', '127.0.0.1');
  const basic = (name: string, word: string) => `Basic ${Buffer.from(`${name}:${word}`).toString('base64')}`;
  expect(await statusOf(url, `Bearer ${first.key}`)).toBe(200);
  expect(await statusOf(url, `Bearer ${second.key}`)).toBe(401);
  expect(await statusOf(url, basic('ann', user.key))).toBe(200);
  expect(await statusOf(url, basic('bob', 'secret'))).toBe(200);
  expect(await statusOf(url, basic('bob', 'wrong'))).toBe(401);

  // Files are looked at every two seconds; a signal spares the wait.
  await appendFile(keys, second.line);
  server.child.kill('SIGHUP');
  await until(200, () => statusOf(url, `Bearer ${second.key}`));
  // Replaced by another file, as orchestrators renew secrets; this one is found by looking.
  await writeFile(`${keys}.new`, second.line);
  await rename(`${keys}.new`, keys);
  await until(401, () => statusOf(url, `Bearer ${first.key}`));
  expect(await statusOf(url, `Bearer ${second.key}`)).toBe(200);
  // A slip of an editor keeps everybody who was in.
  for (const text of ['two nothing', '']) {
    await writeFile(keys, text);
    await writeFile(passwords, '');
    server.child.kill('SIGHUP');
    await sleep(100);
    expect(await statusOf(url, `Bearer ${second.key}`)).toBe(200);
  }

  const err = await stop(server);
  const entries = err
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(entries).toContainEqual(
    expect.objectContaining({ event: 'setting', message: expect.stringMatching(/^sqlite_filename/) }),
  );
  expect(entries).toContainEqual(
    expect.objectContaining({ event: 'refused', status: 401, remote: expect.stringContaining('127.0.0.1') }),
  );
  expect(entries).toContainEqual(
    expect.objectContaining({ level: 'error', event: 'keys', message: expect.stringMatching(/line 1/) }),
  );
  for (const secret of [first.key, second.key, user.key, 'secret', 'wrong'])
    expect(err).not.toContain(secret);
});

test("keys may come by the environment, and Chroma's old variables do not leave the server open", async () => {
  const directory = await makeDirectory();
  const args = ['run', '--port', '0', '--host', '0.0.0.0', '--path', directory];
  const start = async (env: Record<string, string>): Promise<{ server: Run; url: string }> => {
    const server = run(args, env);
    return { server, url: (await server.listening).replace('0.0.0.0', '127.0.0.1') };
  };
  const { key, line } = await makeKey('one', '--tenant', '*', '--access', 'read');
  const own = await start({ TESSERA_KEYS: line });
  expect(await statusOf(own.url, `Bearer ${key}`)).toBe(200);
  await stop(own.server);

  const token = await start({
    CHROMA_SERVER_AUTHN_PROVIDER: 'chromadb.auth.token_authn.TokenAuthenticationServerProvider',
    CHROMA_SERVER_AUTHN_CREDENTIALS: 'my-token',
  });
  expect(await statusOf(token.url, 'Bearer my-token')).toBe(200);
  expect(await statusOf(token.url, 'Bearer other')).toBe(401);
  await stop(token.server);

  const refusals = [
    [{ CHROMA_SERVER_AUTHN_PROVIDER: 'token' }, /no credentials are/],
    [{ CHROMA_SERVER_AUTHN_CREDENTIALS_FILE: '/x' }, /tokens in the clear.*tessera key create/],
    [{ CHROMA_SERVER_AUTHN_CREDENTIALS: 'x', CHROMA_SERVER_AUTHZ_PROVIDER: 'y' }, /AUTHZ_PROVIDER is not/],
    [{ TESSERA_KEYS: '# none yet' }, /no key and no user, so nobody could come in/],
    [{ TESSERA_KEYS: 'one plain tenant=* access=read' }, /The hash of one: .*sha256/],
  ] as const;
  for (const [env, message] of refusals) {
    const { code, err } = await run(args, env).exited;
    expect([env, code]).toEqual([env, expect.any(Number)]);
    expect(code).not.toBe(0);
    expect(err).toMatch(message);
  }
});

test('no write that was acknowledged is lost when a signal comes amid many', async () => {
  const directory = await makeDirectory();
  const args = ['run', '--port', '0', '--path', directory];
  const first = run(args);
  const url = await first.listening;
  const post = (base: string, path: string, body: unknown): Promise<Response> =>
    fetch(`${base}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const created = await post(url, `${DATABASE}/collections`, { name: 'busy' });
  const { id } = (await created.json()) as { id: string };
  const path = `${DATABASE}/collections/${id}`;
  const acknowledged: string[] = [];
  const refused: number[] = [];
  let isOver = false;
  const writers = Array.from({ length: 8 }, async (_, writer) => {
    for (let i = 0; !isOver; i++) {
      const ids = [`${writer}-${i}-a`, `${writer}-${i}-b`];
      const body = {
        ids,
        embeddings: [
          [i, writer],
          [writer, i],
        ],
        documents: ids,
      };
      const status = await post(url, `${path}/add`, body).then(
        (response) => response.status,
        () => 0,
      );
      if (status === 201) acknowledged.push(...ids);
      else refused.push(status);
      isOver ||= status === 0;
    }
  });
  while (acknowledged.length < 200) await sleep(5);
  await stop(first);
  await Promise.all(writers);
  // What was not acknowledged was not answered at all, or told that the server closes.
  for (const status of refused) expect([0, 503]).toContain(status);

  const second = run(args);
  const reply = await post(await second.listening, `${path}/get`, { include: [] });
  const stored = new Set(((await reply.json()) as { ids: string[] }).ids);
  expect(acknowledged.filter((name) => !stored.has(name))).toEqual([]);
  // A batch is stored as a whole or not at all.
  expect(stored.size % 2).toBe(0);
  await stop(second);
});
