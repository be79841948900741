/** One collection in the place of another, at the port. */
import { expect, onTestFinished, test } from 'vitest';
import { type Backend, type CollectionScope, DEFAULT_SETTINGS } from '../../src/api/index.ts';
import { SYSTEM_COMPONENTS } from '../../src/engine/components.ts';
import { Engine, type WriteCall } from '../../src/engine/engine.ts';
import { batchOf, getRequest } from '../support/batches.ts';
import { makeCollection, openTestDatabase, withCode } from '../support/database.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const ALL = { after: 0, afterRow: 0, throughRow: null, limit: 100 };

async function prepare(backend: Backend): Promise<{ old: CollectionScope; heir: CollectionScope }> {
  const old = await makeCollection(backend, 'films');
  const heir = await makeCollection(backend, 'films.next');
  await backend.add(old, batchOf({ id: 'a', embedding: [1] }, { id: 'b', embedding: [2] }));
  await backend.add(heir, batchOf({ id: 'a', embedding: [1, 1] }, { id: 'b', embedding: [2, 2] }));
  return { old, heir };
}

const request = (heir: CollectionScope, sequence: number) => ({
  successorId: heir.collectionId,
  sequence,
  formerName: 'films.former',
});

test('a write since the position keeps the successor waiting', async () => {
  const backend = await openTestDatabase();
  const { old, heir } = await prepare(backend);
  const { sequence } = await backend.changes(old, ALL);
  await backend.update(old, batchOf({ id: 'a', document: 'changed' }));
  expect(await backend.succeed(old, request(heir, sequence))).toBeNull();
  expect((await backend.getCollection(old, 'films')).id).toBe(old.collectionId);
  expect(await backend.succeed(old, request(heir, sequence + 1))).toMatchObject({ name: 'films' });
  expect((await backend.getCollection(old, 'films')).id).toBe(heir.collectionId);
});

test('a process that has the collection open is refused from then on, whatever it asks of its records', async () => {
  const path = temporaryDirectory();
  const [one, other] = [await openTestDatabase({ path }), await openTestDatabase({ path })];
  const { old, heir } = await prepare(one);
  expect(await other.count(old)).toBe(2);
  await one.succeed(old, request(heir, 2));
  const superseded = withCode('TESSERA_SUPERSEDED');
  await expect(other.add(old, batchOf({ id: 'c', embedding: [3] }))).rejects.toThrow(superseded);
  await expect(other.get(old, getRequest())).rejects.toThrow(superseded);
  await expect(other.count(old)).rejects.toThrow(superseded);
  await expect(other.changes(old, ALL)).rejects.toThrow(superseded);
  await expect(other.updateCollection(old, { name: 'else' })).rejects.toThrow(superseded);
  await expect(one.succeed(old, request(heir, 2))).rejects.toThrow(superseded);
  expect(await other.count(heir)).toBe(2);
  expect((await other.verify(old)).faultCount).toBe(0);
});

test('a successor with other records than its collection is refused', async () => {
  const backend = await openTestDatabase();
  const { old, heir } = await prepare(backend);
  await backend.add(heir, batchOf({ id: 'stranger', embedding: [3, 3] }));
  await expect(backend.succeed(old, request(heir, 2))).rejects.toThrow(
    /with the 2 records of films, got one with 3/,
  );
});

test('changes come in the order of insertion, and end with the rows that there were', async () => {
  const backend = await openTestDatabase();
  const { old } = await prepare(backend);
  const { sequence, endRow } = await backend.changes(old, ALL);
  await backend.add(old, batchOf({ id: 'c', embedding: [3] }));
  await backend.update(old, batchOf({ id: 'b', document: 'changed' }));
  const later = { ...ALL, after: sequence };
  const changes = await backend.changes(old, later);
  expect(changes).toMatchObject({ columns: { ids: ['b', 'c'] }, hasDeletions: false, recordCount: 3 });
  expect((await backend.changes(old, { ...later, throughRow: endRow })).columns.ids).toEqual(['b']);
  expect((await backend.changes(old, { ...later, limit: 1 })).columns.ids).toEqual(['b']);
  await backend.delete(old, { ids: ['a'], where: null, whereDocument: null, limit: null });
  expect((await backend.changes(old, later)).hasDeletions).toBe(true);
});

test('a write that asked the catalogue before the change of names, and got the lock after it, is refused', async () => {
  const settings = { ...DEFAULT_SETTINGS, path: temporaryDirectory(), memory: 1e8 };
  const backend = await openTestDatabase({ path: settings.path });
  const { old, heir } = await prepare(backend);
  const [one, other] = [0, 0].map(() => new Engine(settings, SYSTEM_COMPONENTS)) as [Engine, Engine];
  onTestFinished(() => {
    one.close();
    other.close();
  });
  expect(one.count(old)).toBe(2);
  const call: WriteCall = { verb: 'add', batch: batchOf({ id: 'c', embedding: [3] }) };
  // The engine goes through its calls when it has asked, and before it has the lock.
  const calls = Object.assign([call], {
    map: (each: (call: WriteCall) => unknown) => {
      expect(other.succeed(old, request(heir, 2))).toMatchObject({ name: 'films' });
      return [each(call)];
    },
  });
  const [outcome] = one.writeGroup(old, calls as unknown as WriteCall[]);
  expect(outcome).toMatchObject({ ok: false, error: { code: 'TESSERA_SUPERSEDED' } });
  expect((await backend.statistics(old)).recordCount).toBe(2);
});
