/** Opening, closing and resetting: cases that need a backend of their own. */
import { describe, expect, test } from 'vitest';
import { DatabaseAdmin, DatabaseClient } from '../../src/client/index.ts';
import { expectFault, type Subject } from './subject.ts';

/** See the top of this file. */
export function lifecycleCases(subject: Subject): void {
  describe('reset', () => {
    test('is forbidden unless the settings allow it', async () => {
      const made = await subject.collection();
      await expectFault(subject.client.reset(), 'TESSERA_FORBIDDEN', /^Reset is disabled by config/);
      expect(await made.count()).toBe(0);
    });

    test('deletes everything and leaves the defaults', async () => {
      const { backend, dispose } = await subject.make({ allowReset: true });
      try {
        const client = new DatabaseClient(async () => backend);
        const admin = new DatabaseAdmin(client);
        const made = await client.createCollection({ name: 'first' });
        await made.add({ ids: ['a'], embeddings: [[1]] });
        await admin.createTenant({ name: 'somebody' });
        await admin.createDatabase({ name: 'elsewhere', tenant: 'somebody' });
        await client.reset();
        expect(await client.listCollections()).toEqual([]);
        expect(await admin.listDatabases({ tenant: 'somebody' })).toEqual([]);
        expect(await admin.listDatabases({ tenant: 'default_tenant' })).toMatchObject([
          { name: 'default_database' },
        ]);
        await expectFault(admin.getTenant({ name: 'somebody' }), 'TESSERA_TENANT_NOT_FOUND');
        await expectFault(made.count(), 'TESSERA_COLLECTION_NOT_FOUND');
        const again = await client.createCollection({ name: 'first' });
        await again.add({ ids: ['b'], embeddings: [[1, 2]] });
        expect(await again.count()).toBe(1);
      } finally {
        await dispose();
      }
    });
  });

  describe('close', () => {
    test('finishes the writes under way, and refuses every later call', async () => {
      const { backend, dispose } = await subject.make();
      try {
        const client = new DatabaseClient(async () => backend);
        const made = await client.createCollection({ name: 'first' });
        const writes = ['a', 'b', 'c'].map((id) => made.add({ ids: [id], embeddings: [[1]] }));
        // Opening the client takes the calls a few turns of the event loop; the first answer says that all
        // went out.
        await writes[0];
        const closed = Promise.all([...writes, client.close()]);
        await expect(closed).resolves.toHaveLength(4);
        await expectFault(made.count(), 'TESSERA_CLOSED');
        await expectFault(client.heartbeat(), 'TESSERA_CLOSED');
        await expectFault(backend.heartbeat(), 'TESSERA_CLOSED');
        await client.close();
        await backend.close();
      } finally {
        await dispose();
      }
    });

    test('a client opens its backend once, at the first call, and again after a failure', async () => {
      const { backend, dispose } = await subject.make();
      try {
        const openings: string[] = [];
        const client = new DatabaseClient(async () => {
          openings.push('opened');
          if (openings.length === 1) throw new Error('not now');
          return backend;
        });
        expect(openings).toEqual([]);
        await expect(client.version()).rejects.toThrow('not now');
        await Promise.all([client.version(), client.heartbeat()]);
        expect(openings).toEqual(['opened', 'opened']);
      } finally {
        await dispose();
      }
    });

    test('a client that was never used closes without opening anything', async () => {
      const openings: string[] = [];
      const { backend, dispose } = await subject.make();
      const client = new DatabaseClient(async () => {
        openings.push('opened');
        return backend;
      });
      await client[Symbol.asyncDispose]();
      await expectFault(client.version(), 'TESSERA_CLOSED');
      expect(openings).toEqual([]);
      await dispose();
    });

    test('an admin client that borrows the database of a client leaves it open', async () => {
      const { backend, dispose } = await subject.make();
      const client = new DatabaseClient(async () => backend);
      const admin = new DatabaseAdmin(client);
      await admin.createTenant({ name: 'somebody' });
      await admin.close();
      await expectFault(admin.getTenant({ name: 'somebody' }), 'TESSERA_CLOSED');
      expect(await client.countCollections()).toBe(0);
      await dispose();
    });
  });
}
