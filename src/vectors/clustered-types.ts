/** What a clustered index is made of, takes and gives. */
import type { Space } from '../api/index.ts';
import type { StoredCell } from './cell-codec.ts';
import type { CellSketch } from './cell-outline.ts';
import type { CellTuning } from './cell-upkeep.ts';
import type { NearestSlots, VectorSource } from './vector-rows.ts';

/** Constants that change how fast a search is and how its recall is reached, never what is reachable. */
export interface ClusteredTuning extends CellTuning {
  /** Up to this number of allowed rows their distances are computed exactly. */
  readonly exactCountMax: number;
}

/** Measured at 100,000 × 512 on real embeddings (docs/adr/0010). */
export const TUNING: ClusteredTuning = {
  startCount: 32_768,
  sizeFactor: 0.35,
  sizeMin: 64,
  neighbourCount: 24,
  exactCountMax: 1500,
};

/** How an index is made. */
export interface ClusteredIndexOptions {
  readonly space: Space;
  /** Components of every vector and query, at most `LIMITS.dimensionMax`. */
  readonly dimension: number;
  /** Numbers in [0, 1), seeded where a run is to be repeatable. */
  readonly random: () => number;
  /** Where vectors are read that are not in memory; without one, all are. */
  readonly source?: VectorSource | undefined;
  /** Whether so many bytes more may be taken; by default always. */
  readonly grant?: ((bytes: number) => boolean) | undefined;
  /** The recall that a search asks for when it does not say, by default 0.99. */
  readonly recall?: number | undefined;
}

/** The answer of a search: exact distances, ascending, equal ones by slot; and what the search took. */
export interface ClusteredNearest extends NearestSlots {
  /** Cells whose codes were looked at. */
  readonly cellsVisited: number;
  /** Rows ranked after the estimates: those of cells that remained, and all outside cells. */
  readonly candidateCount: number;
  /** Whether the answer is known to be that of exact search. */
  readonly isExact: boolean;
  /** Level of effort; `null` for exact search. */
  readonly effort: number | null;
}

/**
 * What all cells of an index share: the seed of the rotation, the rotated mean that rows are moved by, the
 * recalls that were last measured at each level of effort (`RecallMeter.recalls`), empty before the first
 * time, and how many of the rows of that time are still there at least.
 */
export interface CellsHeader {
  readonly rotationSeed: number;
  readonly mean: Float32Array;
  readonly recalls: Float64Array;
  readonly measuredRows: number;
}

/** Takes a cell that was kept, without its entries; what it is given is valid during the call. */
export type CentreTaker = (cell: CellSketch) => void;

/** Rows ascending, with the checksums of their vectors and the numbers of their cells; −1 for none. */
export interface RowsInCells {
  readonly rows: Float64Array;
  readonly checksums: Uint32Array;
  readonly cells: Int32Array;
}

/**
 * Reads a kept cell and gives it to `take`, `undefined` where it cannot be believed; it is valid during that
 * call.
 */
export type CellReader = (cell: number, take: (content: StoredCell | undefined) => void) => void;

/** The slots of rows; a number that no slot has where there is none, or its vector has another checksum. */
export type SlotsOf = (rows: Float64Array, checksums: Uint32Array) => Uint32Array;

/** The state of an index, for people and for tests. */
export interface ClusteredStatistics {
  readonly liveCount: number;
  readonly cellCount: number;
  /** Rows that no cell has yet. */
  readonly tailCount: number;
  /** Rows that stay outside cells, because float32 sums of their squares overflow or vanish. */
  readonly apartCount: number;
  /**
   * Recall of ten neighbours at `effort`, the lesser of that on sampled rows and on queries that were asked;
   * `undefined` before it was measured.
   */
  readonly measuredRecall: number | undefined;
  /** The level that the recall asks for; `undefined` where only exact search reaches it. */
  readonly effort: number | undefined;
  /** Rows looked up by their own embeddings, how many were not found, and how many were put right. */
  readonly probedCount: number;
  readonly missedCount: number;
  /** Vectors in memory. */
  readonly cachedCount: number;
  readonly bytes: number;
}
