/**
 * Backups: a consistent copy of each collection, with checksums, while the database is in use.
 *
 * The directory is opened for reading, as any process may open it. Each collection is copied as of one
 * position, in a read transaction (`RecordCopy`); two collections may be of two moments. The catalogue is
 * copied last, so that it knows every metadata key of the records, and loses the collections that were
 * deleted meanwhile. What it calls otherwise by then than when it was copied, or knows to have been filled
 * since, or did not have, is copied again: a name may have gone over to a collection of which the copy is
 * too early.
 *
 * A backup that goes on from another one (`since`) holds, of each collection, nothing where nothing has
 * changed, the changed rows where the change sequence still names all that happened since, and the whole
 * collection otherwise: it is new, has another life, or has forgotten tombstones.
 *
 * All is made in a folder beside the target, which is renamed when it is complete and on the disk. So the
 * target is a whole backup or is not there.
 */
import { basename, dirname, relative, resolve } from 'node:path';
import { DEFAULT_SETTINGS, RELEASE_VERSION } from '../api/index.ts';
import { type Clock, DatabaseError, systemClock } from '../base/index.ts';
import { Directory } from '../engine/index.ts';
import { type Files, systemFiles } from '../io/index.ts';
import { CatalogueStore, fileMissing, RecordCopy, RecordStore, type StoreState } from '../records/index.ts';
import { packArchive } from './archive.ts';
import { checkBackupInput } from './arguments.ts';
import {
  type BackupCollection,
  changesPath,
  clearWork,
  describeFile,
  MANIFEST_NAME,
  type Manifest,
  type ReadManifest,
  readManifest,
  wholePath,
  writeManifest,
} from './manifest.ts';
import { inSlices } from './slices.ts';

/** What `backup` takes. */
export interface BackupInput {
  /** Directory of the database, which may be in use. */
  readonly from: string;
  /** Folder or archive to make; nothing may be there. */
  readonly to: string;
  /** Names of the collections to copy, in every database; by default all. */
  readonly collections?: readonly string[] | undefined;
  /** Folder of an earlier backup to go on from. */
  readonly since?: string | undefined;
  /** Whether to make a single file instead of a folder; not beside `since`. */
  readonly archive?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What became of one collection. */
export interface BackupEntry {
  readonly name: string;
  readonly database: string;
  readonly tenant: string;
  readonly recordCount: number;
  readonly sequence: number;
  /** Whether all of it was copied, what has changed, or nothing because nothing has. */
  readonly kind: 'whole' | 'changes' | 'unchanged';
  readonly bytes: number;
  /** Records that do not agree with their checksums; they were copied as they are. */
  readonly damagedCount: number;
  /** Why it could not be copied at all, and is not in the backup. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** What `backup` did. */
export interface BackupReport {
  readonly to: string;
  readonly bytes: number;
  readonly collections: readonly BackupEntry[];
}

/** What the work needs beside its input. */
export interface Surroundings {
  readonly files: Files;
  readonly clock: Clock;
}

/** The machine's. */
export const SYSTEM: Surroundings = { files: systemFiles, clock: systemClock };

/**
 * Copies a database that may be in use into a folder or an archive.
 *
 * Errors: `TESSERA_ALREADY_EXISTS` where something is at `to`, `TESSERA_NOT_A_DATABASE`,
 * `TESSERA_INVALID_ARGUMENT`, `TESSERA_COLLECTION_NOT_FOUND`, `TESSERA_ABORTED`, those of files and SQLite;
 * after each there is nothing at `to`. A collection that cannot be read is told of in the report.
 */
export async function backup(input: BackupInput, surroundings: Surroundings = SYSTEM): Promise<BackupReport> {
  checkBackupInput(input);
  const nowMs = (): number => surroundings.clock.monotonicMs();
  return inSlices(makeBackup(input, surroundings), nowMs, input.signal);
}

function* makeBackup(input: BackupInput, { files, clock }: Surroundings): Generator<void, BackupReport> {
  const to = resolve(input.to);
  checkTarget(files, to, input.archive === true);
  if (input.archive === true && input.since !== undefined) {
    const message = 'Expected archive or since, got both. Backups that go on from another one are folders.';
    throw new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { argument: 'since' } });
  }
  const base = input.since === undefined ? null : readManifest(files, resolve(input.since));
  const work = `${to}.partial`;
  clearWork(files, work, [MANIFEST_NAME, 'catalogue.sqlite3', 'collections']);
  files.makeDirectory(`${work}/collections`);
  let isDone = false;
  try {
    const { entries, manifest } = yield* copyAll(input, work, base, files);
    const createdAt = new Date(Number(clock.nowNs() / 1_000_000n)).toISOString();
    const sha256 = base?.sha256 ?? '';
    const basePath = input.since === undefined ? '' : relative(dirname(to), resolve(input.since));
    writeManifest(files, work, {
      release: RELEASE_VERSION,
      createdAt,
      base: base === null ? null : { path: basePath, sha256 },
      ...manifest,
    });
    files.syncDirectory(`${work}/collections`);
    files.syncDirectory(work);
    if (input.archive === true) {
      yield* packArchive(files, work, `${work}.archive`);
      files.rename(`${work}.archive`, to);
      files.removeDirectory(work);
    } else {
      files.rename(work, to);
    }
    isDone = true;
    files.syncDirectory(dirname(to));
    const bytes = entries.reduce((sum, entry) => sum + entry.bytes, manifest.catalogue.bytes);
    return { to, bytes, collections: entries };
  } finally {
    // Also where the caller gave up between two slices.
    if (!isDone) {
      files.removeDirectory(work);
      files.remove(`${work}.archive`);
    }
  }
}

