/**
 * The places in the memory of a table of cells.
 *
 * The memory, in this order; `C` cells and `M` words of mask are what there is room for, and blocks are
 * moved up when either grows:
 *
 *   request 128 · sums 80 · out 48 · vector 4W · query 4W · table 4W · codes of the query 2W · factors of
 *   the rotation · mean 4W · best 4·K · candidates 8·N · sample 4W·S · list 4C · dots 4C · heap 8C + 16 ·
 *   facts 32C · codes of the centres C·W · centres 4C·W · mask 4M · blocks (see entries.ts)
 */
import type { Rotation } from './rotation.ts';

/** The largest k of a search in cells. */
export const CELL_K_MAX = 1024;
/** Candidates kept at most; when there are more, the worse half is dropped. */
export const CANDIDATES_MAX = 8192;
/** Rows that `sampleRow` can hold. */
export const SAMPLE_ROWS = 256;
/** Facts of a cell, drawn in kernel/assembly/cells.ts. */
export const FACT_BYTES = 32;

/** Where everything lies. */
export interface Layout {
  readonly cellCapacity: number;
  readonly maskCapacity: number;
  readonly at: Readonly<Record<Place, number>>;
}
const PLACES = [
  'request',
  'sums',
  'out',
  'vector',
  'query',
  'table',
  'queryCodes',
  'factors',
  'mean',
  'best',
  'candidates',
  'sample',
  'list',
  'dots',
  'heap',
  'facts',
  'codes',
  'centres',
  'mask',
  'blocks',
] as const;
/** A place in the memory. */
export type Place = (typeof PLACES)[number];

/** Where everything lies with room for so many cells and words of mask. */
export function layOut(rotation: Rotation, cellCapacity: number, maskCapacity: number): Layout {
  const { width } = rotation;
  const sizes: Readonly<Record<Place, number>> = {
    request: 128,
    sums: 80,
    out: 48,
    vector: 4 * width,
    query: 4 * width,
    table: 4 * width,
    queryCodes: 2 * width,
    factors: rotation.factors.byteLength,
    mean: 4 * width,
    best: 4 * CELL_K_MAX,
    candidates: 8 * CANDIDATES_MAX,
    sample: 4 * width * SAMPLE_ROWS,
    list: 4 * cellCapacity,
    dots: 4 * cellCapacity,
    heap: 8 * cellCapacity + 16,
    facts: FACT_BYTES * cellCapacity,
    codes: width * cellCapacity,
    centres: 4 * width * cellCapacity,
    mask: 4 * maskCapacity,
    blocks: 0,
  };
  const at = {} as Record<Place, number>;
  let next = 0;
  for (const place of PLACES) {
    at[place] = next;
    next += Math.ceil(sizes[place] / 16) * 16;
  }
  return { cellCapacity, maskCapacity, at };
}
