/** Forks: a copy as of the call, its own way from then on, its lineage. */
import { describe, expect, test } from 'vitest';
import type { Collection } from '../../src/client/index.ts';
import { expectFault, filledCollection, type Subject } from './subject.ts';

/** See the top of this file. */
export function forkCases(subject: Subject): void {
  const filled = (count: number): Promise<Collection> =>
    filledCollection(subject, count, { metadata: { of: 'the source' } });

  describe('fork', () => {
    test('holds what the source held, and each goes its own way', async () => {
      const source = await filled(300);
      await source.delete({ ids: ['id-7'] });
      const name = subject.name();
      const fork = await source.fork({ name });
      expect(fork.name).toBe(name);
      expect(fork.id).not.toBe(source.id);
      expect([fork.metadata, fork.configuration]).toEqual([source.metadata, source.configuration]);
      const include = ['embeddings', 'documents', 'metadatas', 'uris'] as const;
      expect((await fork.get({ include })).rows()).toEqual((await source.get({ include })).rows());
      await fork.upsert({
        ids: ['id-1', 'new'],
        embeddings: [
          [9, 9, 9],
          [8, 8, 8],
        ],
      });
      await source.delete({ ids: ['id-2'] });
      expect(await source.get({ ids: ['new', 'id-2'] })).toMatchObject({ ids: [] });
      expect((await fork.get({ ids: ['id-2', 'new'] })).ids.toSorted()).toEqual(['id-2', 'new']);
      expect([await source.count(), await fork.count()]).toEqual([298, 300]);
      const nearest = await fork.query({ queryEmbeddings: [[9, 9, 9]], nResults: 1 });
      expect(nearest.ids).toEqual([['id-1']]);
      expect((await fork.query({ queryEmbeddings: [[4, 1, 2]], where: { parity: 1 } })).ids[0]).toHaveLength(
        10,
      );
      expect(await fork.verify()).toEqual({ recordCount: 300, faultCount: 0, faults: [] });
      const again = await subject.client.getCollection({ name });
      expect(again.id).toBe(fork.id);
      await subject.client.deleteCollection({ name: source.name });
      expect(await fork.count()).toBe(300);
    });

    test('of an empty collection is empty, and takes records', async () => {
      const source = await subject.collection();
      const fork = await source.fork({ name: subject.name() });
      expect(await fork.count()).toBe(0);
      await fork.add({ ids: ['a'], embeddings: [[1]] });
      expect([await fork.count(), await source.count()]).toEqual([1, 0]);
    });

    test('is a whole batch or none of what is written meanwhile', async () => {
      const source = await filled(500);
      const batch = (round: number): { ids: string[]; embeddings: number[][] } => ({
        ids: Array.from({ length: 20 }, (_, i) => `batch-${round}-${i}`),
        embeddings: Array.from({ length: 20 }, (_, i) => [round, i, 0]),
      });
      const writing = Array.from({ length: 10 }, (_, round) => source.add(batch(round)));
      const fork = await source.fork({ name: subject.name() });
      await Promise.all(writing);
      const { ids } = await fork.get();
      expect((ids.length - 500) % 20).toBe(0);
      expect(await source.count()).toBe(700);
      expect(await fork.verify()).toMatchObject({ recordCount: ids.length, faultCount: 0 });
    });

    test('refuses a name that is taken or unusable, and leaves nothing behind', async () => {
      const source = await filled(3);
      const other = await subject.collection();
      const before = await subject.client.countCollections();
      for (const name of [source.name, other.name]) {
        await expectFault(source.fork({ name }), 'TESSERA_ALREADY_EXISTS', /already exists/);
      }
      await expectFault(source.fork({ name: 'no' }), 'TESSERA_INVALID_NAME');
      await expectFault(source.fork({} as { name: string }), 'TESSERA_INVALID_ARGUMENT', /name/);
      expect(await subject.client.countCollections()).toBe(before);
    });

    test('of a collection that is gone is told', async () => {
      const source = await filled(3);
      await subject.client.deleteCollection({ name: source.name });
      await expectFault(source.fork({ name: subject.name() }), 'TESSERA_COLLECTION_NOT_FOUND');
      await expectFault(source.forkCount(), 'TESSERA_COLLECTION_NOT_FOUND');
    });

    test('counts all forks of a family that are there, and says what it is a fork of', async () => {
      const source = await filled(3);
      expect([await source.forkCount(), (await source.stats()).sourceId]).toEqual([0, null]);
      const child = await source.fork({ name: subject.name() });
      const grandchild = await child.fork({ name: subject.name() });
      expect((await grandchild.stats()).sourceId).toBe(child.id);
      expect((await child.stats()).sourceId).toBe(source.id);
      for (const member of [source, child, grandchild]) expect(await member.forkCount()).toBe(2);
      await subject.client.deleteCollection({ name: child.name });
      expect([await source.forkCount(), await grandchild.forkCount()]).toEqual([1, 1]);
    });
  });
}