/** Nothing is overwritten: an empty folder may be there, as a mount point is. */
function checkTarget(files: Files, to: string, isArchive: boolean): void {
  if (!files.exists(to)) return;
  if (!isArchive && files.isDirectory(to) && files.list(to).length === 0) return;
  const message = `Expected a new name for the backup, got ${to}, which is there already. Give another one.`;
  throw new DatabaseError('TESSERA_ALREADY_EXISTS', message, { details: { path: to, name: basename(to) } });
}

/** A collection as the catalogue lists it. */
type Listed = ReturnType<CatalogueStore['directory']>[number];

interface Copied {
  readonly entry: BackupEntry & { readonly id: string };
  /** `null` for one that could not be copied. */
  readonly collection: BackupCollection | null;
}

/** Copies made, by identifier. */
type Copies = Map<string, Copied & { readonly listed: Listed }>;

function* copyAll(
  { from, collections }: BackupInput,
  work: string,
  base: ReadManifest | null,
  files: Files,
): Generator<void, { entries: BackupEntry[]; manifest: Pick<Manifest, 'catalogue' | 'collections'> }> {
  const directory = Directory.open(resolve(from), true, files);
  const catalogue = CatalogueStore.open({ ...READING, path: directory.cataloguePath });
  const copies: Copies = new Map();
  const isCopied = (listed: Listed): boolean => isSameListing(copies.get(listed.id)?.listed, listed);
  const cataloguePath = `${work}/catalogue.sqlite3`;
  let listing = chosen(catalogue.directory(), collections);
  try {
    checkNames(listing, collections);
    for (let pass = 0; pass < PASSES_MAX && !(pass > 0 && listing.every(isCopied)); pass++) {
      for (const listed of listing) {
        if (isCopied(listed)) continue;
        removeCopy(files, work, listed.id);
        copies.delete(listed.id);
        const path = directory.hasCollectionFile(listed.id) ? directory.collectionPath(listed.id) : null;
        const former = base?.manifest.collections.find(({ id }) => id === listed.id) ?? null;
        const isListed = (id: string): boolean => catalogue.lists(id);
        const copied = yield* copyUnlessGone(files, { listed, path, work, former }, isListed);
        if (copied !== null) copies.set(listed.id, { ...copied, listed });
      }
      files.remove(cataloguePath);
      catalogue.copyTo(cataloguePath);
      listing = chosen(directoryOf(cataloguePath), collections);
    }
  } finally {
    catalogue.close();
  }
  const kept = listing.map((listed) => (isCopied(listed) ? copies.get(listed.id)! : restless(listed)));
  const named = kept.flatMap(({ collection }) => collection ?? []);
  keepOnly(cataloguePath, new Set(named.map(({ id }) => id)));
  for (const id of copies.keys()) if (!named.some((one) => one.id === id)) removeCopy(files, work, id);
  return {
    entries: kept.map(({ entry: { id: _, ...entry } }) => entry),
    manifest: {
      catalogue: yield* describeFile(files, work, 'catalogue.sqlite3'),
      collections: named,
    },
  };
}

/**
 * How often the catalogue is looked at. A collection that took a name over is found at the second time; what
 * is renamed or made anew at each of them is told of as not copied.
 */
const PASSES_MAX = 5;

/** The entry of a collection that was never twice the same in the catalogue. */
function restless(listed: Listed): Copied {
  const message = `Collection [${listed.name}] was renamed or made while the others were copied, ${PASSES_MAX} times over, and is not in the backup. Make another one.`;
  return {
    entry: entryOf(listed, 'whole', { error: { code: 'TESSERA_BUSY', message } }),
    collection: null,
  };
}

/** Whether a copy that was made when the catalogue said `former` will do. */
function isSameListing(former: Listed | undefined, { name, database, tenant, dimension }: Listed): boolean {
  if (former === undefined || former.name !== name) return false;
  return former.database === database && former.tenant === tenant && former.dimension === dimension;
}

function removeCopy(files: Files, work: string, id: string): void {
  for (const name of [wholePath(id), changesPath(id)]) files.remove(`${work}/${name}`);
}

const READING = { ...DEFAULT_SETTINGS, readOnly: true };

function chosen(all: readonly Listed[], names: readonly string[] | undefined): readonly Listed[] {
  return names === undefined ? all : all.filter(({ name }) => names.includes(name));
}

