/** Gives the pages that deletes freed back to the file system, slice by slice. */
import type { RecordStore } from '../records/index.ts';

/** Free pages are kept up to this count (128 KB) or up to this share of the file, for the next writes. */
const FREE_PAGES_KEPT = 64;
const FREE_SHARE_KEPT = 0.1;

/** Pages that one slice gives back: 1 MB. */
const PAGES_PER_SLICE = 512;

/**
 * Shrinks the file by one slice where it holds more free pages than it should. Returns whether more is left.
 */
export function vacuum(store: RecordStore): boolean {
  const { database } = store;
  const free = Number(database.pragma('freelist_count'));
  const kept = Math.max(FREE_PAGES_KEPT, Number(database.pragma('page_count')) * FREE_SHARE_KEPT);
  if (free <= kept) return false;
  database.exec(`PRAGMA incremental_vacuum(${PAGES_PER_SLICE})`);
  return free - PAGES_PER_SLICE > kept;
}
