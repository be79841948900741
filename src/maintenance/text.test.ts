import { expect, it, onTestFinished } from 'vitest';
import { batchOf } from '../../test/support/batches.ts';
import { DEFAULT_SETTINGS } from '../api/index.ts';
import { RecordStore } from '../records/index.ts';
import { TextIndex } from '../text/index.ts';
import { absorbText } from './text.ts';

it('an index that is made after deletes were forgotten is brought up to the end, not begun over and over', () => {
  const store = RecordStore.open({ ...DEFAULT_SETTINGS, path: null });
  onTestFinished(() => store.close());
  const records = Array.from({ length: 3_000 }, (_, i) => ({
    id: `r${i}`,
    embedding: [i],
    document: `text number ${i} of all`,
  }));
  store.writeGroup([(writer) => writer.add(batchOf(...records))]);
  store.writeGroup([(writer) => writer.delete(Array.from({ length: 2_000 }, (_, i) => i + 1))]);
  expect(store.read(({ purgedSequence }) => purgedSequence)).toBeGreaterThan(3_000);
  let slices = 1;
  for (; absorbText(store, true); slices++) expect(slices).toBeLessThan(10);
  expect(slices).toBe(6);
  expect(TextIndex.open(store.database)!.rowsContaining('text number')).toHaveLength(1_000);
  // It has seen nothing of what is forgotten from now on.
  store.writeGroup([(writer) => writer.delete(Array.from({ length: 999 }, (_, i) => i + 2_001))]);
  store.writeGroup([(writer) => writer.delete([3_000])]);
  while (absorbText(store, true));
  expect(TextIndex.open(store.database)!.rowsContaining('text number')).toEqual([]);
});
