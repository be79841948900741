import { expect, test } from 'vitest';
import type { Backend, CollectionStatistics, VectorStatistics } from '../../api/index.ts';
import { describeIndexing } from './indexing-status.ts';

const SCOPE = { tenant: 't', database: 'd', collectionId: 'c' };

/** A backend that says this of every collection, and counts how often it is asked to settle. */
class Saying {
  settleCount = 0;
  readonly #statistics: CollectionStatistics;

  constructor(
    counts: { records: number; sequence: number },
    vectors: Partial<VectorStatistics>,
    text: CollectionStatistics['text'] = { isBuilt: false, position: 0, lag: 0 },
  ) {
    const { records: recordCount, sequence } = counts;
    this.#statistics = { recordCount, sequence, vectors, text } as CollectionStatistics;
  }

  async ask(): Promise<unknown[]> {
    const backend = {
      statistics: async () => this.#statistics,
      settle: async () => {
        this.settleCount++;
        throw new Error('not now');
      },
    } as unknown as Backend;
    const text = await describeIndexing(backend, SCOPE, {});
    const answer = JSON.parse(text) as Record<string, number>;
    expect(answer['num_indexed_ops']! + answer['num_unindexed_ops']!).toBe(answer['total_ops']);
    return [answer['op_indexing_progress'], answer['num_unindexed_ops'], answer['total_ops']];
  }
}

test('an empty collection, and one too small for an index, are indexed to the end', async () => {
  const unloaded = { kind: 'unloaded', savedPosition: 0, waitingCount: 0 } as const;
  expect(await new Saying({ records: 0, sequence: 0 }, unloaded).ask()).toEqual([1, 0, 0]);
  expect(await new Saying({ records: 32_767, sequence: 40_000 }, unloaded).ask()).toEqual([1, 0, 40_000]);
});

test('changes that are not followed and records without a cell are not indexed', async () => {
  const counts = { records: 40_000, sequence: 50_000 };
  const cells = { kind: 'cells', position: 49_000, waitingCount: 4_000 } as const;
  expect(await new Saying(counts, cells).ask()).toEqual([0.9, 5_000, 50_000]);
  const done = { kind: 'cells', position: 50_000, waitingCount: 0 } as const;
  expect(await new Saying(counts, done).ask()).toEqual([1, 0, 50_000]);
  const beforeCells = { kind: 'exact', position: 50_000, waitingCount: 40_000 } as const;
  expect(await new Saying(counts, beforeCells).ask()).toEqual([0.2, 40_000, 50_000]);
});

test('a text index that lags behind counts, where there is one', async () => {
  const vectors = { kind: 'exact', position: 100, waitingCount: 100 } as const;
  const text = { isBuilt: true, position: 75, lag: 25 };
  expect(await new Saying({ records: 100, sequence: 100 }, vectors, text).ask()).toEqual([0.75, 25, 100]);
});

test('asking for an index that nobody has loaded brings it about, whether that works out or not', async () => {
  const vectors = { kind: 'unloaded', savedPosition: 10_000, waitingCount: 0 } as const;
  const backend = new Saying({ records: 40_000, sequence: 40_000 }, vectors);
  expect(await backend.ask()).toEqual([0.25, 30_000, 40_000]);
  expect(backend.settleCount).toBe(1);
});

test('progress is spelled as a float', async () => {
  const backend = {
    statistics: async () => ({ recordCount: 0, sequence: 0, text: { isBuilt: false }, vectors: {} }),
  } as unknown as Backend;
  expect(await describeIndexing(backend, SCOPE, {})).toContain('"op_indexing_progress":1.0,');
});
