/**
 * The single row of `state`: where a collection stands. Read at the start of every transaction, written at
 * its end.
 */
import { DatabaseError } from '../base/index.ts';
import { checksum } from '../io/index.ts';
import type { SqlDatabase } from '../sqlite/index.ts';

/** See the columns of `state` in format.ts. */
export interface StoreState {
  /** The latest position of the change sequence; 0 before the first change. */
  sequence: number;
  /** Number of the next record to be inserted; rows are never used twice. */
  nextRow: number;
  recordCount: number;
  tombstoneCount: number;
  /** Tombstones up to here are gone: a follower that stands below must start anew. */
  purgedSequence: number;
  /** `null` until the first embedding fixed it. */
  dimension: number | null;
  /**
   * Set, with the content dropped, by the process that deletes the collection, for the others that have it
   * open.
   */
  isDeleted: boolean;
}

const COLUMNS = [
  'sequence',
  'next_row',
  'record_count',
  'tombstone_count',
  'purged_sequence',
  'dimension',
  'is_deleted',
] as const;
const SELECT = `SELECT ${COLUMNS.join(', ')}, checksum FROM state`;
const REPLACE = `INSERT OR REPLACE INTO state (id, ${COLUMNS.join(', ')}, checksum) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)`;

type StateRow = [number, number, number, number, number, number | null, number];

/** Reads and verifies the state; a file without a row is an empty collection. Errors: `TESSERA_CORRUPT`. */
export function readState(database: SqlDatabase): StoreState {
  const columns = database.prepare(SELECT).get();
  if (columns === undefined) {
    return {
      sequence: 0,
      nextRow: 1,
      recordCount: 0,
      tombstoneCount: 0,
      purgedSequence: 0,
      dimension: null,
      isDeleted: false,
    };
  }
  const row = columns.slice(0, COLUMNS.length) as StateRow;
  if (checksum(row.join()) !== columns[COLUMNS.length]) {
    const message = `The state of ${database.path} is damaged: its checksum does not agree. Restore the collection from a copy.`;
    throw new DatabaseError('TESSERA_CORRUPT', message, { details: { path: database.path } });
  }
  const [sequence, nextRow, recordCount, tombstoneCount, purgedSequence, dimension, isDeleted] = row;
  return {
    sequence,
    nextRow,
    recordCount,
    tombstoneCount,
    purgedSequence,
    dimension,
    isDeleted: isDeleted !== 0,
  };
}

/** Writes the state with its checksum. */
export function writeState(database: SqlDatabase, state: StoreState): void {
  const row: StateRow = [
    state.sequence,
    state.nextRow,
    state.recordCount,
    state.tombstoneCount,
    state.purgedSequence,
    state.dimension,
    state.isDeleted ? 1 : 0,
  ];
  database.prepare(REPLACE).run(...row, checksum(row.join()));
}
