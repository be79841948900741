import { hashSync } from 'bcryptjs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Authenticator, type Credentials } from './authenticator.ts';
import type { Grant, GrantLine } from './grant.ts';
import { hashKey, hashPassword, makeKey } from './secrets.ts';

const BUILT = new URL('../../../dist/server/access/bcrypt-worker.js', import.meta.url);

let access: Authenticator;

beforeEach(() => {
  access = new Authenticator(BUILT);
});
afterEach(() => access.close());

const line = (name: string, hash: string): GrantLine => ({
  grant: { name, tenant: null, databases: null, collections: null, access: 'read' },
  hash,
});
const bearer = (key: string): Credentials => ({ authorization: `Bearer ${key}`, chromaToken: null });
const token = (key: string): Credentials => ({ authorization: null, chromaToken: key });
const basic = (user: string, password: string): Credentials => {
  const value = Buffer.from(`${user}:${password}`).toString('base64');
  return { authorization: `Basic ${value}`, chromaToken: null };
};
const identify = async (credentials: Credentials): Promise<string> =>
  ((await access.identify(credentials)) as Grant).name;
const unauthorized = expect.objectContaining({ code: 'TESSERA_UNAUTHORIZED' });

test('a key is known by either header, and by nothing that only looks like it', async () => {
  const [one, other] = [makeKey(), makeKey()];
  access.replace([line('one', hashKey(one)), line('other', hashKey(other))]);
  for (let i = 0; i < 2; i++) {
    expect(await identify(bearer(one))).toBe('one');
    expect(await identify(token(other))).toBe('other');
    expect(await identify({ authorization: `bearer  ${one}`, chromaToken: null })).toBe('one');
  }
  // A proxy's own credentials are none of ours.
  expect(await identify({ authorization: 'Basic eDp5', chromaToken: one })).toBe('one');
  for (const wrong of ['', `${one}x`, one.slice(0, -1), one.toUpperCase(), hashKey(one), makeKey()]) {
    expect(() => access.identify(bearer(wrong))).toThrow(unauthorized);
    expect(() => access.identify(token(wrong))).toThrow(unauthorized);
  }
  for (const header of [null, one, `Digest ${one}`]) {
    expect(() => access.identify({ authorization: header, chromaToken: null })).toThrow(unauthorized);
  }
});

test('a user is known by a password, whether bcrypt or scrypt hashed it', async () => {
  access.replace([
    line('alice', await hashPassword('päss:word')),
    line('bob', hashSync('secret', 4)),
    // As `htpasswd -nbBC 4 carol secret` writes it.
    line('carol', hashSync('secret', 4).replace('$2b$', '$2y$')),
  ]);
  expect(await identify(basic('alice', 'päss:word'))).toBe('alice');
  expect(await identify(basic('bob', 'secret'))).toBe('bob');
  expect(await identify(basic('carol', 'secret'))).toBe('carol');
  for (const [user, password] of [
    ['alice', 'secret'],
    ['bob', ''],
    ['nobody', 'secret'],
    ['', 'secret'],
  ]) {
    await expect(access.identify(basic(user!, password!))).rejects.toThrow(unauthorized);
  }
});

test('a password that was verified is remembered, until the lists are read anew', async () => {
  access.replace([line('bob', hashSync('secret', 4))]);
  expect(access.identify(basic('bob', 'secret'))).toBeInstanceOf(Promise);
  await identify(basic('bob', 'secret'));
  expect(access.identify(basic('bob', 'secret'))).toMatchObject({ name: 'bob' });
  access.replace([line('bob', hashSync('changed', 4))]);
  await expect(access.identify(basic('bob', 'secret'))).rejects.toThrow(unauthorized);
});

test('a key that was taken out of the list is known no longer', async () => {
  const key = makeKey();
  access.replace([line('one', hashKey(key))]);
  expect(await identify(bearer(key))).toBe('one');
  access.replace([]);
  expect(() => access.identify(bearer(key))).toThrow(unauthorized);
});

test('a password that was being checked while the lists were read anew is not remembered', async () => {
  access.replace([line('bob', hashSync('secret', 4))]);
  const pending = access.identify(basic('bob', 'secret'));
  access.replace([]);
  await pending;
  await expect(access.identify(basic('bob', 'secret'))).rejects.toThrow(unauthorized);
});

test('more passwords than can be checked soon are refused, and not kept', async () => {
  access.replace([line('bob', hashSync('secret', 4))]);
  const attempts = Array.from(
    { length: 40 },
    (_, i) => access.identify(basic('bob', `wrong${i}`)) as Promise<Grant>,
  );
  const outcomes = await Promise.allSettled(attempts);
  const codes = outcomes.map((outcome) => (outcome as { reason?: { code: string } }).reason?.code);
  expect(codes.filter((code) => code === 'TESSERA_OVERLOADED')).toHaveLength(8);
  expect(codes.filter((code) => code === 'TESSERA_UNAUTHORIZED')).toHaveLength(32);
  expect(await identify(basic('bob', 'secret'))).toBe('bob');
});

test('hashes that are weak, or none, are refused, and the lists stay as they were', async () => {
  const key = makeKey();
  access.replace([line('one', hashKey(key))]);
  for (const hash of [
    'secret',
    '{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=',
    '$apr1$abcdefgh$abcdefghijklmnopqrstuv',
    `sha256:${'AB'.repeat(32)}`,
    'sha256:abc',
    '$scrypt$ln=31,r=8,p=1$c2FsdHNhbHQ$aGFzaGhhc2g',
    '$scrypt$ln=15,r=0,p=1$c2FsdHNhbHQ$aGFzaGhhc2g',
    hashSync('secret', 4).replace('$04$', '$31$'),
  ]) {
    const attempt = (): void => access.replace([line('weak', hash)]);
    expect(attempt).toThrow(expect.objectContaining({ code: 'TESSERA_INVALID_ARGUMENT' }));
    expect(attempt).toThrow(/The hash of weak: .*tessera key create/);
    expect(attempt).not.toThrow(hash);
  }
  expect(await identify(bearer(key))).toBe('one');
});

test('the challenge names the schemes that can succeed', async () => {
  access.replace([line('one', hashKey(makeKey()))]);
  expect(access.challenge).toBe('Bearer realm="tessera"');
  access.replace([line('bob', hashSync('secret', 4))]);
  expect(access.challenge).toMatch(/^Bearer .*, Basic realm=/);
});
