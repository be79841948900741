/**
 * The places in the memory of a table of cells.
 *
 * First what is of one size for ever, in this order: request 144 · sums 192 · out 64 · origin 4W · query 4W ·
 * table 4W · codes of the query 2W · factors of the rotation · mean 4W · sum 4W · left 4W · right 4W ·
 * direction 4W · best 4K · candidates 8N · scales 4S · squares 4S · nearest 4S · rows 4W·S. Then blocks of
 * entries (drawn in kernel/assembly/entries.ts), of which some that follow one another may serve as one
 * region for what grows: that of the cells, the mask of a search, and the lists of what it allows. One that
 * has become too small gives way to new blocks, and its own are free for entries; so growing moves no entry.
 *
 * The region for `C` cells, a multiple of 32: list 4C · dots 4C · hopes 4C · heap 8C + 16 · facts 32C ·
 * blocks of centres (4W + 512)·C/32 · codes of the centres C·W · centres 4C·W.
 */
import type { Rotation } from './rotation.ts';

/** The largest k of a search in cells. */
export const CELL_K_MAX = 1024;
/** Candidates kept at most; when there are more, the worse half is dropped. */
export const CANDIDATES_MAX = 8192;
/** Entries, or centres, of a block. */
export const ENTRIES = 32;
/** Facts of a cell, drawn in kernel/assembly/request.ts. */
export const FACT_BYTES = 32;

/** Rows that are worked on together: many, but no more than two megabytes. */
const ROWS_MAX = 256;
const ROWS_MIN = 32;
const ROWS_BYTES = 2 ** 21;

/** The fields of a request by their place in words, drawn in kernel/assembly/request.ts. */
export const FIELD = {
  cellCount: 0,
  width: 1,
  blockBytes: 2,
  facts: 3,
  codes: 4,
  centres: 5,
  blocks: 6,
  queryCodes: 7,
  table: 8,
  hopes: 9,
  list: 10,
  dots: 11,
  heap: 12,
  sums: 13,
  best: 14,
  candidates: 15,
  capacity: 16,
  tableLevels: 17,
  queryLevels: 18,
  centreDoubt: 19,
  mask: 20,
  k: 21,
  slack: 22,
  doubt: 23,
  visited: 28,
  scanned: 29,
  candidateCount: 30,
  spread: 31,
  reach: 32,
  hasLists: 33,
  unread: 34,
} as const;

/** Where what is of one size lies; `blocks` is its end. */
export type FixedPlace =
  | 'request'
  | 'sums'
  | 'out'
  | 'origin'
  | 'query'
  | 'table'
  | 'queryCodes'
  | 'factors'
  | 'mean'
  | 'sum'
  | 'left'
  | 'right'
  | 'direction'
  | 'best'
  | 'candidates'
  | 'scales'
  | 'squares'
  | 'nearest'
  | 'rows'
  | 'blocks';

/** Where what there is for each cell lies in its region; `end` is the size of the region. */
export type CellPlace =
  | 'list'
  | 'dots'
  | 'hopes'
  | 'heap'
  | 'facts'
  | 'centreBlocks'
  | 'codes'
  | 'centres'
  | 'end';

/** How many rows are worked on together. */
export function rowsFor(width: number): number {
  return Math.min(ROWS_MAX, Math.max(ROWS_MIN, Math.floor(ROWS_BYTES / (4 * width))));
}

/** Bytes of a block of entries. */
export function blockBytesFor(width: number): number {
  return 4 * width + 12 * ENTRIES + 16;
}

/** Bytes of a block of centres. */
export function centreBlockBytesFor(width: number): number {
  return 4 * width + 16 * ENTRIES;
}

/** Places from the start of the memory. */
export function layOutFixed(rotation: Rotation): Readonly<Record<FixedPlace, number>> {
  const { width } = rotation;
  const rows = rowsFor(width);
  return place({
    request: 144,
    sums: 192,
    out: 64,
    origin: 4 * width,
    query: 4 * width,
    table: 4 * width,
    queryCodes: 2 * width,
    factors: rotation.factors.byteLength,
    mean: 4 * width,
    sum: 4 * width,
    left: 4 * width,
    right: 4 * width,
    direction: 4 * width,
    best: 4 * CELL_K_MAX,
    candidates: 8 * CANDIDATES_MAX,
    scales: 4 * rows,
    squares: 4 * rows,
    nearest: 4 * rows,
    rows: 4 * width * rows,
    blocks: 0,
  });
}

/** Places from the start of the region of `capacity` cells. */
export function layOutCells(width: number, capacity: number): Readonly<Record<CellPlace, number>> {
  return place({
    list: 4 * capacity,
    dots: 4 * capacity,
    hopes: 4 * capacity,
    heap: 8 * capacity + 16,
    facts: FACT_BYTES * capacity,
    centreBlocks: (centreBlockBytesFor(width) * capacity) / ENTRIES,
    codes: width * capacity,
    centres: 4 * width * capacity,
    end: 0,
  });
}

/** One after the other, each at a multiple of 16. */
function place<Name extends string>(sizes: Readonly<Record<Name, number>>): Record<Name, number> {
  const at = {} as Record<Name, number>;
  let next = 0;
  for (const name of Object.keys(sizes) as Name[]) {
    at[name] = next;
    next += Math.ceil(sizes[name] / 16) * 16;
  }
  return at;
}
