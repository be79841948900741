/**
 * The directory of a database: `catalogue.sqlite3` and `collections/<uuid>.sqlite3`.
 *
 * A directory is taken for new only when it is missing or empty (names that begin with a dot aside). Anything
 * else without a catalogue belongs to somebody: we say what we saw and write nothing. One exception is the
 * rollback journal of a catalogue whose making was cut off by a power cut: of two names made at once, a disk
 * may keep the later one only. Such a journal stands for an empty file, and SQLite removes it.
 */

import { isUuid } from '../api/index.ts';
import { assert, DatabaseError, show } from '../base/index.ts';
import type { Files } from '../io/index.ts';
import { RecordStore } from '../records/index.ts';
import { HEADER_BYTES, isHeaderSound, mendHeader, START_BYTES } from './file-header.ts';

const CATALOGUE_NAME = 'catalogue.sqlite3';
const COLLECTIONS_NAME = 'collections';
/** What SQLite puts beside a file while it is in use. */
const COMPANIONS = ['-wal', '-shm', '-journal'];
/** Beside the catalogue only until its first transaction is over, since that turns the log on. */
const UNMADE_NAME = `${CATALOGUE_NAME}-journal`;

/** Descriptors that opening a file may take: its own, those of the log and its index, and of the folder. */
const DESCRIPTORS_PER_FILE = 4;

/** What the copy of a damaged file is called while something is saved of it into the file of this name. */
const DAMAGED = '-damaged';
/** Bytes that are read of a file at a time. */
const PIECE_BYTES = 1_048_576;

/** Paths within a database's directory; `null` paths for a database in memory. */
export class Directory {
  readonly #path: string | null;
  readonly #files: Files;

  private constructor(path: string | null, files: Files) {
    this.#path = path;
    this.#files = files;
  }

  /**
   * Makes the directory where it is missing and checks that it is ours.
   *
   * Errors: `TESSERA_NOT_A_DATABASE`, and those of `Files`.
   */
  static open(path: string | null, isReadOnly: boolean, files: Files): Directory {
    const directory = new Directory(path, files);
    if (path === null) return directory;
    if (files.exists(path) && !files.isDirectory(path)) {
      throw notADatabase(path, `Expected a directory, got a file: ${path}. Give a directory`);
    }
    const names = files.exists(path) ? files.list(path).filter((name) => !name.startsWith('.')) : [];
    if (!names.includes(CATALOGUE_NAME)) {
      if (names.some((name) => name !== UNMADE_NAME)) {
        const seen = show(names.slice(0, 5).join(', '));
        const message = `Expected a database or an empty directory, got ${path} with ${seen}. Give another directory`;
        throw notADatabase(path, message);
      }
      if (isReadOnly) throw notADatabase(path, `There is no database in ${path} to read. Give its directory`);
    }
    if (!isReadOnly) files.makeDirectory(path);
    return directory;
  }

  /**
   * Makes room for collections. Only after the catalogue is there: without it the folder would be somebody
   * else's.
   */
  makeCollectionsFolder(): void {
    if (this.#path !== null) this.#files.makeDirectory(`${this.#path}/${COLLECTIONS_NAME}`);
  }

  /** Makes sure that the names in the folder of collections survive a power cut. */
  syncCollections(): void {
    if (this.#path !== null) this.#files.syncDirectory(`${this.#path}/${COLLECTIONS_NAME}`);
  }

  get cataloguePath(): string | null {
    return this.#path && `${this.#path}/${CATALOGUE_NAME}`;
  }

  /** The file of a collection. Identifiers become part of a path, so nothing but a UUID gets here. */
  collectionPath(id: string): string | null {
    assert(isUuid(id), `A collection's identifier is not a UUID: ${show(id)}`);
    return this.#path && `${this.#path}/${COLLECTIONS_NAME}/${id}.sqlite3`;
  }

  /** Text that tells a collection's file from one that was put in its place; `null` where there is none. */
  collectionIdentity(id: string): string | null {
    const path = this.collectionPath(id);
    return path && this.#files.identity(path);
  }

  /** Whether this process cannot open one more collection, with what SQLite keeps beside its file. */
  isOutOfDescriptors(): boolean {
    return this.#path !== null && !this.#files.mayOpen(DESCRIPTORS_PER_FILE, this.#path);
  }

  hasCollectionFile(id: string): boolean {
    const path = this.collectionPath(id);
    return path !== null && this.#files.exists(path);
  }

  /** Removes a collection's file with its companions; missing ones are fine. */
  removeCollectionFile(id: string): void {
    const path = this.collectionPath(id);
    if (path === null) return;
    for (const companion of COMPANIONS) this.#files.remove(`${path}${companion}`);
    this.removeDamaged(id);
    for (const former of RecordStore.formerPaths(path)) this.#files.remove(former);
    this.#files.remove(path);
  }

  /** Whether the header of a collection's file is as such files have it. */
  hasSoundHeader(id: string): boolean {
    const [start] = this.#files.readLocked(this.collectionPath(id)!, START_BYTES);
    return start !== undefined && isHeaderSound(start);
  }

  /** Bytes of a collection's file, without its log. */
  collectionBytes(id: string): number {
    return this.#files.byteCount(this.collectionPath(id)!);
  }

  /**
   * Copies the file of a collection that SQLite refuses to beside the file of another, with a header as such
   * files have it and as many pages in it as there are, and returns the path of the copy.
   */
  copyDamaged(id: string, copyId: string): string {
    const path = this.collectionPath(id)!;
    const copy = `${this.collectionPath(copyId)!}${DAMAGED}`;
    const files = this.#files;
    const byteCount = files.byteCount(path);
    const mended = function* (): Iterable<Uint8Array> {
      let isFirst = true;
      for (const piece of files.readLocked(path, PIECE_BYTES)) {
        if (isFirst && piece.length >= HEADER_BYTES) mendHeader(piece, byteCount);
        isFirst = false;
        yield piece;
      }
    };
    files.write(copy, mended());
    if (files.exists(`${path}-wal`)) files.copy(`${path}-wal`, `${copy}-wal`);
    return copy;
  }

  /** Removes such a copy; a missing one is fine. */
  removeDamaged(copyId: string): void {
    const copy = `${this.collectionPath(copyId)!}${DAMAGED}`;
    for (const companion of COMPANIONS) this.#files.remove(`${copy}${companion}`);
    this.#files.remove(copy);
  }
}

function notADatabase(path: string, message: string): DatabaseError {
  return new DatabaseError('TESSERA_NOT_A_DATABASE', `${message}.`, { details: { path } });
}
