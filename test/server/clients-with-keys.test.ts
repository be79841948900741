/** Keys as clients send them: Chroma's JavaScript client, and our own. */
import { ChromaClient, ChromaForbiddenError, ChromaUnauthorizedError } from 'chromadb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Backend } from '../../src/api/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { HttpClient } from '../../src/http.ts';
import {
  Authenticator,
  createServer,
  hashKey,
  type Listener,
  listen,
  parseGrantLines,
} from '../../src/server/index.ts';

let backend: Backend;
let listener: Listener;

beforeAll(async () => {
  backend = await openDatabase({ threads: 0 });
  await backend.createTenant('acme');
  await backend.createDatabase({ tenant: 'acme', database: 'shop' });
  const access = new Authenticator();
  const line = (name: string, scope: string): string => `${name} ${hashKey(`key-of-${name}`)} ${scope}`;
  const lines = [line('owner', 'tenant=acme access=write'), line('reader', 'tenant=acme access=read')];
  access.replace(parseGrantLines(lines.join('\n'), 'keys'));
  listener = await listen(createServer(backend, { access }), { port: 0 });
});

afterAll(async () => {
  await listener.close();
  await backend.close();
});

const chroma = (headers: Record<string, string>, tenant = 'acme', database = 'shop'): ChromaClient =>
  new ChromaClient({ host: '127.0.0.1', port: listener.port, headers, tenant, database });

test("Chroma's client works with a key in either header, and turns refusals into its own errors", async () => {
  const owner = chroma({ 'x-chroma-token': 'key-of-owner' });
  const films = await owner.createCollection({ name: 'films', embeddingFunction: null });
  await films.add({ ids: ['a'], embeddings: [[1, 2]], documents: ['Alien'] });
  const reader = chroma({ Authorization: 'Bearer key-of-reader' });
  const seen = await reader.getCollection({ name: 'films' });
  expect((await seen.get()).documents).toEqual(['Alien']);
  await expect(seen.add({ ids: ['b'], embeddings: [[1, 2]] })).rejects.toBeInstanceOf(ChromaForbiddenError);
  await expect(chroma({ 'x-chroma-token': 'x' }).listCollections()).rejects.toBeInstanceOf(
    ChromaUnauthorizedError,
  );
  await expect(
    chroma({ 'x-chroma-token': 'key-of-owner' }, 'default_tenant', 'default_database').listCollections(),
  ).rejects.toBeInstanceOf(ChromaForbiddenError);
  expect(await chroma({}).heartbeat()).toBeGreaterThan(0);
});

test("a client that names no tenant takes its key's", async () => {
  const identity = await chroma({ 'x-chroma-token': 'key-of-owner' }).getUserIdentity();
  expect(identity).toMatchObject({ tenant: 'acme', databases: ['shop'] });
});

test('our own client does too, and tells what is wrong by its codes', async () => {
  const settings = { host: '127.0.0.1', port: listener.port, tenant: 'acme', database: 'shop' };
  const connect = (key: string) =>
    new HttpClient({ ...settings, headers: { authorization: `Bearer ${key}` } });
  await using owner = connect('key-of-owner');
  const shelf = await owner.getOrCreateCollection({ name: 'shelf', embeddingFunction: null });
  await shelf.upsert({ ids: ['a'], embeddings: [[1, 2]] });
  await using reader = connect('key-of-reader');
  const opened = await reader.getOrCreateCollection({ name: 'shelf', embeddingFunction: null });
  expect(await opened.count()).toBe(1);
  await expect(opened.delete({ ids: ['a'] })).rejects.toMatchObject({
    code: 'TESSERA_FORBIDDEN',
    message: expect.stringMatching(/reader may read and not change/),
  });
  await using nobody = connect('wrong');
  await expect(nobody.listCollections()).rejects.toMatchObject({
    code: 'TESSERA_UNAUTHORIZED',
    kind: 'unauthorized',
  });
});
