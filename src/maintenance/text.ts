/** Brings a collection's text index up to its records, slice by slice. */
import type { TextStatistics } from '../api/index.ts';
import { DatabaseError } from '../base/index.ts';
import type { RecordStore, StoreState } from '../records/index.ts';
import { isSqlError } from '../sqlite/index.ts';
import { TextIndex } from '../text/index.ts';

/** Changes that one slice absorbs: about 5 ms of work, so that a query never waits long for the thread. */
const CHANGES_PER_SLICE = 200;

/**
 * Absorbs the next changes into the text index, as `absorbSlice`. A damaged index is dropped instead, so that
 * a query which misses it has it made anew; where it cannot even be dropped, queries read the documents.
 */
export function absorbText(store: RecordStore, isWanted: boolean): boolean {
  try {
    return absorbSlice(store, isWanted);
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
  try {
    store.write(() => TextIndex.open(store.database)?.drop());
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
  return false;
}

/** How far the text index has come. One that is damaged counts as none: nobody reads it. */
export function textStatistics(store: RecordStore, state: StoreState): TextStatistics {
  try {
    const position = TextIndex.open(store.database)?.position();
    if (position !== undefined) return { isBuilt: true, position, lag: state.sequence - position };
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
  return { isBuilt: false, position: 0, lag: 0 };
}

/**
 * One slice of removing trigrams of documents that are deleted. Returns whether more is left. A damaged index
 * is left to `absorbText`.
 */
export function eraseText(store: RecordStore): boolean {
  try {
    if (TextIndex.open(store.database)?.hasRemnants !== true) return false;
    return store.write(() => TextIndex.open(store.database)?.erase() ?? false);
  } catch (error) {
    if (!isDamage(error)) throw error;
    return false;
  }
}

/** FTS5 tells of some damage only at the commit, with codes that elsewhere mean a fault of ours. */
function isDamage(error: unknown): boolean {
  return error instanceof DatabaseError ? error.kind === 'corrupt' : isSqlError(error);
}

/**
 * Absorbs the next changes into the text index, in one transaction with the position they stand for; makes
 * the index when `isWanted` and there is none. Returns whether more is left to absorb.
 */
function absorbSlice(store: RecordStore, isWanted: boolean): boolean {
  const { database } = store;
  if (!isWanted && TextIndex.open(database) === null) return false;
  return store.write((state) => {
    let index = TextIndex.open(database);
    if (index !== null && !isWithin(index, state)) {
      // Tombstones that it has not seen are gone, so it cannot know what to drop; or its position is damaged.
      index.drop();
      index = null;
    }
    index ??= TextIndex.create(database, state.purgedSequence);
    const changes = store.changesSince(index.position(), CHANGES_PER_SLICE);
    for (const [sequence, row] of changes) {
      const document = store.byRow(row)?.document ?? null;
      index.put(row, document);
      index.setPosition(sequence);
    }
    return changes.length === CHANGES_PER_SLICE;
  });
}

function isWithin(index: TextIndex, { purgedSequence, sequence }: StoreState): boolean {
  return index.hasSeenDeletions(purgedSequence) && index.position() <= sequence;
}
