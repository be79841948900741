/**
 * The header of a collection's file, as SQLite has it (sqlite.org/fileformat.html, 1.3): whether it is as in
 * all files of ours, and making it so where it is damaged.
 *
 * Nearly all of it is the same in every file. The size of its pages is not, and is found by the second page:
 * since files can shrink, it is the first of SQLite's maps of pages (1.8 there), which begins with the tables
 * that every file of ours has.
 */
import { APPLICATION_ID, LARGE_PAGE_BYTES, PAGE_BYTES, PAGE_SIZES } from '../records/index.ts';

/** Where SQLite's files have the number of their pages, big-endian, and the size of one. */
const PAGE_COUNT_OFFSET = 28;
const PAGE_BYTES_OFFSET = 16;
const APPLICATION_ID_OFFSET = 68;
const SQLITE_MAGIC = [...new TextEncoder().encode('SQLite format 3\0')];
/** What every file of ours has in its header, by offset. */
const SAME: readonly (readonly [offset: number, bytes: readonly number[]])[] = [
  [0, SQLITE_MAGIC],
  // With a write-ahead log, for writing and reading; no reserved bytes; fixed fractions.
  [18, [2, 2, 0, 64, 32, 32]],
  // The newest format of the schema.
  [44, [0, 0, 0, 4]],
  // UTF-8.
  [56, [0, 0, 0, 1]],
];

/** How the map begins: pages that are roots of tables and have no parent, of which there are five at once. */
const MAP_START = [1, 2, 3, 4, 5].flatMap(() => [1, 0, 0, 0, 0]);

/** Bytes from the start of a file that tell all that there is to be told here. */
export const START_BYTES: number = LARGE_PAGE_BYTES + MAP_START.length;
/** Bytes of the header itself. */
export const HEADER_BYTES = 100;

/**
 * Whether a file that begins so has a header as such files have it. How many pages there are it need not
 * tell: where others read an earlier state, a log is folded into the file in part, with the header left out.
 */
export function isHeaderSound(start: Uint8Array): boolean {
  if (start.length < HEADER_BYTES || !SAME.every(([offset, bytes]) => isAt(start, offset, bytes)))
    return false;
  const told = viewOf(start).getUint16(PAGE_BYTES_OFFSET);
  return PAGE_SIZES.includes(told) && (foundPageBytes(start) ?? told) === told;
}

/**
 * Makes the header what it is in all files of ours, for a file of so many bytes, if this is one of them as
 * far as can be told.
 */
export function mendHeader(start: Uint8Array, byteCount: number): void {
  const view = viewOf(start);
  const isSqlite = isAt(start, 0, SQLITE_MAGIC);
  if (!isSqlite && view.getUint32(APPLICATION_ID_OFFSET) !== APPLICATION_ID) return;
  const told = view.getUint16(PAGE_BYTES_OFFSET);
  const pageBytes = foundPageBytes(start) ?? (PAGE_SIZES.includes(told) ? told : PAGE_BYTES);
  for (const [offset, bytes] of SAME) start.set(bytes, offset);
  view.setUint16(PAGE_BYTES_OFFSET, pageBytes);
  view.setUint32(PAGE_COUNT_OFFSET, Math.floor(byteCount / pageBytes));
}

/** How large the pages are by where the second one begins; `null` where that is damaged too. */
function foundPageBytes(start: Uint8Array): number | null {
  return PAGE_SIZES.find((size) => isAt(start, size, MAP_START)) ?? null;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function isAt(start: Uint8Array, offset: number, bytes: readonly number[]): boolean {
  return bytes.every((byte, i) => start[offset + i] === byte);
}
