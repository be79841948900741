/** Looks into the gaps of pages, where SQLite leaves copies of rows that it has moved. */
import { readFileSync } from 'node:fs';
import { PAGE_BYTES } from '../../src/records/index.ts';
import { readLeafPage } from '../../src/sqlite/index.ts';

/** How many pages of a collection's file, whose log is empty, have something in their gap. */
export function pagesWithRemnants(path: string): { records: number; vectors: number } {
  const bytes = readFileSync(path);
  const count = { records: 0, vectors: 0 };
  for (let at = 0; at < bytes.length; at += PAGE_BYTES) {
    const page = readLeafPage(bytes.subarray(at, at + PAGE_BYTES));
    const [row] = page?.rows ?? [];
    if (!page?.hasRemnants || row === undefined) continue;
    // By their columns: eight, or a key and a blob.
    if (row.types.length === 8) count.records++;
    if (row.types.length === 2 && row.types[1]! >= 12) count.vectors++;
  }
  return count;
}
