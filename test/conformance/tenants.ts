/** Tenants, databases and what belongs to the system as a whole. */
import { describe, expect, test } from 'vitest';
import { expectFault, type Subject } from './subject.ts';

/** See the top of this file. */
export function tenantCases(subject: Subject): void {
  describe('the system', () => {
    test('the heartbeat is the time of day in nanoseconds', async () => {
      const beat = await subject.backend.heartbeat();
      expect(typeof beat).toBe('bigint');
      expect(Math.abs(Number(beat) / 1e6 - Date.now())).toBeLessThan(60_000);
      expect(await subject.client.heartbeat()).toBeGreaterThanOrEqual(Number(beat));
    });

    test('tells its version, its limits and who the caller is', async () => {
      expect(await subject.client.version()).toMatch(/^\d+\.\d+\.\d+/);
      expect(await subject.client.getMaxBatchSize()).toBe(5461);
      expect(await subject.client.getUserIdentity()).toEqual({
        userId: '',
        tenant: 'default_tenant',
        databases: ['default_database'],
      });
    });
  });

  describe('tenants and databases', () => {
    test('the defaults are there', async () => {
      expect(await subject.admin.getTenant({ name: 'default_tenant' })).toBe('default_tenant');
      expect(await subject.admin.getDatabase({ name: 'default_database', tenant: 'default_tenant' })).toEqual(
        {
          id: '00000000-0000-0000-0000-000000000000',
          name: 'default_database',
          tenant: 'default_tenant',
        },
      );
    });

    test('a tenant is created once', async () => {
      const name = subject.name();
      await expectFault(
        subject.admin.getTenant({ name }),
        'TESSERA_TENANT_NOT_FOUND',
        /^Tenant \[.*\] not found/,
      );
      await subject.admin.createTenant({ name });
      expect(await subject.admin.getTenant({ name })).toBe(name);
      await expectFault(subject.admin.createTenant({ name }), 'TESSERA_ALREADY_EXISTS', /already exists/);
      await expectFault(subject.admin.createTenant({ name: 'ab' }), 'TESSERA_INVALID_NAME');
    });

    test('a database is created once in a tenant, and in as many tenants as one likes', async () => {
      const [name, tenant, other] = [subject.name(), subject.name(), subject.name()];
      await subject.admin.createTenant({ name: tenant });
      const place = { name, tenant };
      await expectFault(
        subject.admin.getDatabase(place),
        'TESSERA_DATABASE_NOT_FOUND',
        /^Database \[.*\] not found/,
      );
      await subject.admin.createDatabase(place);
      await subject.admin.createDatabase({ name, tenant: other });
      await expectFault(subject.admin.createDatabase(place), 'TESSERA_ALREADY_EXISTS', /already exists/);
      const found = await subject.admin.getDatabase(place);
      expect(found).toMatchObject({ name, tenant });
      expect((await subject.admin.getDatabase({ name, tenant: other })).id).not.toBe(found.id);
    });

    test.each(['ab', 'a b', '-ab', '1.2.3.4', 'a..b'])('refuses the database name %j', async (name) => {
      await expectFault(
        subject.admin.createDatabase({ name, tenant: 'default_tenant' }),
        'TESSERA_INVALID_NAME',
      );
    });

    test('databases are listed by name, page by page; an unknown tenant has none', async () => {
      const tenant = subject.name();
      for (const name of ['ddd', 'bbb', 'aaa', 'ccc']) await subject.admin.createDatabase({ name, tenant });
      const names = async (page: { limit?: number; offset?: number }) =>
        (await subject.admin.listDatabases({ tenant, ...page })).map(({ name }) => name);
      expect(await names({})).toEqual(['aaa', 'bbb', 'ccc', 'ddd']);
      expect(await names({ limit: 2, offset: 1 })).toEqual(['bbb', 'ccc']);
      expect(await names({ offset: 3 })).toEqual(['ddd']);
      expect(await names({ limit: 0 })).toEqual([]);
      expect(await names({ offset: 9 })).toEqual([]);
      expect(await subject.admin.listDatabases({ tenant: subject.name() })).toEqual([]);
    });

    test('deleting a database deletes its collections', async () => {
      const place = { tenant: subject.name(), name: subject.name() };
      const scope = { tenant: place.tenant, database: place.name };
      await subject.admin.createDatabase(place);
      const made = await subject.collection();
      const input = { name: 'within', metadata: null, getOrCreate: false } as const;
      const { configuration, schema } = made;
      const within = await subject.backend.createCollection(scope, { ...input, configuration, schema });
      await subject.admin.deleteDatabase(place);
      await expectFault(
        subject.admin.deleteDatabase(place),
        'TESSERA_DATABASE_NOT_FOUND',
        /^Database \[.*\] not found/,
      );
      await subject.admin.createDatabase(place);
      expect(await subject.backend.listCollections(scope, { limit: null, offset: 0 })).toEqual([]);
      await expectFault(
        subject.backend.count({ ...scope, collectionId: within.id }),
        'TESSERA_COLLECTION_NOT_FOUND',
      );
      expect(await made.count()).toBe(0);
    });
  });
}
