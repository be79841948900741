/**
 * A page of rows, taken apart: where each row lies, and what is left between them.
 *
 * Format: sqlite.org/fileformat2.html#b_tree_pages, a leaf of a table:
 *
 *   0 type (13)   1 first free block   3 rows   5 where rows begin   7 loose bytes   8 place of each row (2)
 *   … the gap … rows and free blocks, up to the end of the page
 *
 * Each row is the length of its payload, its key, and the payload: as much of it as fits by the rule in
 * section 1.6 of that document, and the number of the page with the rest. SQLite overwrites free blocks when
 * it is told to (`secure_delete`), but when it packs the rows of a page together, it leaves their former
 * places in the gap as they are.
 */

const LEAF_OF_TABLE = 13;
const HEADER_BYTES = 8;
/** Bytes of the place of a row, and of the number of a page. */
const PLACE_BYTES = 2;
const PAGE_NUMBER_BYTES = 4;
/** The serial types of a blob or a text are 12 or 13 and twice its length. */
const FIRST_BLOB_TYPE = 12;
/** Bytes of the serial types of numbers and `null`. */
const NUMBER_BYTES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0];

/**
 * First bytes of the gap of a page with one row that no row reaches: it may take up to 35 bytes less than the
 * page, whose header, with its own lengths, takes 11 at least.
 */
const UNREACHABLE_BYTES = 24;

/** One row of a page. */
export interface LeafRow {
  readonly key: number;
  /** Where it begins in the page, and how many bytes of the page it takes. */
  readonly place: number;
  readonly bytes: number;
  readonly payloadBytes: number;
  /** Serial types of its columns. */
  readonly types: readonly number[];
}

/** See the top of this file. */
export interface LeafPage {
  readonly pageBytes: number;
  /** In the order of their keys. */
  readonly rows: readonly LeafRow[];
  /** Where rows begin. */
  readonly contentStart: number;
  /** Bytes that hold no row: the gap, free blocks and loose bytes. */
  readonly freeBytes: number;
  /** Whether there are others than zeros in the gap, but for what `growth` cannot reach. */
  readonly hasRemnants: boolean;
}

/** Whether a page may be one that `readLeafPage` reads. */
export function isLeafPage(page: Uint8Array): boolean {
  return page[0] === LEAF_OF_TABLE;
}

/**
 * Takes a page apart; `null` where it is none of rows, or damaged: its rows, free blocks, loose bytes and gap
 * must be all of it, and none may lie over another.
 */
export function readLeafPage(page: Uint8Array): LeafPage | null {
  if (!isLeafPage(page)) return null;
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const count = view.getUint16(3);
  const gapStart = HEADER_BYTES + PLACE_BYTES * count;
  const contentStart = view.getUint16(5) || 65_536;
  if (gapStart > contentStart || contentStart > page.length) return null;
  const rows: LeafRow[] = [];
  for (let i = 0; i < count; i++) {
    const row = readRow(page, view.getUint16(HEADER_BYTES + PLACE_BYTES * i));
    if (row === null) return null;
    rows.push(row);
  }
  const free = freeBlocks(view);
  if (free === null) return null;
  const parts = [...rows, ...free].sort((a, b) => a.place - b.place);
  let end = contentStart;
  let looseBytes = view.getUint8(7);
  for (const { place, bytes } of parts) {
    if (place < end) return null;
    looseBytes -= place - end;
    end = place + bytes;
  }
  if (end > page.length || looseBytes !== page.length - end) return null;
  const freeBytes = page.length - gapStart - rows.reduce((sum, { bytes }) => sum + bytes, 0);
  const reachable = gapStart + (count === 1 ? UNREACHABLE_BYTES : 0);
  const hasRemnants = page.subarray(reachable, contentStart).some((byte) => byte !== 0);
  return { pageBytes: page.length, rows, contentStart, freeBytes, hasRemnants };
}

/** Free blocks, each of which begins with the place of the next and its own length; `null` where damaged. */
function freeBlocks(view: DataView): { place: number; bytes: number }[] | null {
  const blocks: { place: number; bytes: number }[] = [];
  let last = 0;
  for (let place = view.getUint16(1); place !== 0; place = view.getUint16(place)) {
    if (place <= last || place + 4 > view.byteLength) return null;
    blocks.push({ place, bytes: view.getUint16(place + 2) });
    last = place;
  }
  return blocks;
}

