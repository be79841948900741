import { describe, expect, it, onTestFinished } from 'vitest';
import { batchOf } from '../../test/support/batches.ts';
import { DEFAULT_SETTINGS } from '../api/index.ts';
import { RecordStore, type StoredRecord, type StoreState } from '../records/index.ts';
import { CollectionIndexes, type RowFault } from './indexes.ts';

const DIMENSION = 3;

class Subject {
  readonly store = RecordStore.open({ ...DEFAULT_SETTINGS, path: null });
  readonly indexes: CollectionIndexes = new CollectionIndexes(this.store, { space: 'l2' });

  constructor(count: number) {
    onTestFinished(() => this.store.close());
    const records = Array.from({ length: count }, (_, i) => ({
      id: `r${i}`,
      embedding: [i, 0, 1],
      metadata: `{"n":${i}}`,
    }));
    const [outcome] = this.store.writeGroup([(writer) => writer.add(batchOf(...records))]);
    expect(outcome!.ok).toBe(true);
  }

  delete(row: number): void {
    this.store.writeGroup([(writer) => writer.delete([row])]);
  }

  /** Compares everything, as of one moment; loads the index first. */
  verify(): { misplaced: number[]; vectors: RowFault[]; metadata: RowFault[] } {
    return this.read((state) => {
      const misplaced = this.indexes.misplacedRows(state);
      const records = [...this.store.scan()];
      const table = this.store.vectors(DIMENSION);
      const embeddingOf = ({ row, vectorChecksum }: StoredRecord): Float32Array =>
        table.read(row, vectorChecksum);
      const vectors = [...records.keys()].flatMap((i) => {
        const range = { after: records[i - 1]?.row ?? 0, last: records[i]!.row };
        return this.indexes.verifyVectors(state, range, [records[i]!], embeddingOf);
      });
      return { misplaced, vectors, metadata: this.indexes.verifyMetadata(records) };
    });
  }

  read<T>(work: (state: StoreState) => T): T {
    return this.store.read(work);
  }
}

const SOUND = { misplaced: [], vectors: [], metadata: [] };

describe('comparing the indexes in memory', () => {
  it('finds nothing in what has followed the records', () => {
    const subject = new Subject(50);
    expect(subject.verify()).toEqual(SOUND);
    subject.delete(7);
    subject.read((state) => {
      subject.indexes.follow(state);
      subject.indexes.loadKeys(['n'], []);
    });
    expect(subject.verify()).toEqual(SOUND);
  });

  it('names a row that the vector index lost, and one that it holds otherwise', () => {
    const subject = new Subject(50);
    subject.verify();
    const vectors = subject.indexes.vectors(DIMENSION);
    vectors.remove(4);
    vectors.set(9, Float32Array.of(9, -0, 1));
    expect(subject.verify().vectors).toEqual([
      { row: 5, message: 'The vector index does not hold the record.' },
      { row: 10, message: 'The vector index holds another embedding than the file.' },
    ]);
  });

  it('names a row that is not stored any more', () => {
    const subject = new Subject(10);
    subject.verify();
    const gone = subject.read((state) => {
      return subject.indexes.verifyVectors(
        state,
        { after: 2, last: 4 },
        [subject.store.liveRow(3)],
        () => null,
      );
    });
    expect(gone).toEqual([{ row: 4, message: 'The vector index holds a record that is not stored.' }]);
  });

  it('names rows whose metadata filters see otherwise', () => {
    const subject = new Subject(10);
    subject.read((state) => {
      subject.indexes.follow(state);
      subject.indexes.loadKeys(['n'], []);
    });
    subject.indexes.columns.set(2, '{"n":77}');
    expect(subject.verify().metadata.map(({ row }) => row)).toEqual([3]);
  });

  it('is mended by making everything anew', () => {
    const subject = new Subject(50);
    subject.verify();
    subject.indexes.vectors(DIMENSION).remove(4);
    expect(subject.read((state) => subject.indexes.repairVectors(state))).toBe(50);
    expect(subject.verify()).toEqual(SOUND);
  });

  it('shows what the vector index takes and how far it has come', () => {
    const subject = new Subject(20);
    const statistics = (recall = 0.9) =>
      subject.read((state) => subject.indexes.vectorStatistics(state, recall));
    expect(statistics()).toMatchObject({ kind: 'unloaded', position: 0, lag: 20, bytes: 0, recall: 0.9 });
    subject.verify();
    expect(statistics()).toMatchObject({
      kind: 'exact',
      position: 20,
      lag: 0,
      cachedCount: 20,
      effort: null,
    });
    subject.delete(3);
    expect(statistics()).toMatchObject({ position: 20, lag: 1 });
  });
});
