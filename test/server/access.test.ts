/**
 * Who may come in, over the whole server: every route of the route table with every kind of key that does not
 * reach what the route is asked for.
 *
 * What exists and what does not must be answered in the same words, so each request is sent twice: for a
 * stranger's tenant, database and collection, and for some that nobody has.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../../src/api/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import {
  Authenticator,
  createServer,
  formatGrantLine,
  hashKey,
  parseGrantLines,
} from '../../src/server/index.ts';
import { V1_ROUTES } from '../../src/server/v1/routes.ts';
import { V2_ROUTES } from '../../src/server/v2/routes.ts';
import { Harness, NO_COLLECTION, type Reply } from './harness.ts';

/** Every key, with what its line says beside name and hash. */
const KEYS = {
  root: 'tenant=* access=write',
  auditor: 'tenant=* access=read',
  figures: 'tenant=* access=metrics',
  owner: 'tenant=acme access=write',
  stranger: 'tenant=other access=write',
  strangerReading: 'tenant=other access=read',
  otherDatabase: 'tenant=acme database=else access=write',
  otherCollection: 'tenant=acme database=vault collection=diary access=write',
  reader: 'tenant=acme access=read',
  filmReader: 'tenant=acme database=vault collection=films access=read',
} as const;
type KeyName = keyof typeof KEYS;

const secretOf = (name: KeyName): string => `tsk_${name}_0123456789`;
/** A text that only the owner's records have. */
const MARK = 'the-secret-of-acme';

let backend: Backend;
let harness: Harness;
let filmsId: string;

const as = (name: KeyName): Record<string, string> => ({ authorization: `Bearer ${secretOf(name)}` });
const send = (name: KeyName, method: string, path: string, body?: unknown): Promise<Reply> =>
  harness.send(method, path, body, as(name));

beforeAll(async () => {
  backend = await openDatabase({ threads: 0, allowReset: true });
  const access = new Authenticator();
  const lines = Object.entries(KEYS).map(
    ([name, scope]) => `${name} ${hashKey(secretOf(name as KeyName))} ${scope}`,
  );
  access.replace(parseGrantLines(lines.join('\n'), 'keys'));
  harness = new Harness(backend, { access });
  for (const tenant of ['acme', 'other']) await send('root', 'POST', '/api/v2/tenants', { name: tenant });
  for (const [tenant, database] of [
    ['acme', 'vault'],
    ['acme', 'else'],
    ['other', 'vault'],
  ]) {
    await send('root', 'POST', `/api/v2/tenants/${tenant}/databases`, { name: database });
  }
  const collections = '/api/v2/tenants/acme/databases/vault/collections';
  const { json } = await send('owner', 'POST', collections, { name: 'films', metadata: { mark: MARK } });
  filmsId = (json as { id: string }).id;
  const records = { ids: ['a'], embeddings: [[1, 2]], documents: [MARK], metadatas: [{ mark: MARK }] };
  await send('owner', 'POST', `${collections}/${filmsId}/add`, records);
});

afterAll(() => backend.close());

interface Target {
  readonly tenant: string;
  readonly database: string;
  readonly name: string;
  readonly id: string;
}

const nothing: Target = { tenant: 'nope', database: 'nought', name: 'nil', id: NO_COLLECTION };

/** A body that every route takes, since what a route does not know is ignored. */
function bodyFor({ name, id }: Target): unknown {
  return {
    ...{ name, new_name: `${name}-2`, ids: ['a'], embeddings: [[1, 2]], query_embeddings: [[1, 2]] },
    ...{ documents: ['x'], searches: [], function_id: 'f', output_collection: name, resource_name: id },
    ...{ input_collection_id: id, operations: [], after: 0, after_row: 0 },
    ...{ successor_id: id, sequence: 0, former_name: `${name}-3` },
  };
}

