/**
 * The `chromadb` package of the years of the API v1, unchanged, over a socket: 1.5, which knows no tenants,
 * and 1.9, the last to speak it.
 */
import { ChromaClient as Client5 } from 'chromadb-1-5';
import { AdminClient, ChromaClient as Client9 } from 'chromadb-1-9';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../../src/api/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { createServer, type Listener, listen } from '../../src/server/index.ts';
import { embeddingFunction, type OldClient, testOldClient } from './old-client-suite.ts';

let backend: Backend;
let listener: Listener;

beforeAll(async () => {
  backend = await openDatabase({ threads: 0, allowReset: true });
  listener = await listen(createServer(backend), { port: 0 });
});

afterAll(async () => {
  await listener.close();
  await backend.close();
});

describe.each([
  ['1.5.11', () => new Client5({ path: listener.url }) as unknown as OldClient],
  ['1.9.2', () => new Client9({ path: listener.url }) as unknown as OldClient],
])('chromadb %s', (_, connect) => testOldClient(connect, (ids) => ids));

test('chromadb 1.9 manages tenants and databases', async () => {
  const admin = new AdminClient({ path: listener.url });
  await admin.createTenant({ name: 'acme' });
  expect(await admin.getTenant({ name: 'acme' })).toMatchObject({ name: 'acme' });
  await admin.createDatabase({ name: 'library', tenantName: 'acme' });
  expect(await admin.getDatabase({ name: 'library', tenantName: 'acme' })).toMatchObject({ name: 'library' });
  const inside = new Client9({ path: listener.url, tenant: 'acme', database: 'library' });
  await inside.createCollection({ name: 'books', embeddingFunction });
  expect(await inside.countCollections()).toBe(1);
  expect((await inside.listCollections()).map(({ name }) => name)).toEqual(['books']);
  const outside = new Client9({ path: listener.url });
  await expect(outside.getCollection({ name: 'books', embeddingFunction })).rejects.toThrow(/does not exist/);
});