/** Bytes of a page that a row takes with a payload of so many. */
export function rowBytes(key: number, payloadBytes: number, pageBytes: number): number {
  const lengths = varintBytes(payloadBytes) + varintBytes(key);
  const max = wholePayloadMax(pageBytes);
  if (payloadBytes <= max) return Math.max(PAGE_NUMBER_BYTES, lengths + payloadBytes);
  const min = Math.floor(((pageBytes - 12) * 32) / 255) - 23;
  const local = min + ((payloadBytes - min) % (pageBytes - PAGE_NUMBER_BYTES));
  return lengths + (local <= max ? local : min) + PAGE_NUMBER_BYTES;
}

/** Whether a row is on its page as a whole, with nothing of it on others. */
export function isWhole({ payloadBytes }: LeafRow, { pageBytes }: LeafPage): boolean {
  return payloadBytes <= wholePayloadMax(pageBytes);
}

/**
 * How long a blob in a column of a row must be for SQLite to write over the gap of its page. Columns count
 * from 0.
 *
 * The row then takes all that is free in the page and its own place, but for a byte or two where there is no
 * such length. No free block has room for it. Nor has the gap, so that SQLite packs the rows together and
 * clears what is between them and the gap before; or it has, because the row was where rows begin, and then
 * the row covers it.
 */
export function growth(page: LeafPage, row: LeafRow, column: number): number {
  const room = row.bytes + page.freeBytes;
  const least = contentBytes(row.types[column]!);
  let best = { blobBytes: least, taken: 0 };
  for (let blobBytes = least; blobBytes < least + 2 * page.pageBytes && best.taken < room; blobBytes++) {
    const taken = rowBytes(row.key, payloadWithBlob(row, column, blobBytes), page.pageBytes);
    if (taken <= room && taken > best.taken) best = { blobBytes, taken };
  }
  return best.blobBytes;
}

/** The longest payload that is on one page (section 1.6). */
function wholePayloadMax(pageBytes: number): number {
  return pageBytes - 35;
}

/** Payload of a row once one of its columns is a blob of so many bytes. */
export function payloadWithBlob(row: LeafRow, column: number, blobBytes: number): number {
  const former = row.types[column]!;
  const type = FIRST_BLOB_TYPE + 2 * blobBytes;
  return row.payloadBytes - contentBytes(former) + blobBytes - varintBytes(former) + varintBytes(type);
}

/** Bytes of the content of a column of a serial type. */
export function contentBytes(type: number): number {
  return type < FIRST_BLOB_TYPE ? (NUMBER_BYTES[type] ?? 0) : Math.floor((type - FIRST_BLOB_TYPE) / 2);
}

function readRow(page: Uint8Array, place: number): LeafRow | null {
  const payload = readVarint(page, place);
  const key = readVarint(page, place + payload.bytes);
  const start = place + payload.bytes + key.bytes;
  const header = readVarint(page, start);
  const end = start + header.value;
  if (end > page.length || header.value > payload.value) return null;
  const types: number[] = [];
  for (let at = start + header.bytes; at < end; ) {
    const { value, bytes } = readVarint(page, at);
    types.push(value);
    at += bytes;
  }
  const bytes = rowBytes(key.value, payload.value, page.length);
  if (place + bytes > page.length) return null;
  return { key: key.value, place, bytes, payloadBytes: payload.value, types };
}

/** A number of 7 bits a byte, the highest first; all keys here are below 2^53. Zeros beyond the page. */
function readVarint(page: Uint8Array, at: number): { value: number; bytes: number } {
  let value = 0;
  for (let bytes = 1; bytes <= 8; bytes++) {
    const byte = page[at + bytes - 1] ?? 0;
    value = value * 128 + (byte & 127);
    if (byte < 128) return { value, bytes };
  }
  return { value: value * 256 + (page[at + 8] ?? 0), bytes: 9 };
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128 && bytes < 9; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}
