/**
 * The manifest of a backup: which files it has, with their checksums, and what each of them stands for.
 *
 *   manifest.json                      this, as JSON; written last
 *   catalogue.sqlite3                  tenants, databases and the collections that were copied
 *   collections/<uuid>.sqlite3         a collection, whole
 *   collections/<uuid>.changes.sqlite3 what has changed of a collection since the backup that this one goes
 *                                      on from (`base`)
 *
 * A backup without a base can be opened as a database is. One with a base names it by its path, from the
 * folder that it lies in, and by the checksum of its manifest: so a chain that was changed afterwards is
 * noticed.
 */
import { createHash } from 'node:crypto';
import { DatabaseError, show } from '../base/index.ts';
import type { Files } from '../io/index.ts';

/** Version of what the manifest says. */
const MANIFEST_VERSION = 1;

/** Name of the manifest's file in its folder. */
export const MANIFEST_NAME = 'manifest.json';

/** Bytes that are read of a file at a time: a few milliseconds of work. */
const PIECE_BYTES = 1_048_576;

/** Where the whole of a collection lies. */
export function wholePath(id: string): string {
  return `collections/${id}.sqlite3`;
}

/** Where the changes of a collection lie. */
export function changesPath(id: string): string {
  return `collections/${id}.changes.sqlite3`;
}

/** A file of a backup, by its path in the folder. */
export interface BackupFile {
  readonly path: string;
  readonly bytes: number;
  /** SHA-256, in hexadecimal. */
  readonly sha256: string;
}

/** A collection in a backup. */
export interface BackupCollection {
  readonly id: string;
  readonly name: string;
  readonly database: string;
  readonly tenant: string;
  /** The position of the change sequence that the backup holds. */
  readonly sequence: number;
  readonly recordCount: number;
  /** Which life of the collection it is; increments go on from the same one alone. */
  readonly life: string | null;
  /** `null` where there is nothing: no record at all, or no change since the base. */
  readonly file: BackupFile | null;
  /** The position that the file goes on from; 0 for a whole collection. */
  readonly after: number;
  /** Records that did not agree with their checksums when they were copied, and were copied as they are. */
  readonly damagedCount: number;
}

/** What is in a backup. */
export interface Manifest {
  readonly version: number;
  readonly release: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly base: { readonly path: string; readonly sha256: string } | null;
  readonly catalogue: BackupFile;
  readonly collections: readonly BackupCollection[];
}

/** A manifest with its own checksum. */
export interface ReadManifest {
  readonly manifest: Manifest;
  readonly sha256: string;
}

/** Writes the manifest of a folder. */
export function writeManifest(files: Files, folder: string, manifest: Omit<Manifest, 'version'>): void {
  const text = JSON.stringify({ version: MANIFEST_VERSION, ...manifest }, null, 2);
  files.write(`${folder}/${MANIFEST_NAME}`, [Buffer.from(`${text}\n`)]);
}

/**
 * Reads the manifest of a folder. Errors: `TESSERA_NOT_A_DATABASE` where there is none,
 * `TESSERA_NEWER_FORMAT`, `TESSERA_CORRUPT`.
 */
export function readManifest(files: Files, folder: string): ReadManifest {
  const path = `${folder}/${MANIFEST_NAME}`;
  if (!files.exists(path)) {
    const message = `Expected a backup, got ${folder} without ${MANIFEST_NAME}. Give the folder or the archive of a backup.`;
    throw new DatabaseError('TESSERA_NOT_A_DATABASE', message, { details: { path } });
  }
  const bytes = Buffer.concat([...files.read(path, PIECE_BYTES)]);
  const manifest = parseManifest(bytes.toString('utf8'), path);
  if (manifest.version > MANIFEST_VERSION) {
    const message = `${path} has version ${manifest.version}, this release reads up to ${MANIFEST_VERSION}. Use a newer release of tesseradb.`;
    throw new DatabaseError('TESSERA_NEWER_FORMAT', message, { details: { path } });
  }
  return { manifest, sha256: createHash('sha256').update(bytes).digest('hex') };
}

