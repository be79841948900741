/**
 * Collections whose files are open, bounded: the least recently used is closed first.
 *
 * Opening the directory opens none. A collection in memory has nowhere to go and stays open until it is
 * deleted.
 */

import type { CollectionInfo } from '../api/index.ts';
import { DatabaseError, LruMap } from '../base/index.ts';
import { CollectionIndexes } from '../query/index.ts';
import { deletedMeanwhile, fileMissing, RecordCopy, RecordStore } from '../records/index.ts';
import { openSqlDatabase, type SqlDatabase } from '../sqlite/index.ts';
import type { Components } from './components.ts';
import type { Directory } from './directory.ts';
import type { EngineSettings } from './settings.ts';

/** One open collection: its records, its indexes, and what maintenance it waits for. */
export interface OpenCollection {
  readonly id: string;
  readonly store: RecordStore;
  readonly indexes: CollectionIndexes;
  /** Which file is open, should another one take its name; `null` in memory. */
  readonly fileIdentity: string | null;
  /** A query would have used a text index and found none. */
  isTextIndexWanted: boolean;
  /** The file has changed since its followers were last brought up and its free pages looked at. */
  isFileUntidy: boolean;
  /** Records have changed since the indexes in memory were last maintained. */
  isIndexUntidy: boolean;
}

/** Share of the memory for indexes that embeddings may take which can be read again. */
const CACHE_SHARE = 1 / 2;

/** See the top of this file. */
export class OpenCollections {
  readonly #directory: Directory;
  readonly #settings: EngineSettings;
  readonly #components: Components;
  readonly #isKnown: (id: string) => boolean;
  readonly #open: LruMap<string, OpenCollection>;

  /** `isKnown` says whether the catalogue still has a collection. */
  constructor(
    directory: Directory,
    settings: EngineSettings,
    isKnown: (id: string) => boolean,
    components: Components,
  ) {
    this.#directory = directory;
    this.#settings = settings;
    this.#components = components;
    this.#isKnown = isKnown;
    const countMax = settings.path === null ? Number.POSITIVE_INFINITY : settings.openCollectionsMax;
    this.#open = new LruMap(countMax, (collection) => collection.store.close());
  }

