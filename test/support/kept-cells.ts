/** What followers keep in a collection's file, for tests that damage it or take it away. */
import { join } from 'node:path';
import type { IndexTuning } from '../../src/query/index.ts';
import { openSqlDatabase, type SqlDatabase } from '../../src/sqlite/index.ts';

/** Tables of the vector index, and all tables of followers. */
export const CELL_TABLES = ['cells', 'cells_header'] as const;
const FOLLOWER_TABLES: readonly string[] = [...CELL_TABLES, 'text_index', 'followers'];

/** Small cells from the first few dozen rows on, so that few records make many splits and merges. */
export const SMALL_TUNING = {
  startCount: 40,
  sizeFactor: 0,
  sizeMin: 12,
  neighbourCount: 8,
  exactCountMax: 0,
};

/** Such cells in a collection, kept in its file after a few changes. */
export const SMALL_INDEX: IndexTuning = { cells: SMALL_TUNING, keeper: { lagMin: 8, lagShare: 0 } };

/** The file of a collection. */
export function collectionFile(path: string, collectionId: string): string {
  return join(path, 'collections', `${collectionId}.sqlite3`);
}

/** Runs `work` on a collection's file that no backend has open. */
export function withFile<T>(file: string, work: (database: SqlDatabase) => T): T {
  const database = openSqlDatabase({ path: file, readOnly: false, busyTimeoutMs: 1_000 });
  try {
    return work(database);
  } finally {
    database.close();
  }
}

/** Takes away all that followers keep in a file. */
export function dropFollowers(file: string): void {
  withFile(file, (database) => {
    for (const table of FOLLOWER_TABLES) database.exec(`DROP TABLE IF EXISTS ${table}`);
  });
}
