/** Settling, statistics, verifying and repairing; plans of queries; the recall that is asked for. */
import { describe, expect, test } from 'vitest';
import type { Collection } from '../../src/client/index.ts';
import { expectFault, filledCollection, type Subject } from './subject.ts';

const SOUND = { faultCount: 0, faults: [] };

/** See the top of this file. */
export function maintenanceCases(subject: Subject): void {
  const filled = (count: number): Promise<Collection> => filledCollection(subject, count);

  describe('settle', () => {
    test('resolves when the vector index stands for every acknowledged change', async () => {
      const made = await filled(200);
      expect(await made.settle()).toBeUndefined();
      const { sequence, vectors } = await made.stats();
      expect(vectors).toMatchObject({ kind: 'exact', position: sequence, lag: 0 });
      await made.delete({ ids: ['id-3'] });
      // The index may have followed already: it does so in idle time.
      expect([0, 1]).toContain((await made.stats()).vectors.lag);
      await made.settle();
      expect((await made.stats()).vectors.lag).toBe(0);
    });

    test('has nothing to do in an empty collection', async () => {
      const made = await subject.collection();
      expect(await made.settle()).toBeUndefined();
    });
  });

  describe('stats', () => {
    test('of an empty collection are all there', async () => {
      const made = await subject.collection();
      const stats = await made.stats();
      expect(stats).toMatchObject({ recordCount: 0, sequence: 0, dimension: null, fileBytes: 0 });
      expect(stats.vectors).toMatchObject({
        kind: 'unloaded',
        recall: 0.99,
        measuredRecall: null,
        effort: null,
      });
      expect(stats.text).toEqual({ isBuilt: false, position: 0, lag: 0 });
    });

    test('count records and changes, and load nothing', async () => {
      const made = await filled(20);
      await made.update({ ids: ['id-1'], documents: ['changed'], embeddings: [[5, 5, 5]] });
      const before = await made.stats();
      expect(before).toMatchObject({ recordCount: 20, sequence: 21, dimension: 3 });
      expect(before.vectors).toMatchObject({ kind: 'unloaded', position: 0, lag: 21, cachedCount: 0 });
      await made.query({ queryEmbeddings: [[1, 2, 3]] });
      const { vectors, memory } = await made.stats();
      expect(vectors).toMatchObject({ kind: 'exact', position: 21, lag: 0, waitingCount: 20, apartCount: 0 });
      expect(vectors.bytes).toBeGreaterThan(0);
      expect(memory.used).toBeGreaterThanOrEqual(vectors.bytes);
    });
  });

  describe('verify and repair', () => {
    test('find nothing wrong with records that nobody touched', async () => {
      const made = await filled(300);
      await made.delete({ where: { parity: 1 }, limit: 100 });
      await made.upsert({
        ids: ['id-0', 'new'],
        embeddings: [
          [9, 9, 9],
          [8, 8, 8],
        ],
      });
      await made.query({ queryEmbeddings: [[1, 2, 3]], where: { parity: 0 } });
      const report = { recordCount: 201, ...SOUND };
      expect(await made.verify()).toEqual(report);
      expect(await made.repair()).toEqual({ before: report, repairedCount: 0, after: report });
    });

    test('have nothing to look at in an empty collection', async () => {
      const made = await subject.collection();
      const report = { recordCount: 0, ...SOUND };
      expect(await made.verify()).toEqual(report);
      expect(await made.repair()).toEqual({ before: report, repairedCount: 0, after: report });
    });

    test('let other calls come in between, and see no fault in what those change', async () => {
      const made = await filled(2_000);
      const verified = made.verify();
      const writes = Array.from({ length: 20 }, async (_, i) => {
        await made.update({ ids: [`id-${i * 90}`], embeddings: [[i, i, i]], documents: [`now ${i}`] });
        await made.delete({ ids: [`id-${i * 90 + 1}`] });
        return made.query({ queryEmbeddings: [[i, 1, 2]] });
      });
      expect((await Promise.all(writes)).every(({ ids }) => ids[0]!.length === 10)).toBe(true);
      expect(await verified).toMatchObject(SOUND);
    });
  });

  describe('explain', () => {
    test('is not there unless asked for', async () => {
      const made = await filled(3);
      expect((await made.query({ queryEmbeddings: [[0, 1, 2]] })).plans).toBeNull();
      expect((await made.query({ queryEmbeddings: [[0, 1, 2]], explain: false })).plans).toBeNull();
    });

    test('tells for each query how it was answered', async () => {
      const made = await filled(40);
      const queryEmbeddings = [
        [0, 1, 2],
        [9, 1, 2],
      ];
      const { ids, plans } = await made.query({ queryEmbeddings, where: { parity: 1 }, explain: true });
      expect(ids.map(({ length }) => length)).toEqual([10, 10]);
      expect(plans).toHaveLength(2);
      for (const plan of plans!) {
        expect(plan).toMatchObject({ kind: 'exact', recordCount: 40, allowedCount: 20, recall: 0.99 });
        expect(plan).toMatchObject({ effort: null, cellsVisited: 0, candidateCount: 20, readCount: 0 });
        expect(plan.rerankedCount).toBeGreaterThanOrEqual(10);
        const times = Object.values(plan.timings);
        expect(times).toHaveLength(4);
        expect(times.every((ms) => ms >= 0)).toBe(true);
      }
    });

    test('says empty where nothing is allowed or stored', async () => {
      const made = await subject.collection();
      const ask = async (): Promise<unknown> => {
        const found = await made.query({
          queryEmbeddings: [[1]],
          where: { a: 1 },
          explain: true,
          exact: true,
        });
        return found.plans;
      };
      expect(await ask()).toMatchObject([{ kind: 'empty', recordCount: 0, allowedCount: 0, recall: 1 }]);
      await made.add({ ids: ['x'], embeddings: [[1]] });
      expect(await ask()).toMatchObject([{ kind: 'empty', recordCount: 1, allowedCount: 0, recall: 1 }]);
    });

    test('refuses what is no switch', async () => {
      const made = await subject.collection();
      const input = { queryEmbeddings: [[1]], explain: 1 as never };
      await expectFault(made.query(input), 'TESSERA_INVALID_ARGUMENT', /explain to be true or false/);
    });
  });

  describe('recall', () => {
    const askedFor = async (made: Collection, recall?: number): Promise<number> => {
      const { plans } = await made.query({ queryEmbeddings: [[1]], recall, explain: true });
      return plans![0]!.recall;
    };

    test('is what the query says, else what the configuration says', async () => {
      const made = await subject.collection({ configuration: { recall: 0.95 } });
      expect(made.configuration.recall).toBe(0.95);
      expect([await askedFor(made), await askedFor(made, 0.5)]).toEqual([0.95, 0.5]);
      await made.modify({ configuration: { recall: 1 } });
      expect(made.configuration.recall).toBe(1);
      const again = await subject.client.getCollection({ name: made.name });
      expect([again.configuration.recall, await askedFor(again)]).toEqual([1, 1]);
      await made.modify({ configuration: { hnsw: { efSearch: 10 } } });
      expect([made.configuration.recall, await askedFor(made)]).toEqual([1, 1]);
      expect((await made.stats()).vectors.recall).toBe(1);
    });

    test('is not shown where it was not set', async () => {
      const made = await subject.collection();
      expect(made.configuration).not.toHaveProperty('recall');
      expect(await askedFor(made)).toBe(0.99);
    });

    test('follows the search parameters of Chroma where none is set', async () => {
      const made = await subject.collection({ configuration: { hnsw: { efSearch: 200, maxNeighbors: 1 } } });
      expect(await askedFor(made)).toBe(0.995);
      await made.modify({ configuration: { hnsw: { efSearch: 0 } } });
      expect(await askedFor(made)).toBe(0.5);
      await made.modify({ configuration: { spann: { searchNprobe: 128 } } });
      expect(await askedFor(made)).toBe(0.995);
      const spann = { space: 'ip', searchNprobe: 32 } as const;
      const other = await subject.collection({ configuration: { spann } });
      expect(other.configuration.hnsw.space).toBe('ip');
      expect(await askedFor(other)).toBe(0.98);
    });

    test('stands beside a schema, which cannot say it', async () => {
      const schema = {
        defaults: {},
        keys: { '#document': { string: { fts_index: { enabled: false, config: {} } } } },
      };
      const made = await subject.collection({ schema, configuration: { recall: 0.9 } });
      expect(await askedFor(made)).toBe(0.9);
    });

    test.each([0, -1, 1.01, Number.NaN, '0.9'])('refuses %j in a configuration', async (recall) => {
      const configuration = { recall: recall as number };
      const code = 'TESSERA_INVALID_CONFIGURATION';
      await expectFault(subject.collection({ configuration }), code, /recall/);
      const made = await subject.collection();
      await expectFault(made.modify({ configuration }), code, /recall/);
    });
  });
}
