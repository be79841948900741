/**
 * Collections that are made of others: forks, with their lineage, and what is saved of damaged ones.
 *
 * A copy is noted in the catalogue among the files that have to go before its file is made, and the note is
 * struck in the transaction that makes it a collection: so whatever moment a process dies at, there is a
 * whole fork or none, and the next opening removes what was begun. The file is locked until then, by which
 * another process that opens the directory meanwhile tells a copy under way from a leftover.
 */
import type { CollectionInfo, CollectionScope } from '../api/index.ts';
import type { DatabaseError } from '../base/index.ts';
import { type RecordCopy, type Salvaged, salvage } from '../records/index.ts';
import type { Catalogue } from './catalogue.ts';
import type { OpenCollections } from './open-collections.ts';

/** Makes the file of a copy under an identifier, finished and still locked; `null` where it needs none. */
export type Filling = (id: string, source: CollectionInfo) => Generator<void, RecordCopy | null>;

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
    const copy = yield* fill(id, source);
    try {
      open.sync();
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
    if (!isTaken) catalogue.clearLeftovers((left) => left === id && open.destroyForGood(id));
  }
}

/** Copies a collection whole; one without records has no file to copy. */
export function fillFork(open: OpenCollections): Filling {
  return function* (id, info) {
    const source = open.openSource(info);
    if (source === null) return null;
    const onDamage = (damage: DatabaseError): never => {
      throw damage;
    };
    try {
      const fill = (copy: RecordCopy): Generator<void, unknown> => copy.fill(source, { after: 0, onDamage });
      return yield* filled(open.beginCopy(id, source.database), fill, open.isInMemory);
    } finally {
      open.closeSource(source);
    }
  };
}

/** Copies what can be read of a collection, and hands out what became of it. */
export function fillSalvage(open: OpenCollections, tell: (salvaged: Salvaged) => void): Filling {
  return function* (id, info) {
    const source = open.openDamaged(info, id);
    if (source === null) {
      tell({ savedCount: 0, lostCount: 0, losses: [] });
      return null;
    }
    try {
      const fill = function* (copy: RecordCopy): Generator<void, void> {
        tell(yield* salvage(source.database, copy, info.dimension));
      };
      return yield* filled(open.beginCopy(id, source.database), fill, open.isInMemory);
    } finally {
      source.close();
    }
  };
}

function* filled(
  copy: RecordCopy,
  fill: (copy: RecordCopy) => Generator<void, unknown>,
  isInMemory: boolean,
): Generator<void, RecordCopy> {
  let isFilled = false;
  try {
    const slices = fill(copy);
    // In memory there is one connection, whose transaction nobody may come into.
    if (isInMemory) for (const _ of slices);
    else yield* slices;
    isFilled = true;
    return copy;
  } finally {
    if (!isFilled) copy.close();
  }
}
