/**
 * Compares a page of records with the text index.
 *
 * The index keeps no text, so three trigrams of each document are looked up in it: one that forgot a document
 * or has an earlier one hardly has its first, its middle and its last. FTS5's own check is not made: it looks
 * at nothing but the index, and cannot be divided into slices (4 µs a document, all at once).
 */
import { DatabaseError } from '../base/index.ts';
import type { Examined, RecordStore, StoreState } from '../records/index.ts';
import { TextIndex } from '../text/index.ts';

/** Something that is wrong with a row of the text index. */
interface RowFault {
  readonly row: number;
  readonly message: string;
}

/**
 * Compares the text index with all records after a row and up to another. It stands for the records as of its
 * position: those that have changed since are looked at by whoever reads it, and not compared.
 *
 * Errors: `TESSERA_CORRUPT` for an index that cannot be read.
 */
export function verifyText(
  store: RecordStore,
  state: StoreState,
  { after, last }: { readonly after: number; readonly last: number },
  rows: readonly Examined[],
): RowFault[] {
  const index = TextIndex.open(store.database);
  if (index === null) return [];
  const position = index.position();
  if (position > state.sequence) {
    const message = `The text index of ${store.database.path} is damaged: it stands for changes that never were.`;
    throw new DatabaseError('TESSERA_CORRUPT', message, { details: { position, sequence: state.sequence } });
  }
  // Tombstones that it has not seen are gone: maintenance is about to make it anew.
  if (!index.hasSeenDeletions(state.purgedSequence)) return [];
  const indexed = new Set(index.rowsBetween(after, last));
  const faults: RowFault[] = [];
  for (const { row, record } of rows) {
    const isIndexed = indexed.delete(row);
    if (record === null || record.sequence > position) continue;
    const { document } = record;
    if (isIndexed !== (document !== null)) {
      faults.push({ row, message: `The text index holds ${isIndexed ? 'a' : 'no'} document of the record.` });
    } else if (document !== null && !trigramsOf(document).every((needle) => index.hasIn(row, needle))) {
      faults.push({ row, message: 'The text index holds another document than the record has.' });
    }
  }
  if (indexed.size === 0) return faults;
  for (const [, row] of store.changesSince(position)) indexed.delete(row);
  for (const row of indexed) faults.push({ row, message: `The text index holds row ${row}, which is gone.` });
  return faults;
}

/** The first, a middle and the last trigram of a document, as far as they can be looked up. */
function trigramsOf(document: string): string[] {
  const middle = Math.floor(document.length / 2);
  // Three code points take six units at most; half a surrogate pair at a cut makes a needle that is left out.
  const needles = [
    [...document.slice(0, 6)].slice(0, 3),
    [...document.slice(middle, middle + 6)].slice(0, 3),
    [...document.slice(-6)].slice(-3),
  ];
  return needles.map((points) => points.join('')).filter((needle) => TextIndex.canAnswer(needle));
}
