/**
 * Succession: a collection whose records were embedded anew takes the place of the one that they came from.
 *
 * The successor is filled from outside, since embeddings come from functions of the caller: it reads what
 * changed (`readChanges`), again and again, until nothing has. Then `succeed` gives it the name. In between
 * another write may come, from this process or another one, and nothing that was acknowledged may stay
 * behind. So the change of names happens under the write lock of the collection's file, and only where its
 * change sequence stands where the successor has followed to; and every write asks the catalogue again once
 * it holds that lock. A write is therefore either before the change, and seen by the comparison, or after it,
 * and refused.
 *
 * The names themselves change in one transaction of the catalogue: whatever moment a process dies at, the
 * name leads to the one or to the other (docs/adr/0018-embedding-anew.md).
 */
import type {
  ChangesRequest,
  CollectionInfo,
  CollectionScope,
  RecordChanges,
  SuccessionRequest,
} from '../api/index.ts';
import { DatabaseError } from '../base/index.ts';
import { PAGE_BYTES, type RecordStore } from '../records/index.ts';
import { type Catalogue, checkCurrent } from './catalogue.ts';
import type { OpenCollections } from './open-collections.ts';

/** What changed in a collection after a position; `null` stands for one that has no records yet. */
export function readChanges(store: RecordStore | null, request: ChangesRequest): RecordChanges {
  const { after } = request;
  if (store === null) {
    const columns = { ids: [], embeddings: null, documents: [], uris: [], metadatas: [] };
    return { columns, lastRow: null, sequence: 0, endRow: 0, recordCount: 0, hasDeletions: false };
  }
  return store.read((state) => {
    const records = store.changedRecords(request);
    return {
      columns: {
        ids: records.map(({ id }) => id),
        embeddings: null,
        documents: records.map(({ document }) => document),
        uris: records.map(({ uri }) => uri),
        metadatas: records.map(({ metadata }) => metadata),
      },
      lastRow: records.at(-1)?.row ?? null,
      sequence: state.sequence,
      endRow: state.nextRow - 1,
      recordCount: state.recordCount,
      hasDeletions: store.hasDeletions(after, state),
    };
  });
}

/**
 * Lets the successor take a collection's place; `null`, and nothing is changed, where the collection has
 * changed since the successor followed it.
 *
 * Errors: `TESSERA_SUPERSEDED`, `TESSERA_ALREADY_EXISTS` for the former's name,
 * `TESSERA_COLLECTION_NOT_FOUND`, `TESSERA_INVALID_ARGUMENT` for a successor that holds another number of
 * records.
 */
export function succeed(
  catalogue: Catalogue,
  open: OpenCollections,
  scope: CollectionScope,
  { successorId, sequence, formerName }: SuccessionRequest,
): CollectionInfo | null {
  const info = catalogue.collection(scope);
  checkCurrent(info);
  catalogue.checkFree(scope, formerName);
  const successor = open.find(catalogue.collection({ ...scope, collectionId: successorId }));
  const successorCount = successor?.store.read(({ recordCount }) => recordCount) ?? 0;
  // The catalogue waits for the disk, and a name must not lead to records that do not.
  successor?.store.sync();
  // The file of an empty collection is made for it: its lock is what holds off the first write.
  return open.make(info, PAGE_BYTES).store.write((state) => {
    if (state.sequence !== sequence) return null;
    if (state.recordCount !== successorCount) {
      throw new DatabaseError(
        'TESSERA_INVALID_ARGUMENT',
        `Expected a successor with the ${state.recordCount} records of ${info.name}, got one with ${successorCount}. ` +
          'Somebody else wrote to it: delete it and begin anew.',
        { details: { expected: state.recordCount, actual: successorCount } },
      );
    }
    return catalogue.succeed(scope, successorId, formerName);
  });
}
