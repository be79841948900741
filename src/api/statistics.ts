/**
 * What a collection can say of itself: how far its indexes have come, how well they find, what they take.
 *
 * Plain data that crosses threads and the wire. Positions are those of the change sequence: each changed
 * record takes the next number.
 */

/** How far an index has come. */
export interface FollowerStatistics {
  /** The change up to which the index stands for the records. */
  readonly position: number;
  /** Changes that it has not followed yet; answers see them all the same. */
  readonly lag: number;
}

/** The vector index of a collection, as the thread that answered has it. */
export interface VectorStatistics extends FollowerStatistics {
  /** `'unloaded'` before the first query, `'exact'` while there are too few records for cells. */
  readonly kind: 'unloaded' | 'exact' | 'cells';
  readonly cellCount: number;
  /** Records that are in no cell yet and are therefore compared exactly by every query. */
  readonly waitingCount: number;
  /** Records that no cell can take, because the squares of their components overflow or vanish. */
  readonly apartCount: number;
  /** The change that the cells in the file stand for; 0 where the file has none. */
  readonly savedPosition: number;
  /** Share of the exact answer that queries of this collection ask for when they do not say. */
  readonly recall: number;
  /** Recall of ten neighbours measured at `effort`, on samples and queries; `null` before it was measured. */
  readonly measuredRecall: number | null;
  /** Level of effort that `recall` takes, from 0; `null` where only the exact search reaches it. */
  readonly effort: number | null;
  /** Rows that were looked up by their own embeddings in idle time, and how many of them were not found. */
  readonly probedCount: number;
  readonly missedCount: number;
  /** Rows that were put right after a probe or by `repair`. */
  readonly repairedCount: number;
  /** Bytes of memory held, and how many of the embeddings are among them. */
  readonly bytes: number;
  readonly cachedCount: number;
}

/** The text index of a collection. */
export interface TextStatistics extends FollowerStatistics {
  /** Whether there is one; a collection with little text needs none. */
  readonly isBuilt: boolean;
}

/** Memory of the thread that answered. */
export interface MemoryStatistics {
  /** Bytes that its indexes may take, and that they take. */
  readonly budget: number;
  readonly used: number;
}

/** What `collection.stats()` tells. */
export interface CollectionStatistics {
  readonly recordCount: number;
  /** The latest position of the change sequence. */
  readonly sequence: number;
  readonly dimension: number | null;
  /** Identifier of the collection that this one is a fork of, which may be gone by now; `null` for none. */
  readonly sourceId: string | null;
  /** Bytes of the collection's file; 0 where it has none. */
  readonly fileBytes: number;
  readonly vectors: VectorStatistics;
  readonly text: TextStatistics;
  readonly memory: MemoryStatistics;
}

/** Something that is not as it should be. */
export interface Fault {
  /** The id of the record concerned; `null` where it cannot be told. */
  readonly id: string | null;
  /** Where it was found. */
  readonly part: 'record' | 'vectors' | 'text' | 'metadata';
  readonly message: string;
}

/** What `verify` found. */
export interface VerifyReport {
  readonly recordCount: number;
  /** Faults in all; `faults` shows the first of them, at most 100. */
  readonly faultCount: number;
  readonly faults: readonly Fault[];
}

/** What `repair` did. */
export interface RepairReport {
  /** The faults that were found before. */
  readonly before: VerifyReport;
  /** Entries of indexes that were put right or made anew. */
  readonly repairedCount: number;
  /** What is left: damage in the records themselves, which no index can mend. */
  readonly after: VerifyReport;
}

/** A record that could not be saved. */
export interface Loss {
  /** Its number in the collection. */
  readonly row: number;
  /** `null` where it cannot be told. */
  readonly id: string | null;
  readonly message: string;
}

/** What `salvage` did. */
export interface SalvageReport {
  /** The collection that holds what was saved. */
  readonly collectionId: string;
  readonly name: string;
  readonly savedCount: number;
  /** Records that are lost, as far as can be told; more than are listed where the file says so. */
  readonly lostCount: number;
  /** The first 10,000 of them. */
  readonly losses: readonly Loss[];
}

/** Where the time of a query went, in milliseconds. */
export interface QueryTimings {
  /** Bringing the indexes up to the latest change, loading them included. */
  readonly followMs: number;
  readonly filterMs: number;
  readonly searchMs: number;
  /** Reading the records found. */
  readonly hydrateMs: number;
}

/** How one embedding of a query was answered. */
export interface QueryPlan {
  /**
   * `'empty'`: no record was allowed; `'exact'`: all allowed ones were compared; `'cells'`: those that the
   * cells chose, with those that wait for a cell.
   */
  readonly kind: 'empty' | 'exact' | 'cells';
  readonly recordCount: number;
  /** Records that ids and filters allow. */
  readonly allowedCount: number;
  /** Share of the exact answer that was asked for. */
  readonly recall: number;
  /** Level of effort; `null` where the search was exact. */
  readonly effort: number | null;
  readonly cellsVisited: number;
  /** Codes that were looked at, one-bit or eight-bit. */
  readonly estimatedCount: number;
  /** Records that were ranked after the estimates. */
  readonly candidateCount: number;
  /** Records whose exact distance was computed. */
  readonly rerankedCount: number;
  /** Embeddings that had to be read from the file. */
  readonly readCount: number;
  /** Of all embeddings that were answered in the same turn, together. */
  readonly timings: QueryTimings;
}
