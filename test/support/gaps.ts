/** Looks into the gaps of pages, where SQLite leaves copies of rows that it has moved. */
import { readFileSync } from 'node:fs';
import { PAGE_BYTES } from '../../src/records/index.ts';
import { isLeafPage, readLeafPage } from '../../src/sqlite/index.ts';

/** How many pages of a collection's file, whose log is empty, have something in their gap. */
export function pagesWithRemnants(path: string): { records: number; vectors: number } {
  const bytes = readFileSync(path);
  const count = { records: 0, vectors: 0 };
  for (let at = 0; at < bytes.length; at += PAGE_BYTES) {
    const page = bytes.subarray(at, at + PAGE_BYTES);
    // The first one begins with the header of the file.
    if (at === 0 || !isLeafPage(page)) continue;
    const { rows, hasRemnants } = readLeafPage(page)!;
    const [row] = rows;
    if (!hasRemnants || row === undefined) continue;
    // By their columns: eight, or a key and a blob.
    if (row.types.length === 8) count.records++;
    if (row.types.length === 2 && row.types[1]! >= 12) count.vectors++;
  }
  return count;
}
