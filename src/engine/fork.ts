/**
 * Forks: a collection as of now, copied under another name, with its lineage.
 *
 * A copy is noted in the catalogue among the files that have to go before its file is made, and the note is
 * struck in the transaction that makes it a collection: so whatever moment a process dies at, there is a
 * whole fork or none, and the next opening removes what was begun. The file is locked until then, by which
 * another process that opens the directory meanwhile tells a copy under way from a leftover.
 */
import type { CollectionInfo, CollectionScope } from '../api/index.ts';
import type { RecordCopy, RecordStore } from '../records/index.ts';
import type { Catalogue } from './catalogue.ts';
import type { OpenCollections } from './open-collections.ts';

/** What fills a copy: yields between two slices, and ends the copy. */
export type Filling = (copy: RecordCopy, source: RecordStore) => Generator<void, unknown>;

/**
 * Makes a collection of what `fill` copies of another, and yields every millisecond or so; writes to the
 * source go on meanwhile.
 *
 * Errors: `TESSERA_COLLECTION_NOT_FOUND`, `TESSERA_ALREADY_EXISTS`, `TESSERA_BUSY`, those of `fill`; after
 * each of them there is nothing of the copy.
 */
export function* copyCollection(
  catalogue: Catalogue,
  open: OpenCollections,
  { scope, name }: { readonly scope: CollectionScope; readonly name: string },
  fill: Filling,
): Generator<void, CollectionInfo> {
  const source = catalogue.collection(scope);
  const id = catalogue.prepareCopy(source, name);
  let isTaken = false;
  try {
    const copy = yield* fillCopy(open, source, id, fill);
    try {
      const isThere = (): boolean => copy === null || open.hasFile(id);
      const info = catalogue.finishCopy({ id, name, sourceId: source.id }, scope, isThere);
      isTaken = true;
      if (copy !== null) open.adopt(info, copy);
      return info;
    } finally {
      if (!isTaken) copy?.close();
    }
  } finally {
    // Also where the caller gave up between two slices.
    if (!isTaken) catalogue.clearLeftovers((left) => left === id && open.destroy(id));
  }
}

/** The copy, still locked; `null` of a collection that has no file, because it has no records. */
function* fillCopy(
  open: OpenCollections,
  info: CollectionInfo,
  id: string,
  fill: Filling,
): Generator<void, RecordCopy | null> {
  const source = open.openSource(info);
  if (source === null) return null;
  try {
    const copy = open.beginCopy(id);
    let isFilled = false;
    try {
      yield* fill(copy, source);
      open.sync();
      isFilled = true;
      return copy;
    } finally {
      if (!isFilled) copy.close();
    }
  } finally {
    open.closeSource(source);
  }
}
