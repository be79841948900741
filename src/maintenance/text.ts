/** Brings a collection's text index up to its records, slice by slice. */
import type { RecordStore } from '../records/index.ts';
import { TextIndex } from '../text/index.ts';

/** Changes that one slice absorbs: about 5 ms of work, so that a query never waits long for the thread. */
const CHANGES_PER_SLICE = 200;

/**
 * Absorbs the next changes into the text index, in one transaction with the position they stand for; makes
 * the index when `isWanted` and there is none. Returns whether more is left to absorb.
 */
export function absorbText(store: RecordStore, isWanted: boolean): boolean {
  const { database } = store;
  if (!isWanted && TextIndex.open(database) === null) return false;
  return store.write((state) => {
    let index = TextIndex.open(database);
    if (index !== null && index.position() < state.purgedSequence) {
      // Tombstones that it has not seen are gone, so it cannot know what to drop.
      index.drop();
      index = null;
    }
    index ??= TextIndex.create(database);
    const changes = store.changesSince(index.position(), CHANGES_PER_SLICE);
    for (const [sequence, row] of changes) {
      const document = store.byRow(row)?.document ?? null;
      index.put(row, document);
      index.setPosition(sequence);
    }
    return changes.length === CHANGES_PER_SLICE;
  });
}