/** Requests of a route for a target; a collection is named by its name or its UUID. */
function requestsFor(route: (typeof V2_ROUTES)[number], target: Target): { path: string; body: unknown }[] {
  return [target.id, target.name].map((collection) => {
    const parts: Record<string, string> = {
      tenant: target.tenant,
      database: target.database,
      crn: `${target.tenant}:${target.database}:${target.name}`,
    };
    const path = route.path.replace(/:(\w+)/g, (_, name: string) => parts[name] ?? collection);
    const query = route.path.startsWith('/api/v1')
      ? `?tenant=${target.tenant}&database=${target.database}`
      : '';
    return { path: path + query, body: route.body === null ? undefined : bodyFor(target) };
  });
}

/** An answer without the names and identifiers of what was asked for. */
function wordsOf({ status, text }: Reply, { tenant, database, name, id }: Target): string {
  let words = `${status} ${text}`;
  for (const own of [id, name, tenant, database]) words = words.replaceAll(own, '…');
  return words;
}

const ROUTES = [...V2_ROUTES, ...V1_ROUTES];
const OPEN = ROUTES.filter(({ audience }) => audience === 'anyone');
const GUARDED = ROUTES.filter(({ audience }) => audience !== 'anyone');
/** Routes about the caller or the server, which no tenant owns. */
const COMMON = new Set(['pre_flight_checks', 'v1_pre_flight_checks', 'get_user_identity']);

test('without credentials, the routes that old servers left open are open and no others', async () => {
  expect(new Set(OPEN.map(({ operation }) => operation))).toEqual(
    new Set(['root', 'heartbeat', 'healthcheck', 'version', 'v1_root', 'v1_heartbeat', 'v1_version']),
  );
  for (const { method, path } of OPEN) expect((await harness.send(method, path)).status).toBe(200);
  const target = { tenant: 'acme', database: 'vault', name: 'films', id: filmsId };
  for (const route of GUARDED) {
    for (const { path, body } of requestsFor(route, target)) {
      for (const headers of [{}, { authorization: 'Bearer x' }, { 'x-chroma-token': MARK }]) {
        const reply = await harness.send(route.method, path, body, headers as Record<string, string>);
        expect([route.operation, reply.status, reply.json]).toEqual([
          route.operation,
          401,
          {
            // What the API v1 called it.
            error: route.operation.startsWith('v1') ? 'AuthorizationError' : 'AuthError',
            message: expect.any(String),
            code: 'TESSERA_UNAUTHORIZED',
          },
        ]);
        expect(reply.headers.get('www-authenticate')).toMatch(/^Bearer/);
      }
    }
  }
  for (const path of ['/openapi.json', '/docs', '/docs/'])
    expect((await harness.send('GET', path)).status).toBe(401);
});

/** What a route is about, the whole of it or a part. */
function levelOf({ path }: (typeof ROUTES)[number]): 'tenant' | 'database' | 'collection' {
  if (/collections\/:|:crn|by-id/.test(path)) return 'collection';
  return /:database|collections/.test(path) ? 'database' : 'tenant';
}

/** Keys that do not reach the films of acme, the scope that they may enter, and up to which level. */
const STRANGERS = {
  stranger: { own: { tenant: 'other', database: 'vault' }, levels: ['tenant', 'database'] },
  strangerReading: { own: { tenant: 'other', database: 'vault' }, levels: ['tenant', 'database'] },
  otherDatabase: { own: { tenant: 'acme', database: 'else' }, levels: ['tenant', 'database'] },
  otherCollection: { own: { tenant: 'acme', database: 'vault' }, levels: ['tenant', 'database'] },
  figures: { own: { tenant: 'acme', database: 'vault' }, levels: [] },
} as const;
type Stranger = keyof typeof STRANGERS;

