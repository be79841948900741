import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { batchOf, type TestRecord } from '../../test/support/batches.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { DEFAULT_SETTINGS, type RepairReport, type VerifyReport } from '../api/index.ts';
import { DatabaseError } from '../base/index.ts';
import { RecordStore, type RecordWriter, type StoreState } from '../records/index.ts';
import { TextIndex } from '../text/index.ts';
import { repair } from './repair.ts';
import { absorbText } from './text.ts';
import { type VerifiedIndexes, verify } from './verify.ts';

/** Indexes that hold what they are told to hold wrongly, and count how often they are made anew. */
class StubIndexes implements VerifiedIndexes {
  misplaced: number[] = [];
  wrongRows: number[] = [];
  strayRows: number[] = [];
  wrongMetadata: number[] = [];
  refusal: DatabaseError | null = null;
  remadeCount = 0;
  readonly compared: number[] = [];

  follow(): void {}

  misplacedRows(): number[] {
    if (this.refusal !== null) throw this.refusal;
    return this.misplaced;
  }

  verifyVectors(
    ...[, range, records, embeddingOf]: Parameters<VerifiedIndexes['verifyVectors']>
  ): { row: number; message: string }[] {
    if (this.refusal !== null) throw this.refusal;
    for (const record of records) if (embeddingOf(record) !== null) this.compared.push(record.row);
    const isHere = (row: number): boolean => row > range.after && row <= range.last;
    return [...this.wrongRows, ...this.strayRows].filter(isHere).map((row) => ({ row, message: 'differs' }));
  }

  verifyMetadata(
    records: Parameters<VerifiedIndexes['verifyMetadata']>[0],
  ): { row: number; message: string }[] {
    const wrong = records.filter(({ row }) => this.wrongMetadata.includes(row));
    return wrong.map(({ row }) => ({ row, message: 'differs' }));
  }

  repairVectors(state: StoreState): number {
    this.remadeCount++;
    this.misplaced = [];
    this.wrongRows = [];
    this.strayRows = [];
    this.wrongMetadata = [];
    return state.recordCount;
  }
}

class Subject {
  readonly store: RecordStore;
  readonly indexes = new StubIndexes();
  nowMs = 0;

  constructor(path: string | null = null) {
    this.store = RecordStore.open({ ...DEFAULT_SETTINGS, path });
    onTestFinished(() => this.store.close());
  }

  write(call: (writer: RecordWriter) => void): void {
    const [outcome] = this.store.writeGroup([call]);
    if (!outcome!.ok) throw outcome!.error;
  }

  add(...records: TestRecord[]): void {
    this.write((writer) => writer.add(batchOf(...records)));
  }

  /** Adds `count` records `r1`, `r2`, …; row n is record `rn` of a new collection. */
  fill(count: number): void {
    this.add(
      ...Array.from({ length: count }, (_, i) => ({
        id: `r${i + 1}`,
        embedding: [i, 1, 2],
        document: `This is document number ${i + 1} of them all`,
        metadata: `{"n":${i}}`,
      })),
    );
  }

  absorbText(): void {
    while (absorbText(this.store, true));
  }

  sql(text: string): void {
    this.store.database.exec(text);
  }

  verify(between: () => void = () => {}): VerifyReport {
    return run(
      verify(
        () => this,
        () => ++this.nowMs,
      ),
      between,
    );
  }

  repair(): RepairReport {
    return run(
      repair(
        () => this,
        () => ++this.nowMs,
      ),
      () => {},
    );
  }
}

function run<T>(slices: Generator<void, T>, between: () => void): T {
  for (let count = 0; ; count++) {
    expect(count).toBeLessThan(10_000);
    const slice = slices.next();
    if (slice.done === true) return slice.value;
    between();
  }
}

const SOUND = { faultCount: 0, faults: [] };