  /**
   * The collection, opened where it has a file; `null` for an empty one, which has none.
   *
   * Errors: `TESSERA_COLLECTION_NOT_FOUND` when another process deleted it meanwhile, `TESSERA_CORRUPT`
   * where the file is missing or empty though records were written to it, and those of opening.
   */
  find(info: CollectionInfo): OpenCollection | null {
    const open = this.#open.get(info.id);
    if (open !== undefined) {
      const isInPlace = open.fileIdentity === this.#directory.collectionIdentity(info.id);
      if (isInPlace && open.store.isCurrent) return open;
      // What is written to a file that was removed, or moved away, would be lost with it.
      this.#open.take(info.id);
      open.store.close();
    }
    if (!this.#directory.hasCollectionFile(info.id)) return this.#withoutFile(info);
    try {
      return this.#openFile(info);
    } catch (error) {
      // Who only reads may find a file that is not made yet: its collection has no records.
      if (error instanceof DatabaseError && error.details['version'] === 0) return null;
      throw error;
    }
  }

  /** The collection, with its file made where it has none, with pages of a size. Errors: as `find`. */
  make(info: CollectionInfo, pageBytes: number): OpenCollection {
    return this.find(info) ?? this.#openFile(info, pageBytes);
  }

  /** An empty collection has no file. The catalogue knows the dimension of one that has had records. */
  #withoutFile({ id, dimension }: CollectionInfo): null {
    if (this.#settings.path === null || dimension === null) return null;
    throw this.#isKnown(id) ? fileMissing(id) : deletedMeanwhile({ collectionId: id });
  }

  /** The collection if it is open, without opening it or making it recently used. */
  peek(id: string): OpenCollection | undefined {
    return this.#open.peek(id);
  }

  /**
   * Closes and forgets a collection, marks its file for other processes that have it open, and removes it.
   * Returns whether the file is gone, which a power cut may undo until `sync`.
   */
  destroy(id: string): boolean {
    try {
      this.#markDeleted(id);
    } catch (error) {
      // A damaged or busy file cannot be marked, but has to go all the same. Whoever has it open asks the
      // catalogue before and after a write, and learns of the deletion there.
      if (!(error instanceof DatabaseError)) throw error;
    }
    try {
      this.#directory.removeCollectionFile(id);
      return true;
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      return false;
    }
  }

  /** The same for good. Errors: those of `Files`, where the file is gone and may come back. */
  destroyForGood(id: string): boolean {
    const isGone = this.destroy(id);
    if (isGone) this.sync();
    return isGone;
  }

  /**
   * The same for a leftover: the file of a copy that somebody is still making stays. Returns whether the
   * file is gone.
   */
  clear(id: string): boolean {
    return !this.#isBeingMade(id) && this.destroyForGood(id);
  }

  /**
   * A connection of its own to a collection's file; the open store itself for one in memory; `null` for an
   * empty one. Errors: as `find`.
   */
  openSource(info: CollectionInfo): RecordStore | null {
    const { id } = info;
    const path = this.#directory.collectionPath(id);
    if (path === null) return this.#open.peek(id)?.store ?? null;
    if (!this.#directory.hasCollectionFile(id)) return this.#withoutFile(info);
    const isFilled = info.dimension !== null;
    return RecordStore.open({ ...this.#settings, readOnly: true, path, collectionId: id, isFilled });
  }

  /**
   * A connection to the file of a collection that may be damaged; `null` for an empty one. A file that was
   * cut short or whose header is damaged, which SQLite refuses, is read from a copy that lies beside the file
   * of `copyId` until it is closed. Errors: `TESSERA_CORRUPT` where nothing can be read.
   */
  openDamaged(
    info: CollectionInfo,
    copyId: string,
  ): { readonly database: SqlDatabase; close(): void } | null {
    const path = this.#directory.collectionPath(info.id);
    if (path === null) {
      const store = this.#open.peek(info.id)?.store;
      return store === undefined ? null : { database: store.database, close: () => {} };
    }
    if (!this.#directory.hasCollectionFile(info.id)) return this.#withoutFile(info);
    const inPlace = this.#directory.hasSoundHeader(info.id) ? this.#openUnlessDamaged(path) : null;
    if (inPlace !== null && this.#reachesEnd(info.id, inPlace)) {
      return { database: inPlace, close: () => inPlace.close() };
    }
    this.#open.take(info.id)?.store.close();
    let database: SqlDatabase;
    try {
      database = this.#openRaw(this.#directory.copyDamaged(info.id, copyId));
    } finally {
      inPlace?.close();
    }
    const close = (): void => {
      database.close();
      this.#directory.removeDamaged(copyId);
    };
    return { database, close };
  }

  #openUnlessDamaged(path: string): SqlDatabase | null {
    try {
      return this.#openRaw(path);
    } catch (error) {
      if (!(error instanceof DatabaseError) || error.kind !== 'corrupt') throw error;
      return null;
    }
  }

  /**
   * Whether SQLite knows of as many pages as the file has; it reads none beyond. The header need not tell,
   * since while a log waits it is the log that does. If not, `database` is left with a view of the file as it
   * is: for as long, others neither begin the log anew that the file needs, nor fold a new one into it.
   */
  #reachesEnd(id: string, database: SqlDatabase): boolean {
    try {
      // First, for the file may grow.
      const byteCount = this.#directory.collectionBytes(id);
      database.exec('BEGIN');
      const [count, size] = [database.pragma('page_count'), database.pragma('page_size')].map(Number);
      if (count! * size! < byteCount) return false;
      database.exec('ROLLBACK');
      return true;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Opens a file for what can be read of it. */
  #openRaw(path: string): SqlDatabase {
    const { busyTimeoutMs } = this.#settings;
    const database = openSqlDatabase({ path, readOnly: true, busyTimeoutMs });
    try {
      database.pragma('user_version');
      return database;
    } catch (cause) {
      database.close();
      if (!(cause instanceof DatabaseError) || cause.code !== 'TESSERA_NOT_A_DATABASE') throw cause;
      const message = `Nothing can be read of ${path}: it is no file of a collection any more. Restore it from a copy.`;
      throw new DatabaseError('TESSERA_CORRUPT', message, { cause, details: { path } });
    }
  }

  /** Whether the collections are in memory alone. */
  get isInMemory(): boolean {
    return this.#settings.path === null;
  }

  /** Closes what `openSource` has given. */
  closeSource(store: RecordStore): void {
    if (this.#settings.path !== null) store.close();
  }

  /** Begins the file of a copy of `source`. */
  beginCopy(id: string, source: SqlDatabase): RecordCopy {
    return RecordCopy.create(this.#directory.collectionPath(id), id, source);
  }

  /** Makes sure that the names of new files survive a power cut, and those of removed ones do not. */
  sync(): void {
    this.#directory.syncCollections();
  }

  /** Whether a copy is still there. */
  hasFile(id: string): boolean {
    return this.#settings.path === null || this.#directory.hasCollectionFile(id);
  }

  /** Takes in a copy: keeps it open where it is in memory, and gives its lock back where it is a file. */
  adopt(info: CollectionInfo, copy: RecordCopy): void {
    if (this.#settings.path === null) this.#keep(info, RecordStore.ofCopy(copy));
    else copy.close();
  }

  /** Bytes that the indexes of the open collections hold in memory. */
  get indexBytes(): number {
    return [...this.#open.values()].reduce((total, { indexes }) => total + indexes.bytes, 0);
  }

  /**
   * Whether a collection may take so many bytes more for embeddings. Where the budget is used up, the
   * indexes of collections that were used less recently go first. Half of it is left to what indexes need
   * at all, which grows with the records, while memory that was taken for embeddings cannot be given back
   * in part.
   */
  #grant(id: string, bytes: number): boolean {
    const { memory } = this.#settings;
    const cached = [...this.#open.values()].reduce((total, { indexes }) => total + indexes.cacheBytes, 0);
    if (cached + bytes > memory * CACHE_SHARE) return false;
    let used = this.indexBytes;
    for (const other of this.#open.values()) {
      if (used + bytes <= memory) return true;
      if (other.id === id) continue;
      used -= other.indexes.bytes;
      other.indexes.drop();
    }
    return used + bytes <= memory;
  }

  /** Closes and forgets the collections that the catalogue no longer has. */
  closeDeleted(): void {
    for (const { id, store } of [...this.#open.values()]) {
      if (this.#isKnown(id)) continue;
      this.#open.take(id);
      store.close();
    }
  }

  closeAll(): void {
    for (const collection of [...this.#open.values()]) {
      this.#open.take(collection.id);
      collection.store.close();
    }
  }

  #isBeingMade(id: string): boolean {
    if (!this.#directory.hasCollectionFile(id)) return false;
    const path = this.#directory.collectionPath(id);
    try {
      RecordStore.open({ ...this.#settings, path, readOnly: true, busyTimeoutMs: 1 }).close();
      return false;
    } catch (error) {
      return error instanceof DatabaseError && error.code === 'TESSERA_BUSY';
    }
  }

  #markDeleted(id: string): void {
    const open = this.#open.take(id);
    const path = this.#directory.collectionPath(id);
    const isFile = path !== null && this.#directory.hasCollectionFile(id);
    if (open === undefined && !isFile) return;
    const store = open?.store ?? RecordStore.open({ ...this.#settings, path });
    try {
      store.markDeleted();
    } finally {
      store.close();
    }
  }

  #openFile(info: CollectionInfo, pageBytes?: number): OpenCollection {
    for (;;) {
      try {
        return this.#keep(info, this.#openStore(info, pageBytes));
      } catch (error) {
        if (!(error instanceof DatabaseError) || error.code !== 'TESSERA_IO') throw error;
        if (!this.#directory.isOutOfDescriptors()) throw error;
        // Rather one collection fewer than a call that fails.
        const [oldest] = this.#open.values();
        if (oldest === undefined) throw outOfDescriptors(error);
        this.#open.take(oldest.id);
        oldest.store.close();
      }
    }
  }

  #keep(info: CollectionInfo, store: RecordStore): OpenCollection {
    const { role, indexTuning } = this.#components;
    const indexes = new CollectionIndexes(store, {
      space: info.configuration.hnsw.space,
      keepsCells: !this.#settings.readOnly && role.keepsCells,
      keepsVectors: role.kind !== 'writer',
      grant: (bytes) => this.#grant(info.id, bytes),
      tuning: indexTuning,
    });
    const collection: OpenCollection = {
      id: info.id,
      store,
      indexes,
      fileIdentity: this.#directory.collectionIdentity(info.id),
      isTextIndexWanted: false,
      isFileUntidy: false,
      isIndexUntidy: false,
    };
    this.#open.set(info.id, collection);
    return collection;
  }

  /**
   * Opens the file, or makes it. Had another process deleted the collection before the file was there,
   * nobody else would remove it; and a file that goes away while it is opened fails in many ways.
   */
  #openStore({ id, dimension }: CollectionInfo, pageBytes: number | undefined): RecordStore {
    let store: RecordStore | undefined;
    try {
      const path = this.#directory.collectionPath(id);
      const isFilled = path !== null && dimension !== null;
      store = RecordStore.open({ ...this.#settings, path, collectionId: id, isFilled, pageBytes });
      // A log that ends early, because it was damaged, can take all records along and leave the tables.
      if (isFilled && store.read((state) => state.dimension) === null) {
        throw store.corrupt('it holds nothing of the records that it has had');
      }
      if (this.#isKnown(id)) return store;
    } catch (error) {
      store?.close();
      if (this.#isKnown(id)) throw error;
    }
    store?.close();
    if (!this.#settings.readOnly) this.#directory.removeCollectionFile(id);
    throw deletedMeanwhile({ collectionId: id });
  }
}

function outOfDescriptors(cause: DatabaseError): DatabaseError {
  const message =
    'This process may open no more files. Raise its limit (ulimit -n), or open fewer things beside the database.';
  return new DatabaseError('TESSERA_IO', message, { cause, details: { ...cause.details } });
}
