/** Looks into the gaps of pages, where SQLite leaves copies of rows that it has moved. */
import { readFileSync } from 'node:fs';
import { isLeafPage, readLeafPage } from '../../src/sqlite/index.ts';

/** Where a file tells how large its pages are (sqlite.org/fileformat.html, 1.3). */
const PAGE_SIZE_PLACE = 16;

/** How many pages of a collection's file, whose log is empty, have something in their gap. */
export function pagesWithRemnants(path: string): { records: number; vectors: number } {
  const bytes = readFileSync(path);
  const pageBytes = bytes.readUInt16BE(PAGE_SIZE_PLACE);
  const count = { records: 0, vectors: 0 };
  for (let at = 0; at < bytes.length; at += pageBytes) {
    const page = bytes.subarray(at, at + pageBytes);
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