describe('verify', () => {
  it('finds nothing in a sound collection, and has compared every record', () => {
    const subject = new Subject();
    subject.fill(500);
    subject.write((writer) => writer.delete([3, 64, 65, 128, 499]));
    subject.absorbText();
    subject.write((writer) => writer.update(batchOf({ id: 'r7', document: 'Another text' })));
    expect(subject.verify()).toEqual({ ...SOUND, recordCount: 495 });
    expect(subject.indexes.compared).toEqual([...subject.store.rows(495).rows]);
  });

  it('says of an empty collection that it has no records', () => {
    expect(new Subject().verify()).toEqual({ ...SOUND, recordCount: 0 });
  });

  it('names a record whose bytes were changed, and compares the others all the same', () => {
    const subject = new Subject();
    subject.fill(200);
    subject.sql(`UPDATE records SET document = 'forged' WHERE id = 'r70'`);
    // The index, which was loaded before, has a row more than there are records to believe.
    subject.indexes.strayRows = [70];
    const { recordCount, faultCount, faults } = subject.verify();
    expect([recordCount, faultCount]).toEqual([200, 1]);
    expect(faults).toEqual([
      { id: 'r70', part: 'record', message: expect.stringMatching(/checksum does not agree/) },
    ]);
    expect(subject.indexes.compared).toHaveLength(199);
  });

  it('names records that stand under a number which no record was given', () => {
    const subject = new Subject();
    subject.fill(10);
    subject.sql('UPDATE records SET row = -3 WHERE row = 3; UPDATE records SET row = 1e12 WHERE row = 5');
    const { faults } = subject.verify();
    expect(faults.map(({ id, part }) => [id, part])).toEqual([
      ['r3', 'record'],
      ['r5', 'record'],
    ]);
  });

  it('names the records whose embeddings were changed or are missing', () => {
    const subject = new Subject();
    subject.fill(70);
    subject.sql(`DELETE FROM vectors WHERE block = 1;
      UPDATE vectors SET data = CAST(substr(data, 1, length(data) - 1) || x'ff' AS BLOB) WHERE block = 0`);
    const { faultCount, faults } = subject.verify();
    expect(faultCount).toBe(33);
    expect(faults.map(({ id }) => id)).toEqual(Array.from({ length: 33 }, (_, i) => `r${32 + i}`));
    expect(faults[0]!.message).toMatch(/checksum of its embedding does not agree/);
    expect(faults[1]!.message).toMatch(/embedding is missing/);
  });

  it('shows the first hundred faults and counts them all', () => {
    const subject = new Subject();
    subject.fill(150);
    subject.sql('UPDATE records SET checksum = 0');
    const { faultCount, faults } = subject.verify();
    expect([faultCount, faults.length]).toEqual([150, 100]);
  });

  it('reports a damaged state, and a collection that is gone as such', () => {
    const subject = new Subject();
    subject.fill(1);
    subject.sql('UPDATE state SET record_count = 7');
    expect(subject.verify()).toMatchObject({ recordCount: 0, faultCount: 1, faults: [{ id: null }] });
    const deleted = new Subject();
    deleted.store.markDeleted();
    expect(() => deleted.verify()).toThrow(/deleted/);
  });

  it('raises no false alarm when records change between two slices', () => {
    const subject = new Subject();
    subject.fill(3000);
    subject.absorbText();
    let turn = 0;
    const { faultCount, recordCount } = subject.verify(() => {
      turn++;
      if (turn > 60) return;
      subject.write((writer) => writer.delete([turn * 3]));
      subject.write((writer) =>
        writer.upsert(batchOf({ id: `r${turn * 4}`, embedding: [9, 9, 9], document: 'now' })),
      );
      subject.add({ id: `new${turn}`, embedding: [1, 2, 3] });
      if (turn % 5 === 0) absorbText(subject.store, true);
    });
    expect(turn).toBeGreaterThan(3);
    expect(faultCount).toBe(0);
    // Records that were added afterwards are not waited for.
    expect(recordCount).toBeLessThanOrEqual(3000);
  });

  it('reports rows that the text index lacks, has too many of, or has other documents of', () => {
    const subject = new Subject();
    subject.fill(300);
    subject.add({ id: 'short', embedding: [0, 0, 0], document: 'ab' });
    subject.add({ id: 'odd', embedding: [0, 0, 0], document: '\0😀 x "quoted" 😀' });
    subject.absorbText();
    const index = TextIndex.open(subject.store.database)!;
    subject.store.write(() => {
      index.remove(5);
      index.put(200, 'This is quite another text');
      index.put(100_000, 'Nobody stored this');
    });
    const { faults } = subject.verify();
    expect(faults.map(({ id, part }) => [id, part])).toEqual([
      ['r5', 'text'],
      ['r200', 'text'],
    ]);
    subject.add({ id: 'mute', embedding: [0, 0, 0] });
    subject.absorbText();
    subject.store.write(() => index.put(303, 'A document that was never given'));
    const last = subject.verify().faults.at(-1);
    expect(last).toMatchObject({ id: 'mute', message: 'The text index holds a document of the record.' });
  });

  it('reports rows of the text index that are gone, but not those that it has yet to forget', () => {
    const subject = new Subject();
    subject.fill(10);
    subject.absorbText();
    subject.write((writer) => writer.delete([2, 3]));
    expect(subject.verify().faultCount).toBe(0);
    subject.absorbText();
    subject.store.write(() => TextIndex.open(subject.store.database)!.put(3, 'This was deleted'));
    expect(subject.verify().faults).toEqual([
      { id: null, part: 'text', message: expect.stringContaining('row 3, which is gone') },
    ]);
  });

  it('reports what the vector index and the columns hold wrongly', () => {
    const subject = new Subject();
    subject.fill(130);
    subject.write((writer) => writer.delete([77]));
    subject.indexes.misplaced = [4];
    subject.indexes.wrongRows = [10];
    subject.indexes.strayRows = [77];
    subject.indexes.wrongMetadata = [129];
    const { faults } = subject.verify();
    expect(faults.map(({ id, part }) => [id, part])).toEqual([
      ['r4', 'vectors'],
      ['r10', 'vectors'],
      [null, 'vectors'],
      ['r129', 'metadata'],
    ]);
  });

  it('reports indexes that cannot be loaded, unless a damaged record says why', () => {
    const subject = new Subject();
    subject.fill(3);
    subject.indexes.refusal = new DatabaseError('TESSERA_CORRUPT', 'cannot be loaded');
    expect(subject.verify().faults).toEqual([{ id: null, part: 'record', message: 'cannot be loaded' }]);
    subject.sql(`UPDATE records SET uri = 'forged' WHERE id = 'r2'`);
    expect(subject.verify().faults).toMatchObject([{ id: 'r2', part: 'record' }]);
  });

  it('lets a fault of ours pass', () => {
    const subject = new Subject();
    subject.fill(1);
    subject.indexes.misplacedRows = () => {
      throw new TypeError('a bug');
    };
    expect(() => subject.verify()).toThrow(TypeError);
  });
});

