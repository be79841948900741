/** The exported clients: which one is made, that nothing is opened early, and that what was written stays. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { openDatabase } from '../../src/engine/index.ts';
import { AdminClient, Client, EphemeralClient, HttpClient, PersistentClient } from '../../src/index.ts';
import { createServer } from '../../src/server/index.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { expectFault } from './subject.ts';

describe('Client', () => {
  test.each([
    [{}, EphemeralClient],
    [{ allowReset: true }, EphemeralClient],
    [{ path: './data' }, PersistentClient],
    [{ path: 'http://localhost:8000' }, HttpClient],
    [{ host: 'localhost' }, HttpClient],
    [{ port: 8000 }, HttpClient],
    [{ ssl: true }, HttpClient],
  ])('chooses for %o', (settings, expected) => {
    expect(new Client(settings)).toBeInstanceOf(expected);
    expect(Client(settings)).toBeInstanceOf(expected);
  });

  test.each([[undefined], [null], ['']])('is not in memory for a host that is %j', (host) => {
    expect(() => Client({ host } as never)).toThrow(/^Expected host to be the name or URL of a server/);
  });

  test('works in the tenant and database it is told', () => {
    const client = Client({ tenant: 'acme', database: 'production' });
    expect([client.tenant, client.database]).toEqual(['acme', 'production']);
    expect([Client().tenant, Client().database]).toEqual(['default_tenant', 'default_database']);
  });
});

describe('PersistentClient', () => {
  test('opens nothing before its first call, and finds everything again', async () => {
    const path = join(temporaryDirectory(), 'data');
    const first = new PersistentClient({ path, threads: 0 });
    expect(existsSync(path)).toBe(false);
    const made = await first.createCollection({ name: 'demo', configuration: { space: 'cosine' } });
    await made.add({ ids: ['a'], embeddings: [[1, 2]], documents: ['x'], metadatas: [{ k: 1 }] });
    await first.close();

    await using second = new PersistentClient({ path, threads: 0 });
    const found = await second.getCollection({ name: 'demo' });
    expect(found.configuration.hnsw.space).toBe('cosine');
    expect((await found.get()).rows()).toMatchObject([{ id: 'a', document: 'x', metadata: { k: 1 } }]);
    expect((await found.query({ queryEmbeddings: [[1, 2]] })).ids).toEqual([['a']]);
  });

  test('two clients of one directory see what the other wrote', async () => {
    const path = temporaryDirectory();
    await using one = new PersistentClient({ path, threads: 0 });
    await using other = new PersistentClient({ path, threads: 0 });
    const made = await one.createCollection({ name: 'demo' });
    const seen = await other.getCollection({ name: 'demo' });
    await made.add({ ids: ['a'], embeddings: [[1]] });
    expect(await seen.count()).toBe(1);
    await seen.delete({ ids: ['a'] });
    expect(await made.count()).toBe(0);
    expect((await other.getCollectionById(made.id)).metadata).toBeUndefined();
    await made.modify({ metadata: { owner: 'one' } });
    expect((await other.getCollectionById(made.id)).metadata).toEqual({ owner: 'one' });
  });

  test('an unknown setting is refused, and the settings of this client are named', () => {
    const path = temporaryDirectory();
    expect(() => new PersistentClient({ path, thread: 0 } as never)).toThrow(
      /^Unknown member "thread" in the argument of PersistentClient. Did you mean threads\?/,
    );
    expect(() => new PersistentClient({ path, colour: 0 } as never)).toThrow(/path, durability, .*tenant/);
  });

  test.each([[{}], [{ path: undefined }], [{ path: null }], [{ path: '' }], [{ path: 1 }], [undefined]])(
    'without a directory is refused and never in memory: %o',
    (settings) => {
      const refusal = expect.objectContaining({
        code: 'TESSERA_INVALID_ARGUMENT',
        message: expect.stringMatching(/^Expected path to be a directory, (?!.*or null)/),
      });
      expect(() => new PersistentClient(settings as never)).toThrow(refusal);
      if (settings !== undefined && 'path' in settings) {
        expect(() => Client(settings as never)).toThrow(refusal);
        expect(() => new AdminClient(settings as never)).toThrow(refusal);
      }
    },
  );

  test('is what an engine without a directory refuses to be too', async () => {
    const refused = openDatabase({ path: undefined, threads: 0 } as never);
    await expectFault(refused, 'TESSERA_INVALID_ARGUMENT', /path/);
  });

  test.each([[null], ['./data'], [7]])('takes settings in an object, not %j', (settings) => {
    expect(() => new PersistentClient(settings as never)).toThrow(/PersistentClient to be an object/);
    expect(() => new EphemeralClient(settings as never)).toThrow(/EphemeralClient to be an object/);
    expect(() => new HttpClient(settings as never)).toThrow(/HttpClient to be an object/);
  });
});

describe('EphemeralClient', () => {
  test('refuses a path, which it would not write to', () => {
    expect(() => new EphemeralClient({ path: './data' } as never)).toThrow(/Unknown member "path"/);
  });

  test('each has a database of its own', async () => {
    await using one = new EphemeralClient({ threads: 0 });
    await using other = new EphemeralClient({ threads: 0 });
    await one.createCollection({ name: 'demo' });
    expect(await other.countCollections()).toBe(0);
  });
});

describe('AdminClient', () => {
  test('makes databases that clients of the same directory work in', async () => {
    const path = temporaryDirectory();
    await using admin = new AdminClient({ path, threads: 0 });
    await admin.createDatabase({ name: 'production', tenant: 'acme' });
    await using client = new PersistentClient({ path, threads: 0, tenant: 'acme', database: 'production' });
    const made = await client.createCollection({ name: 'demo' });
    expect([made.tenant, made.database]).toEqual(['acme', 'production']);
  });
});

describe('HttpClient', () => {
  test('talks to a server over the database of another client', async () => {
    await using local = new EphemeralClient({ threads: 0 });
    const server = createServer(await local.backend());
    await using remote = new HttpClient({ fetch: (request) => server.fetch(request) });
    const made = await remote.createCollection({ name: 'demo' });
    await made.add({ ids: ['a'], embeddings: [[1, 2]] });
    expect(await (await local.getCollection({ name: 'demo' })).count()).toBe(1);
    const ids = Array.from({ length: 5462 }, (_, i) => String(i));
    const embeddings = ids.map(() => [1, 2]);
    await expectFault(made.add({ ids, embeddings }), 'TESSERA_LIMIT_EXCEEDED', /5461/);
    await (await local.getCollection({ name: 'demo' })).upsert({ ids, embeddings });
    expect(await made.count()).toBe(5463);
  });
});

test('a collection shows what it is, to the console and as JSON', async () => {
  await using client = new EphemeralClient({ threads: 0 });
  const made = await client.createCollection({ name: 'films', metadata: { a: 1 } });
  expect(inspect(made)).toMatch(new RegExp(`^Collection {[^]*id: '${made.id}'[^]*name: 'films'`));
  expect(JSON.parse(JSON.stringify(made))).toMatchObject({ id: made.id, name: 'films', metadata: { a: 1 } });
});
