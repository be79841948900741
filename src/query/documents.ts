/**
 * Which records' documents contain a text or match an expression.
 *
 * Documents that fit are looked through in memory. Where they do not, a substring that the text index can
 * answer is looked up there, as of the index's position, and the records that changed since are read;
 * everything else reads the documents from the file. A handful of candidates that other conditions left over
 * is read at once.
 */
import { Bitset, DatabaseError } from '../base/index.ts';
import type { RecordStore } from '../records/index.ts';
import { type DocumentOperator, documentMatcher, TextIndex } from '../text/index.ts';
import type { CollectionIndexes } from './indexes.ts';

/**
 * Candidates up to this count are read one by one from the file: 5 µs each, where loading all would take
 * longer.
 */
const DIRECT_COUNT_MAX = 200;

/** What is needed to look into documents, within one read transaction after `indexes.follow`. */
export interface DocumentContext {
  readonly store: RecordStore;
  readonly indexes: CollectionIndexes;
  /** Metadata keys that records of the collection have had. */
  readonly metadataKeys: readonly string[];
  /** Called when a text index would have served but there is none. */
  readonly onTextIndexMissed: () => void;
}

/**
 * The slots of `within` whose documents match; a record without a document matches only the negated
 * operators.
 */
export function documentSlots(
  context: DocumentContext,
  operator: DocumentOperator,
  text: string,
  within: Bitset,
): Bitset {
  const matches = documentMatcher(operator, text);
  const found = new Bitset();
  const visit = (slot: number, document: string | null): void => {
    if (matches(document)) found.add(slot);
  };
  const { store, indexes } = context;
  if (within.count() <= DIRECT_COUNT_MAX) {
    within.forEach((slot) => {
      visit(slot, store.liveRow(indexes.rowAt(slot)).document);
    });
    return found;
  }
  const documents = indexes.documents();
  if (documents !== null) {
    within.forEach((slot) => {
      visit(slot, documents[slot]!);
    });
    return found;
  }
  const isSubstring = operator === '$contains' || operator === '$not_contains';
  if (isSubstring && TextIndex.canAnswer(text)) {
    const containing = fromTextIndex(context, text);
    if (containing !== null) {
      return operator === '$contains' ? containing.and(within) : within.clone().andNot(containing);
    }
    context.onTextIndexMissed();
  }
  for (const record of store.scan()) {
    const slot = indexes.liveSlotOf(record.row);
    if (within.has(slot)) visit(slot, record.document);
  }
  return found;
}

/**
 * Slots whose documents contain the needle, by the index and the tail behind it; `null` when there is no
 * index that can be believed.
 */
function fromTextIndex({ store, indexes }: DocumentContext, needle: string): Bitset | null {
  const answer = askTextIndex(store, needle);
  // No index is ahead of the records, unless its position is damaged.
  if (answer === null || answer.position > indexes.position) return null;
  const found = new Bitset();
  for (const row of answer.rows) {
    const slot = indexes.slotOf(row);
    if (slot !== -1) found.add(slot);
  }
  for (const [, row] of store.changesSince(answer.position)) {
    const slot = indexes.slotOf(row);
    if (slot === -1) continue;
    if (store.byRow(row)?.document?.includes(needle) === true) found.add(slot);
    else found.delete(slot);
  }
  return found.and(indexes.live);
}

function askTextIndex(store: RecordStore, needle: string): { position: number; rows: number[] } | null {
  try {
    const index = TextIndex.open(store.database);
    return index && { position: index.position(), rows: index.rowsContaining(needle) };
  } catch (error) {
    if (error instanceof DatabaseError && error.code === 'TESSERA_CORRUPT') return null;
    throw error;
  }
}