describe('repair', () => {
  it('does nothing to a sound collection', () => {
    const subject = new Subject();
    subject.fill(10);
    const report = subject.repair();
    expect(report).toEqual({ before: report.after, repairedCount: 0, after: { ...SOUND, recordCount: 10 } });
    expect(subject.indexes.remadeCount).toBe(0);
  });

  it('makes the indexes in memory anew where they differ', () => {
    const subject = new Subject();
    subject.fill(10);
    subject.indexes.wrongRows = [3];
    subject.indexes.wrongMetadata = [4];
    const { before, repairedCount, after } = subject.repair();
    expect([before.faultCount, repairedCount, after.faultCount]).toEqual([2, 10, 0]);
    expect(subject.indexes.remadeCount).toBe(1);
  });

  it('makes the text index anew where it differs', () => {
    const subject = new Subject();
    subject.fill(450);
    subject.absorbText();
    subject.store.write(() => TextIndex.open(subject.store.database)!.remove(5));
    const { before, repairedCount, after } = subject.repair();
    expect([before.faultCount, repairedCount, after.faultCount]).toEqual([1, 450, 0]);
    expect(subject.indexes.remadeCount).toBe(0);
    expect(TextIndex.open(subject.store.database)!.rowsContaining('number 5 of')).toEqual([5]);
  });

  it('makes the text index anew whose position is damaged', () => {
    const subject = new Subject();
    subject.fill(4);
    subject.absorbText();
    subject.store.write(() => TextIndex.open(subject.store.database)!.setPosition(1e6));
    const { before, after } = subject.repair();
    expect(before).toMatchObject({ faultCount: 1, faults: [{ id: null, part: 'text' }] });
    expect(after.faultCount).toBe(0);
  });

  it('makes the index of ids anew', () => {
    const path = join(temporaryDirectory(), 'collection');
    const subject = new Subject(path);
    subject.fill(30);
    subject.store.close();
    const bytes = readFileSync(path);
    // The id stands in the index and in the record, whose page comes later.
    bytes[bytes.indexOf('r17')] = 0x73;
    writeFileSync(path, bytes);
    const damaged = new Subject(path);
    const { before, repairedCount, after } = damaged.repair();
    const message = 'The index of ids finds no record under the id of row 17.';
    expect(before.faults).toContainEqual({ id: 'r17', part: 'record', message });
    expect([repairedCount, after.faultCount]).toEqual([30, 0]);
    expect(damaged.store.read(() => damaged.store.byId('r17'))).toMatchObject({ row: 17 });
  });

  it('makes the change sequence anew from the records that can be believed', () => {
    const subject = new Subject();
    subject.fill(30);
    subject.absorbText();
    subject.write((writer) => writer.delete([5]));
    subject.sql(`DELETE FROM changes WHERE row IN (7, 8);
      UPDATE changes SET row = 20 WHERE row = 9;
      UPDATE records SET sequence = 1 WHERE row = 8`);
    const { before, repairedCount, after } = subject.repair();
    expect(before.faults.map(({ id }) => id)).toEqual(['r7', 'r8', 'r9']);
    expect(before.faults[0]!.message).toBe('The change sequence does not name row 7 at 7.');
    expect([repairedCount, after.faults.map(({ id }) => id)]).toEqual([28, ['r8']]);
    expect(subject.store.changesSince(0)).toHaveLength(28);
    subject.absorbText();
    expect(TextIndex.open(subject.store.database)!.rowsContaining('number 5 of')).toEqual([]);
  });

  it('leaves records as they are, damaged ones as well', () => {
    const subject = new Subject();
    subject.fill(20);
    subject.sql(`UPDATE records SET uri = 'forged' WHERE id = 'r2'`);
    subject.indexes.wrongRows = [3];
    const all = (): unknown => subject.store.database.prepare('SELECT * FROM records').all();
    const stored = all();
    const { before, after } = subject.repair();
    expect([before.faultCount, after.faultCount]).toEqual([2, 1]);
    expect(after.faults).toMatchObject([{ id: 'r2', part: 'record' }]);
    expect(all()).toEqual(stored);
  });
});