describe('a key that does not reach something', () => {
  const routes = GUARDED.filter(({ operation }) => !COMMON.has(operation));

  /** Sends what a route may be asked, for the films and for nothing, by this key. */
  async function check(route: (typeof ROUTES)[number], key: Stranger): Promise<void> {
    const { own, levels } = STRANGERS[key];
    const films: Target = { tenant: 'acme', database: 'vault', name: 'films', id: filmsId };
    // By the owner's path; and by the stranger's own, with the owner's collection at its end.
    for (const target of [films, { ...films, ...own }]) {
      const isOwnTenant = target.tenant === own.tenant;
      const isOwnDatabase = isOwnTenant && target.database === own.database;
      const level = levelOf(route);
      const isOwn = level === 'tenant' ? isOwnTenant : level === 'database' && isOwnDatabase;
      if (isOwn && (levels as readonly string[]).includes(level)) continue;
      const ghost = {
        ...nothing,
        ...(isOwnTenant ? { tenant: own.tenant } : {}),
        ...(isOwnDatabase ? { database: own.database } : {}),
      };
      const ghosts = requestsFor(route, ghost);
      for (const [i, { path, body }] of requestsFor(route, target).entries()) {
        const reply = await send(key, route.method, path, body);
        const label = `${key} ${route.method} ${path} ${reply.text}`;
        expect(reply.text, label).not.toContain(MARK);
        // A name where a UUID belongs is a mistake whoever asks, and some things nobody can do.
        const mistakes = [...(i === 1 ? [400] : []), ...(isOwnDatabase ? [501] : [])];
        expect([401, 403, 404, ...mistakes], label).toContain(reply.status);
        const other = await send(key, route.method, ghosts[i]!.path, ghosts[i]!.body);
        expect(wordsOf(reply, target), label).toBe(wordsOf(other, ghost));
      }
    }
  }

  test('is refused by every route, in the words for what does not exist', async () => {
    for (const route of routes) {
      for (const key of Object.keys(STRANGERS) as Stranger[]) await check(route, key);
    }
    // In whatever order they come.
    const [anyRoute, anyone] = [fc.constantFrom(...routes), fc.constantFrom(...Object.keys(STRANGERS))];
    const property = fc.asyncProperty(anyRoute, anyone, (route, key) => check(route, key as Stranger));
    await fc.assert(property, { numRuns: 50, seed: 20261125 });
    const { json } = await send('owner', 'POST', collectionPath('get'), {});
    expect(json).toMatchObject({ ids: ['a'], documents: [MARK], metadatas: [{ mark: MARK }] });
  });
});

const collectionPath = (verb: string): string =>
  `/api/v2/tenants/acme/databases/vault/collections/${filmsId}/${verb}`;

describe('a key', () => {
  test('for reading reads, and changes nothing', async () => {
    for (const key of ['reader', 'filmReader', 'auditor'] as const) {
      expect((await send(key, 'POST', collectionPath('get'), {})).json).toMatchObject({ ids: ['a'] });
      expect((await send(key, 'GET', collectionPath('count'))).json).toBe(1);
      const collections = '/api/v2/tenants/acme/databases/vault/collections';
      const opened = await send(key, 'POST', collections, { name: 'films', get_or_create: true });
      expect([opened.status, opened.json]).toMatchObject([200, { id: filmsId }]);
      const records = { ids: ['b'], embeddings: [[1, 2]] };
      const changes: [string, string, unknown][] = [
        ...['add', 'upsert', 'update'].map(
          (verb) => ['POST', collectionPath(verb), records] as [string, string, unknown],
        ),
        ['POST', collectionPath('delete'), { ids: ['a'] }],
        ['POST', collectionPath('repair'), undefined],
        ['POST', collectionPath('fork'), { new_name: 'films' }],
        ['POST', collectionPath('salvage'), { new_name: 'films' }],
        [
          'POST',
          collectionPath('succeed'),
          { successor_id: filmsId, sequence: 1, former_name: 'films.former' },
        ],
        ['PUT', `${collections}/${filmsId}`, { new_metadata: { a: 1 } }],
        ['DELETE', `${collections}/films`, undefined],
        ['POST', collections, { name: 'films' }],
        ['DELETE', '/api/v2/tenants/acme/databases/vault', undefined],
        ['POST', '/api/v2/reset', undefined],
      ];
      for (const [method, path, body] of changes) {
        const { status, json } = await send(key, method, path, body);
        expect([key, path, status, json]).toMatchObject([key, path, 403, { error: 'AuthorizationError' }]);
      }
    }
  });

  test('of named collections sees these alone, and may not rename one out of its reach', async () => {
    const database = '/api/v2/tenants/acme/databases/vault';
    const { json } = await send('owner', 'POST', `${database}/collections`, { name: 'diary' });
    const diaryId = (json as { id: string }).id;
    const listed = await send('otherCollection', 'GET', `${database}/collections`);
    expect((listed.json as { name: string }[]).map(({ name }) => name)).toEqual(['diary']);
    expect((await send('otherCollection', 'GET', `${database}/collections_count`)).json).toBe(1);
    const path = `${database}/collections/${diaryId}`;
    expect((await send('otherCollection', 'GET', `${path}/count`)).json).toBe(0);
    const renamed = await send('otherCollection', 'PUT', path, { new_name: 'films2' });
    expect(renamed.status).toBe(403);
    await send('owner', 'PUT', path, { new_name: 'journal' });
    expect((await send('otherCollection', 'GET', `${path}/count`)).status).toBe(404);
    await send('owner', 'DELETE', `${database}/collections/journal`);
  });

  test('tells its holder who they are', async () => {
    const identity = async (key: KeyName): Promise<unknown> =>
      (await send(key, 'GET', '/api/v2/auth/identity')).json;
    expect(await identity('owner')).toEqual({
      user_id: 'owner',
      tenant: 'acme',
      databases: ['else', 'vault'],
    });
    expect(await identity('otherDatabase')).toEqual({
      user_id: 'otherDatabase',
      tenant: 'acme',
      databases: ['else'],
    });
    expect(await identity('root')).toEqual({
      user_id: 'root',
      tenant: 'default_tenant',
      databases: ['default_database'],
    });
  });
});

