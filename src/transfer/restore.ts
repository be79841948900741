/**
 * Restoring a backup: verified before anything is replaced.
 *
 * The files are compared with the checksums of their manifests, from the whole backup that a chain begins
 * with to the one that is asked for; the database is put together in a folder beside the target; then each of
 * its records is compared with its checksums and indexes. Only then does the folder take its place, and what
 * was there before is kept under another name.
 */
import { dirname, resolve } from 'node:path';
import { DEFAULT_SETTINGS } from '../api/index.ts';
import { DatabaseError } from '../base/index.ts';
import { openDatabase } from '../engine/index.ts';
import type { Files } from '../io/index.ts';
import { applyChanges, CatalogueStore, RecordStore } from '../records/index.ts';
import { unpackArchive } from './archive.ts';
import { checkRestoreInput } from './arguments.ts';
import { type Surroundings, SYSTEM } from './backup.ts';
import {
  type BackupCollection,
  checkFile,
  clearWork,
  damagedBackup,
  type ReadManifest,
  readManifest,
  wholePath,
} from './manifest.ts';
import { inSlices } from './slices.ts';

/** What `restore` takes. */
export interface RestoreInput {
  /** Folder or archive of a backup. */
  readonly from: string;
  /** Directory of the database to make. */
  readonly to: string;
  /** Whether a directory that is there gives way; it is kept under another name. */
  readonly replace?: boolean | undefined;
  /** Whether records are taken that were damaged already when the backup was made. */
  readonly acceptDamage?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What `restore` did. */
export interface RestoreReport {
  readonly to: string;
  /** When the backup was made. */
  readonly createdAt: string;
  /** Where the directory is now that was there before; `null` where there was none. */
  readonly replaced: string | null;
  readonly collections: readonly {
    readonly name: string;
    readonly database: string;
    readonly tenant: string;
    readonly recordCount: number;
    readonly sequence: number;
    /** Faults of its records, as `verify` finds them. */
    readonly faultCount: number;
  }[];
}

/**
 * Makes a database of a backup, verified.
 *
 * Errors: `TESSERA_INVALID_ARGUMENT`, `TESSERA_ALREADY_EXISTS` where something is at `to`,
 * `TESSERA_NOT_A_DATABASE`, `TESSERA_CORRUPT` for a backup that is damaged, `TESSERA_ABORTED`, those of files
 * and SQLite; after each, what was at `to` is as it was.
 */
export async function restore(
  input: RestoreInput,
  surroundings: Surroundings = SYSTEM,
): Promise<RestoreReport> {
  checkRestoreInput(input);
  const { files, clock } = surroundings;
  const nowMs = (): number => clock.monotonicMs();
  const to = resolve(input.to);
  const isTaken = files.exists(to) && !(files.isDirectory(to) && files.list(to).length === 0);
  if (isTaken && input.replace !== true) {
    const message = `Expected a new directory, got ${to}, which is there already. Give another one, or ask to replace it, which keeps the old one beside it.`;
    throw new DatabaseError('TESSERA_ALREADY_EXISTS', message, { details: { path: to } });
  }
  const work = `${to}.restoring`;
  clearWork(files, work, ['unpacked', 'database']);
  try {
    const { chain, database } = await inSlices(
      assemble(files, resolve(input.from), work),
      nowMs,
      input.signal,
    );
    const { manifest } = chain.at(-1)!;
    const collections = await verifyAll(database, manifest.collections, input);
    const seconds = clock.nowNs() / 1_000_000_000n;
    const replaced = isTaken ? `${to}.replaced-${seconds}` : null;
    if (replaced !== null) files.rename(to, replaced);
    files.rename(database, to);
    files.syncDirectory(dirname(to));
    return { to, createdAt: manifest.createdAt, replaced, collections };
  } finally {
    files.removeDirectory(work);
  }
}

/** Puts the database together in `work`; returns the backups that it is of, the oldest first. */
function* assemble(
  files: Files,
  from: string,
  work: string,
): Generator<void, { chain: ReadManifest[]; database: string }> {
  files.makeDirectory(work);
  let folder = from;
  if (files.exists(from) && !files.isDirectory(from)) {
    folder = `${work}/unpacked`;
    files.makeDirectory(`${folder}/collections`);
    yield* unpackArchive(files, from, folder);
  }
  const chain = readChain(files, folder);
  const { manifest } = chain.at(-1)!;
  for (const { folder: place, manifest: part } of chain) {
    for (const { file } of needed(part.collections, manifest.collections)) {
      if (file !== null) yield* checkFile(files, place, file);
    }
  }
  yield* checkFile(files, folder, manifest.catalogue);
  const database = `${work}/database`;
  files.makeDirectory(`${database}/collections`);
  files.copy(`${folder}/catalogue.sqlite3`, `${database}/catalogue.sqlite3`);
  checkListing(`${database}/catalogue.sqlite3`, folder, manifest.collections);
  for (const collection of manifest.collections) {
    yield* assembleCollection(files, database, collection, chain);
  }
  files.syncDirectory(`${database}/collections`);
  files.syncDirectory(database);
  return { chain, database };
}

/**
 * Compares the collections of a manifest with those of its catalogue, for which a checksum vouches: one that
 * only the catalogue has would be restored without its records, and none of them be missed. Errors:
 * `TESSERA_CORRUPT`.
 */
function checkListing(path: string, folder: string, collections: readonly BackupCollection[]): void {
  const catalogue = CatalogueStore.open({ ...DEFAULT_SETTINGS, readOnly: true, path });
  const named = ({ id, name, database, tenant }: Names): string =>
    JSON.stringify([id, name, database, tenant]);
  try {
    const listed = catalogue.directory().map(named).sort();
    const told = collections.map(named).sort();
    if (listed.length === told.length && listed.every((one, i) => one === told[i])) return;
  } finally {
    catalogue.close();
  }
  throw damagedBackup(folder, 'its manifest and its catalogue name different collections');
}

type Names = Pick<BackupCollection, 'id' | 'name' | 'database' | 'tenant'>;

type Link = ReadManifest & { readonly folder: string };

/** The backups that one goes on from, and itself, the oldest first. Errors: `TESSERA_CORRUPT`. */
function readChain(files: Files, folder: string): Link[] {
  const chain: Link[] = [{ ...readManifest(files, folder), folder }];
  for (let { base } = chain[0]!.manifest; base !== null; ) {
    const { path, sha256 } = base;
    const place = resolve(dirname(chain[0]!.folder), path);
    const link = { ...readManifest(files, place), folder: place };
    if (link.sha256 !== sha256) {
      throw damagedBackup(place, 'it is not the backup, or not as it was, that a later one goes on from');
    }
    if (chain.some((other) => other.folder === place)) throw damagedBackup(place, 'it goes on from itself');
    chain.unshift(link);
    base = link.manifest.base;
  }
  return chain;
}

/** The collections of one backup that another one needs. */
function needed(part: readonly BackupCollection[], wanted: readonly BackupCollection[]): BackupCollection[] {
  return part.filter(({ id }) => wanted.some((collection) => collection.id === id));
}

/** The file of a collection, from the latest whole copy of it on. */
function* assembleCollection(
  files: Files,
  database: string,
  { id, sequence }: BackupCollection,
  chain: readonly Link[],
): Generator<void, void> {
  const steps = chain.flatMap(({ folder, manifest }) =>
    needed(manifest.collections, [{ id } as BackupCollection]).flatMap((collection) =>
      collection.file === null ? [] : [{ folder, ...collection, file: collection.file }],
    ),
  );
  const first = steps.findLastIndex(({ after }) => after === 0);
  if (first < 0) {
    if (sequence > 0) throw damagedBackup(wholePath(id), 'no backup of the chain holds the whole collection');
    return;
  }
  const path = `${database}/${wholePath(id)}`;
  files.copy(`${steps[first]!.folder}/${steps[first]!.file.path}`, path);
  const store = RecordStore.open({ ...DEFAULT_SETTINGS, path });
  try {
    for (const step of steps.slice(first + 1)) {
      const position = store.read((state) => state.sequence);
      if (position !== step.after) {
        throw damagedBackup(step.file.path, `it goes on from ${step.after}, and there is ${position}`);
      }
      applyFile(store, `${step.folder}/${step.file.path}`);
      yield;
    }
    const position = store.read((state) => state.sequence);
    if (position !== sequence) {
      throw damagedBackup(wholePath(id), `it stands at ${position} instead of ${sequence}`);
    }
    store.beginLife(id);
  } finally {
    store.close();
  }
}

function applyFile(store: RecordStore, path: string): void {
  const changes = RecordStore.open({ ...DEFAULT_SETTINGS, readOnly: true, path });
  try {
    applyChanges(store, changes);
  } finally {
    changes.close();
  }
}

/** Compares every record with its checksums and indexes. Errors: `TESSERA_CORRUPT`. */
async function verifyAll(
  path: string,
  collections: readonly BackupCollection[],
  { acceptDamage, signal }: RestoreInput,
): Promise<RestoreReport['collections']> {
  const backend = await openDatabase({ path, threads: 0 });
  try {
    const verified: RestoreReport['collections'][number][] = [];
    for (const { id, name, database, tenant, sequence, recordCount } of collections) {
      const scope = { tenant, database, collectionId: id };
      const { faultCount, faults } = await backend.verify(scope, { signal });
      const { recordCount: found } = await backend.statistics(scope, { signal });
      if (faultCount > 0 && acceptDamage !== true) throw damagedBackup(name, faults[0]!.message);
      if (found !== recordCount)
        throw damagedBackup(name, `it holds ${found} records instead of ${recordCount}`);
      verified.push({ name, database, tenant, recordCount, sequence, faultCount });
    }
    return verified;
  } finally {
    await backend.close();
  }
}