function parseManifest(text: string, path: string): Manifest {
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch {
    // Told below, as what is no manifest at all.
  }
  // What a later version says may look otherwise; who reads it is told by its version alone.
  if (isObject(manifest) && Number.isInteger(manifest['version'])) {
    if (Number(manifest['version']) > MANIFEST_VERSION || isManifest(manifest)) {
      return manifest as unknown as Manifest;
    }
  }
  throw damagedBackup(path, `it is no manifest: ${show(text.slice(0, 40))}`);
}

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null;
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const areTexts = (holder: Json, ...keys: string[]): boolean =>
  keys.every((key) => typeof holder[key] === 'string');

/**
 * Whether all that a backup is restored by is there and of its type. Nothing vouches for the manifest of the
 * latest backup: a member that is missing would surface as a fault of ours.
 */
function isManifest(manifest: Json): boolean {
  const { base, catalogue, collections } = manifest;
  if (base !== null && !(isObject(base) && areTexts(base, 'path', 'sha256'))) return false;
  return isFile(catalogue) && Array.isArray(collections) && collections.every(isCollection);
}

function isFile(file: unknown): boolean {
  return isObject(file) && areTexts(file, 'path', 'sha256') && isCount(file['bytes']);
}

function isCollection(value: unknown): boolean {
  if (!isObject(value) || !areTexts(value, 'id', 'name', 'database', 'tenant')) return false;
  const { sequence, recordCount, after, file } = value;
  return [sequence, recordCount, after].every(isCount) && (file === null || isFile(file));
}

/** Size and checksum of a file; yields between two pieces. */
export function* describeFile(files: Files, folder: string, path: string): Generator<void, BackupFile> {
  const hash = createHash('sha256');
  let bytes = 0;
  for (const piece of files.read(`${folder}/${path}`, PIECE_BYTES)) {
    hash.update(piece);
    bytes += piece.length;
    yield;
  }
  return { path, bytes, sha256: hash.digest('hex') };
}

/** Compares a file with what its manifest says. Errors: `TESSERA_CORRUPT`. */
export function* checkFile(files: Files, folder: string, expected: BackupFile): Generator<void, void> {
  const path = `${folder}/${expected.path}`;
  // A path comes from a manifest, which anybody may have written: nothing outside of the folder is looked at.
  if (!/^(?:collections\/)?[\w-]+(?:\.\w+)+$/.test(expected.path)) {
    throw damagedBackup(path, 'its path leads out of the backup');
  }
  if (!files.exists(path)) throw damagedBackup(path, 'it is missing');
  const { bytes, sha256 } = yield* describeFile(files, folder, expected.path);
  if (bytes !== expected.bytes)
    throw damagedBackup(path, `it has ${bytes} bytes instead of ${expected.bytes}`);
  if (sha256 !== expected.sha256) throw damagedBackup(path, 'its checksum does not agree');
}

/** The error for a backup that cannot be believed. */
export function damagedBackup(path: string, what: string): DatabaseError {
  const message = `The backup is damaged in ${path}: ${what}. Use another backup; nothing was changed.`;
  return new DatabaseError('TESSERA_CORRUPT', message, { details: { path } });
}

/**
 * Removes what a process that died has left of its work, in a folder of ours. Errors:
 * `TESSERA_ALREADY_EXISTS` where the folder holds anything else.
 */
export function clearWork(files: Files, work: string, ours: readonly string[]): void {
  if (!files.exists(work)) return;
  const strange = files.isDirectory(work)
    ? files.list(work).find((name) => !ours.some((own) => name === own || name.startsWith(`${own}-`)))
    : '';
  if (strange !== undefined) {
    const message = `Expected to make ${work} for the time of the work, and somebody has one with ${show(strange)}. Give it another name.`;
    throw new DatabaseError('TESSERA_ALREADY_EXISTS', message, { details: { path: work } });
  }
  files.removeDirectory(work);
}