/** Errors: `TESSERA_COLLECTION_NOT_FOUND` for a name that no database has. */
function checkNames(listing: readonly Listed[], names: readonly string[] = []): void {
  for (const name of names) {
    if (listing.some((listed) => listed.name === name)) continue;
    const message = `Collection [${name}] does not exist`;
    throw new DatabaseError('TESSERA_COLLECTION_NOT_FOUND', message, { details: { name } });
  }
}

interface Task {
  readonly listed: Listed;
  /** `null` where there is no file. */
  readonly path: string | null;
  readonly work: string;
  readonly former: BackupCollection | null;
}

/** Copies a collection; damage becomes an entry of the report, and one that is deleted meanwhile `null`. */
function* copyUnlessGone(
  files: Files,
  task: Task,
  isListed: (id: string) => boolean,
): Generator<void, Copied | null> {
  const { listed, path, work } = task;
  try {
    return yield* copyOne(files, task);
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    const isMissing = path !== null && !files.exists(path);
    if (error.kind !== 'corrupt' && error.code !== 'TESSERA_COLLECTION_NOT_FOUND' && !isMissing) throw error;
    // Deleting takes the collection out of the catalogue before its file goes.
    if (!isListed(listed.id)) return null;
    removeCopy(files, work, listed.id);
    const { code, message } = isMissing ? fileMissing(listed.id) : error;
    return { entry: entryOf(listed, 'whole', { error: { code, message } }), collection: null };
  }
}

function* copyOne(files: Files, { listed, path, work, former }: Task): Generator<void, Copied> {
  if (path === null && listed.dimension !== null) throw fileMissing(listed.id);
  const source = path === null ? null : openMade(path, listed);
  if (source === null) {
    const empty = { sequence: 0, recordCount: 0, life: null, file: null, after: 0, damagedCount: 0 };
    return {
      entry: entryOf(listed, former === null ? 'whole' : 'unchanged'),
      collection: { ...namesOf(listed), ...empty },
    };
  }
  try {
    const after = source.read((state) => startOf(source, state, former));
    if (after === 'unchanged') {
      const { recordCount, sequence, damagedCount } = former!;
      return {
        entry: entryOf(listed, 'unchanged', { recordCount, sequence, damagedCount }),
        collection: { ...former!, ...namesOf(listed), file: null, after: sequence },
      };
    }
    let damagedCount = 0;
    const name = after === 0 ? wholePath(listed.id) : changesPath(listed.id);
    const copy = RecordCopy.create(`${work}/${name}`, listed.id, source.database);
    let state: StoreState;
    let life: string | null;
    try {
      const onDamage = (): void => void damagedCount++;
      state = yield* copy.fill(source, { after, onDamage, keepsIdentity: true });
      life = copy.life();
    } finally {
      copy.close();
    }
    const { sequence, recordCount } = state;
    const file = yield* describeFile(files, work, name);
    const facts = { sequence, recordCount, damagedCount };
    return {
      entry: entryOf(listed, after === 0 ? 'whole' : 'changes', { ...facts, bytes: file.bytes }),
      collection: { ...namesOf(listed), ...facts, life, file, after },
    };
  } finally {
    source.close();
  }
}

/** Opens the file of a collection; `null` where another process is making it, or has died over that. */
function openMade(path: string, { id, dimension }: Listed): RecordStore | null {
  try {
    return RecordStore.open({ ...READING, path, collectionId: id, isFilled: dimension !== null });
  } catch (error) {
    if (error instanceof DatabaseError && error.details['version'] === 0) return null;
    throw error;
  }
}

/** The position to copy from: 0 for everything. */
function startOf(
  source: RecordStore,
  state: StoreState,
  former: BackupCollection | null,
): number | 'unchanged' {
  if (former === null || former.life === null || former.life !== source.life()) return 0;
  if (former.sequence === state.sequence) return 'unchanged';
  const knowsAll = former.sequence >= state.purgedSequence && former.sequence < state.sequence;
  return knowsAll ? former.sequence : 0;
}

/** The collections of a copy of the catalogue. */
function directoryOf(path: string): Listed[] {
  const catalogue = CatalogueStore.open({ ...DEFAULT_SETTINGS, path });
  try {
    return catalogue.directory();
  } finally {
    catalogue.close();
  }
}

/** Reduces a copy of the catalogue to some collections. */
function keepOnly(path: string, ids: ReadonlySet<string>): void {
  const catalogue = CatalogueStore.open({ ...DEFAULT_SETTINGS, path });
  try {
    catalogue.keepOnly(ids);
  } finally {
    catalogue.close();
  }
}

type Names = Pick<BackupCollection, 'id' | 'name' | 'database' | 'tenant'>;

function namesOf({ id, name, database, tenant }: Listed): Names {
  return { id, name, database, tenant };
}

function entryOf(
  listed: Listed,
  kind: BackupEntry['kind'],
  facts: Partial<BackupEntry> = {},
): Copied['entry'] {
  const none = { recordCount: 0, sequence: 0, bytes: 0, damagedCount: 0, error: null };
  return { ...namesOf(listed), kind, ...none, ...facts };
}
