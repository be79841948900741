import { expect, test } from 'vitest';
import type { SqlDatabase } from '../sqlite/index.ts';
import { LogLength } from './log-length.ts';

/** A file of so many pages, and the lengths that were set. */
function fileOf(pageCount: number): { database: SqlDatabase; file: { pageCount: number }; set: string[] } {
  const file = { pageCount };
  const set: string[] = [];
  const database = { pragma: () => file.pageCount, exec: (sql: string) => set.push(sql) };
  return { database: database as unknown as SqlDatabase, file, set };
}

test.each([
  [100, 4_000, 1_000],
  [16_000, 4_000, 1_000],
  [32_000, 4_000, 2_000],
  [1_000_000, 4_000, 4_000],
  [1_000_000, 60, 60],
  [100, 60, 60],
])('a file of %i pages, with %i at most, may have a log of %i', (pageCount, pagesMax, expected) => {
  const { database, set } = fileOf(pageCount);
  const length = new LogLength(database, pagesMax);
  length.note(1);
  length.choose();
  expect(set).toEqual([`PRAGMA wal_autocheckpoint = ${expected}`]);
});

test('the file is looked at when the records have become a quarter more or fewer, and not at every write', () => {
  const { database, file, set } = fileOf(32_000);
  const length = new LogLength(database, 4_000);
  const after = (recordCount: number): number => {
    length.note(recordCount);
    length.choose();
    return set.length;
  };
  length.choose();
  expect(set).toEqual([]);
  expect([after(1_000), after(1_001), after(1_250), after(1_251)]).toEqual([1, 1, 1, 2]);
  file.pageCount = 48_000;
  expect([after(1_001), after(1_000)]).toEqual([2, 3]);
  expect(set.at(-1)).toBe('PRAGMA wal_autocheckpoint = 3000');
});