test('refusals are logged with who and where, and never with the secret', async () => {
  const wrong = 'tsk_a-wrong-key';
  await harness.send('GET', '/api/v2/tenants/acme', undefined, { authorization: `Bearer ${wrong}` });
  await send('stranger', 'GET', '/api/v2/tenants/acme');
  const [one, other] = harness.log.slice(-2);
  expect(one).toMatchObject({ level: 'warn', event: 'refused', status: 401, path: '/api/v2/tenants/acme' });
  expect(other).toMatchObject({ level: 'warn', event: 'refused', status: 403, caller: 'stranger' });
  const log = JSON.stringify(harness.log);
  for (const secret of [wrong, ...Object.keys(KEYS).map((name) => secretOf(name as KeyName))]) {
    expect(log).not.toContain(secret);
  }
});

test('a web page may speak to the server only where its origin is configured', async () => {
  const origin = 'https://app.example';
  const preflight = { origin, 'access-control-request-method': 'POST' };
  const closed = createServer(backend);
  const ask = (server: typeof closed, method: string, headers: Record<string, string>): Promise<Response> =>
    server.fetch(new Request('http://server/api/v2/version', { method, headers }));
  const none = await ask(closed, 'OPTIONS', preflight);
  expect([none.status, none.headers.get('access-control-allow-origin')]).toEqual([405, null]);

  const open = createServer(backend, { corsAllowOrigins: [origin] });
  const allowed = await ask(open, 'OPTIONS', preflight);
  expect([allowed.status, await allowed.text()]).toEqual([200, '']);
  expect(Object.fromEntries(allowed.headers)).toMatchObject({
    'access-control-allow-origin': origin,
    'access-control-allow-methods': '*',
    'access-control-allow-headers': '*',
    vary: 'origin, access-control-request-method, access-control-request-headers',
  });
  expect((await ask(open, 'GET', { origin })).headers.get('access-control-allow-origin')).toBe(origin);
  for (const stranger of ['https://evil.example', 'https://app.example.evil', 'null']) {
    const { headers } = await ask(open, 'GET', { origin: stranger });
    expect(headers.get('access-control-allow-origin')).toBe(null);
  }
  const all = createServer(backend, { corsAllowOrigins: ['*'] });
  expect((await ask(all, 'GET', { origin })).headers.get('access-control-allow-origin')).toBe('*');
});

test('a line of a key says the same when it is written again', () => {
  for (const [name, scope] of Object.entries(KEYS)) {
    const text = `${name} ${hashKey('x')} ${scope}`;
    expect(parseGrantLines(text, 'keys').map(formatGrantLine)).toEqual([text]);
  }
});
