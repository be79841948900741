/**
 * What the kernels over cells are told, in one place of the memory, so that a call needs one argument. All
 * fields are u32 or f32. The owner writes those about places when they change, and the rest for each call.
 *
 * Facts of a cell (32 bytes): scale of its centre's code, squared norm of its centre, what is added to the
 * product of query and centre to score it, root of the mean squared residual of its entries (f32); first
 * block, number of entries, place of the list of those that the mask allows or 0 where there are none,
 * whether a search came to the cell before its entries were read (u32). A cell with entries and without a
 * first block is one whose entries were not read.
 *
 * A list of allowed entries (u32): number of blocks that have any, number of entries; for each of the blocks
 * its number, and a bit for each of its 32 entries.
 *
 * A block of centres is drawn in centres.ts, one of entries in entries.ts.
 */

/** Numbers: cells, floats of a vector (a multiple of 32), bytes from one block of entries to the next. */
export const CELL_COUNT: usize = 0;
export const WIDTH: usize = 4;
export const BLOCK_BYTES: usize = 8;
/** Places of the cells: facts, i8 codes of the centres, blocks of centres, blocks of entries. */
export const FACTS: usize = 12;
export const CODES: usize = 16;
export const CENTRES: usize = 20;
export const BLOCKS: usize = 24;
/**
 * Scratch: i16 × width, u8 × 4·width, f32 × cells, u32 × cells, i32 × cells, 8 bytes × (cells + 1), 128
 * bytes.
 */
export const QUERY_CODES: usize = 28;
export const TABLE: usize = 32;
export const HOPES: usize = 36;
export const LIST: usize = 40;
export const DOTS: usize = 44;
export const HEAP: usize = 48;
export const SUMS: usize = 52;
/**
 * Scratch: f32 × k, at least 32; and `CAPACITY` pairs (f32 the best score the entry could have, u32 slot).
 */
export const BEST: usize = 56;
export const CANDIDATES: usize = 60;
export const CAPACITY: usize = 64;
/** The largest entry of the table and the largest code of a query, as f32. */
export const TABLE_LEVELS: usize = 68;
export const QUERY_LEVELS: usize = 72;
/** What ‖centre‖·‖query‖ is multiplied by to bound the error of the estimate of their product (f32). */
export const CENTRE_DOUBT: usize = 76;
/** Of a search: mask or 0, k (u32); slack, doubt (f32). */
export const MASK: usize = 80;
export const K: usize = 84;
export const SLACK: usize = 88;
export const DOUBT: usize = 92;
/** Written by `prepare` (f32): scale of the query's codes, its squared norm, step and offset of its table. */
export const QUERY_SCALE: usize = 96;
export const QUERY_SQUARED: usize = 100;
export const STEP: usize = 104;
export const OFFSET: usize = 108;
/** Written by a search. */
export const VISITED: usize = 112;
export const SCANNED: usize = 116;
export const CANDIDATE_COUNT: usize = 120;
/**
 * Of a search with a mask (f32): mean squared residual of all entries, and how far towards the query, as a
 * share of the residual, an entry is expected to lie at most; 0 where scores are no distances.
 */
export const SPREAD: usize = 124;
export const REACH: usize = 128;
/** Of a search with a mask (u32): whether the facts say where the lists of the cells are. */
export const HAS_LISTS: usize = 132;
/** Written by a search (u32): cells that it came to before their entries were read. */
export const UNREAD: usize = 136;
