import { describe, expect, it, onTestFinished } from 'vitest';
import { batchOf } from '../../test/support/batches.ts';
import { DEFAULT_RECALL, DEFAULT_SETTINGS } from '../api/index.ts';
import { seededNumbers } from '../base/index.ts';
import { RecordStore, type RecordWriter } from '../records/index.ts';
import { CollectionIndexes } from './indexes.ts';

const DIMENSION = 24;
const K = 10;

/** A collection large enough for cells, in clusters as real embeddings are. */
class LargeCollection {
  readonly store = RecordStore.open({ ...DEFAULT_SETTINGS, path: null });
  readonly indexes: CollectionIndexes;
  readonly #next = seededNumbers(42);
  readonly #centres = Array.from({ length: 64 }, () => this.#draw(1));
  #added = 0;

  constructor(cells = {}) {
    this.indexes = new CollectionIndexes(this.store, {
      space: 'cosine',
      keepsCells: true,
      tuning: { cells },
    });
    onTestFinished(() => this.store.close());
  }

  embedding(): number[] {
    const centre = this.#centres[Math.floor(this.#next() * this.#centres.length)]!;
    const noise = this.#draw(0.6);
    return centre.map((value, d) => value + noise[d]!);
  }

  rows(): Float64Array {
    return this.store.read(({ recordCount }) => this.store.rows(recordCount).rows);
  }

  add(count: number): void {
    const records = Array.from({ length: count }, () => ({
      id: `r${this.#added++}`,
      embedding: this.embedding(),
    }));
    this.write((writer) => writer.add(batchOf(...records)));
  }

  write(call: (writer: RecordWriter) => void): void {
    const [outcome] = this.store.writeGroup([call]);
    if (!outcome!.ok) throw outcome!.error;
  }

  /** Follows, works until nothing is left to do, and returns the state's dimension. */
  settle(): void {
    this.store.read((state) => {
      this.indexes.follow(state);
      this.indexes.vectors(DIMENSION);
    });
    for (let slices = 0; !this.indexes.isSettled; slices++) {
      expect(slices).toBeLessThan(100_000);
      this.indexes.maintain(1, () => performance.now());
    }
  }

  get cellCount(): number {
    return this.indexes.vectors(DIMENSION).statistics().cellCount;
  }

  search(query: Float32Array, recall: number): string[] {
    return this.store.read((state) => {
      this.indexes.follow(state);
      const { live } = this.indexes;
      const { slots } = this.indexes.vectors(DIMENSION).search(query, K, live, live.count(), { recall });
      return Array.from(slots, (slot) => this.store.liveRow(this.indexes.rowAt(slot)).id);
    });
  }

  /** Share of the exact answers that the default recall finds, over fresh queries. */
  measureRecall(): number {
    let found = 0;
    for (let i = 0; i < 200; i++) {
      const query = Float32Array.from(this.embedding());
      const exact = new Set(this.search(query, 1));
      expect(exact.size).toBe(K);
      for (const id of this.search(query, DEFAULT_RECALL)) if (exact.has(id)) found++;
    }
    return found / (200 * K);
  }

  #draw(scale: number): number[] {
    return Array.from({ length: DIMENSION }, () => (this.#next() + this.#next() - 1) * scale);
  }
}

describe('a collection of tens of thousands', () => {
  it('reaches the recall asked for, before and after it is settled, and after churn', () => {
    const collection = new LargeCollection();
    collection.add(36_000);
    expect(collection.measureRecall()).toBe(1);
    collection.settle();
    expect(collection.measureRecall()).toBeGreaterThanOrEqual(0.97);
    collection.write((writer) => writer.delete(Array.from({ length: 6_000 }, (_, i) => i * 5 + 1)));
    collection.add(6_000);
    expect(collection.measureRecall()).toBeGreaterThanOrEqual(0.97);
    collection.settle();
    expect(collection.measureRecall()).toBeGreaterThanOrEqual(0.97);
  });

  it('hides no record: each is found by its own embedding, whatever changed', () => {
    const collection = new LargeCollection();
    collection.add(34_000);
    collection.settle();
    const moved = Array.from({ length: 500 }, (_, i) => ({
      id: `r${i * 60}`,
      embedding: collection.embedding(),
    }));
    collection.write((writer) => writer.update(batchOf(...moved)));
    collection.write((writer) => writer.delete([2, 3, 5]));
    collection.add(300);
    for (const { id, embedding } of moved) {
      expect(collection.search(Float32Array.from(embedding), DEFAULT_RECALL)[0]).toBe(id);
    }
    collection.settle();
    for (const { id, embedding } of moved) {
      expect(collection.search(Float32Array.from(embedding), DEFAULT_RECALL)[0]).toBe(id);
    }
  });

  it('keeps its cells when slots are renumbered after many deletes, but not rows that changed meanwhile', () => {
    const collection = new LargeCollection();
    collection.add(40_000);
    collection.settle();
    for (let round = 0; round < 2; round++) {
      const rows = [...collection.rows()];
      collection.write((writer) => writer.delete(rows.filter((_, i) => i % 3 === round)));
      collection.search(Float32Array.from(collection.embedding()), 1);
      collection.add(14_000);
      const id = collection.store.liveRow(collection.rows()[100]!).id;
      const embedding = collection.embedding();
      collection.write((writer) => writer.update(batchOf({ id, embedding })));
      // The first search sees too many dead slots, the deleted rows' and loads anew.
      expect(collection.search(Float32Array.from(embedding), DEFAULT_RECALL)[0]).toBe(id);
      expect(collection.cellCount).toBeGreaterThan(100);
      expect(collection.measureRecall()).toBeGreaterThanOrEqual(0.97);
    }
  });

  it('gives memory back after most records are deleted, whether enough for cells are left or not', () => {
    const collection = new LargeCollection({ startCount: 2_000 });
    collection.add(24_000);
    collection.settle();
    const full = collection.indexes.bytes;
    for (const [left, hasCells] of [
      [5_000, true],
      [500, false],
    ] as const) {
      const gone = [...collection.rows()].slice(left);
      // Little by little, as followers see it: slots are renumbered several times.
      for (let first = 0; first < gone.length; first += 2_000) {
        collection.write((writer) => writer.delete(gone.slice(first, first + 2_000)));
        collection.search(Float32Array.from(collection.embedding()), DEFAULT_RECALL);
      }
      collection.settle();
      // What was let go is loaded when it is needed.
      collection.settle();
      expect(collection.cellCount > 0).toBe(hasCells);
      expect(collection.indexes.live.count()).toBe(left);
      expect(collection.indexes.bytes).toBeLessThan((full * left * 2) / 24_000);
      const [id, embedding] = [`after ${left}`, collection.embedding()];
      collection.write((writer) => writer.add(batchOf({ id, embedding })));
      expect(collection.search(Float32Array.from(embedding), DEFAULT_RECALL)[0]).toBe(id);
      expect(collection.measureRecall()).toBeGreaterThanOrEqual(0.97);
    }
  });
});
