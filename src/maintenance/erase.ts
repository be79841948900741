/**
 * Removes what followers keep in the file of records that are deleted, slice by slice.
 *
 * Records and embeddings are gone from the file with their deletion, for SQLite overwrites what it frees
 * (`secure_delete`), and copies of them with the next pass over the pages (remnants.ts). Trigrams of deleted
 * documents stay in the text index until it is merged, and the cells of a collection that lost all its
 * records still say where these were.
 */
import { DatabaseError } from '../base/index.ts';
import type { RecordStore } from '../records/index.ts';
import { CellStore } from '../vectors/index.ts';
import { eraseText } from './text.ts';

/** Does one slice; returns whether more is left. */
export function erase(store: RecordStore): boolean {
  if (eraseText(store)) return true;
  const isEmpty = store.read(({ recordCount }) => recordCount === 0);
  if (isEmpty) eraseCells(store);
  return false;
}

/** Cells that are damaged are nobody's any more: they are made anew when there is something to hold. */
function eraseCells(store: RecordStore): void {
  try {
    store.write(({ recordCount }) => {
      if (recordCount === 0) new CellStore(store.database).clear();
    });
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.code !== 'TESSERA_CORRUPT') throw error;
  }
}
