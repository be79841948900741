/**
 * The few file operations of the database beside SQLite's own, as a port, so that tests can hand in faulty
 * ones.
 */
import {
  accessSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  statfsSync,
  statSync,
  unwatchFile,
  watchFile,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { DatabaseError } from '../base/index.ts';

/** File operations; every one is synchronous because the engine is. */
export interface Files {
  /** Makes a directory and its parents, to last through a power cut; one that exists is fine. */
  makeDirectory(path: string): void;
  /** Removes a file; one that is missing is fine. */
  remove(path: string): void;
  /** Removes a directory with all that is in it; one that is missing is fine. */
  removeDirectory(path: string): void;
  /** Gives a file or a directory another name, replacing a file or an empty directory of that name. */
  rename(from: string, to: string): void;
  /** Copies a file, sharing its blocks where the file system can. Never one that SQLite has open. */
  copy(from: string, to: string): void;
  /** What is in a file, piece by piece; the last one is shorter. Never one that SQLite has open. */
  read(path: string, pieceBytes: number): Iterable<Uint8Array>;
  /** The same of a file that SQLite may have open in this process, whose locks stay (`keptOpen`). */
  readLocked(path: string, pieceBytes: number): Iterable<Uint8Array>;
  /** Bytes of a file. */
  byteCount(path: string): number;
  /** Makes a file of pieces, which is on the disk afterwards; replaces one that is there. */
  write(path: string, pieces: Iterable<Uint8Array>): void;
  exists(path: string): boolean;
  /** Text that tells a file from every other one, whatever its name; `null` for a missing one. */
  identity(path: string): string | null;
  isDirectory(path: string): boolean;
  /** Whether there is a file that can be read to its end: no directory, no pipe, no device. */
  isFile(path: string): boolean;
  /** As `identity`, and different once the file was written to. */
  version(path: string): string | null;
  /** Whether files can be made in a directory. */
  isWritable(path: string): boolean;
  /** Makes a directory of its own for what is needed for a while, and returns its path. */
  makeTemporary(): string;
  /** The number by which Linux knows the kind of a file system; `null` elsewhere. */
  fileSystemKind(path: string): number | null;
  /** Whether this process may open so many files more; `path` is a directory that it may read. */
  mayOpen(count: number, path: string): boolean;
  /** Names in a directory, in no order. */
  list(path: string): string[];
  /** Makes sure that the names in a directory survive a power cut, where the system can be asked to. */
  syncDirectory(path: string): void;
}

/** Does something with a file, and makes typed errors of what the system says. */
export function guard<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    // The pieces of a file that is written may come from another one, which has told what is wrong with it.
    if (cause instanceof DatabaseError) throw cause;
    const code = (cause as { code?: unknown }).code;
    if (typeof code !== 'string') throw cause;
    if (code === 'ENOSPC')
      throw new DatabaseError('TESSERA_DISK_FULL', `The disk is full (${path}).`, { cause });
    const kind =
      code === 'EROFS' || code === 'EACCES' || code === 'EPERM' ? 'TESSERA_READ_ONLY' : 'TESSERA_IO';
    throw new DatabaseError(
      kind,
      `The operating system refused ${path}: ${code}. Check the path and its permissions.`,
      {
        cause,
        details: { path, systemCode: code },
      },
    );
  }
}

function withDescriptor<T>(path: string, flags: string, work: (descriptor: number) => T): T {
  const descriptor = openSync(path, flags);
  try {
    return work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** A directory lasts once the one that names it is synced, which SQLite does for its files alone. */
function makeLasting(path: string): void {
  const first = mkdirSync(path, { recursive: true });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) {
    try {
      syncDirectory(dirname(made));
    } catch (error) {
      // Where we may make names without reading them, the parent's owner has to see to them.
      if ((error as { code?: unknown }).code !== 'EACCES') throw error;
    }
  }
}

function syncDirectory(path: string): void {
  // Windows opens no directories, and writes their names through.
  if (process.platform !== 'win32') withDescriptor(path, 'r', fsyncSync);
}

/**
 * Descriptors of files that SQLite may have open, by `identity`. To close one would give back every lock that
 * this process has on the file (POSIX), of all connections and threads: then another process could take
 * itself for the last one, and remove the log that is still written to. So they stay open until this thread
 * removes the file, or the process ends: one for each file, which only salvage asks for. On Windows locks
 * belong to descriptors.
 */
const keptOpen = new Map<string, number>();

/** The descriptor of a file that stays open; the one that there is already, where the file is the same. */
function openKept(path: string): number {
  const kept = keptOpen.get(identityOf(path) ?? '');
  if (kept !== undefined) return kept;
  const descriptor = openSync(path, 'r');
  keptOpen.set(identityIn(fstatSync(descriptor)), descriptor);
  return descriptor;
}

function* readLocked(path: string, pieceBytes: number): Generator<Uint8Array> {
  if (process.platform === 'win32') {
    yield* readPieces(path, pieceBytes);
    return;
  }
  const descriptor = guard(path, () => openKept(path));
  for (let at = 0; ; ) {
    const piece = new Uint8Array(pieceBytes);
    const length = guard(path, () => readSync(descriptor, piece, 0, pieceBytes, at));
    if (length === 0) return;
    at += length;
    yield piece.subarray(0, length);
  }
}

function remove(path: string): void {
  const key = keptOpen.size === 0 ? null : identityOf(path);
  rmSync(path, { force: true });
  const kept = key === null ? undefined : keptOpen.get(key);
  if (kept === undefined) return;
  keptOpen.delete(key!);
  closeSync(kept);
}

/** Text that tells a file from every other one. */
function identityOf(path: string): string | null {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? null : identityIn(found);
}

function identityIn({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}

function* readPieces(path: string, pieceBytes: number): Generator<Uint8Array> {
  const descriptor = guard(path, () => openSync(path, 'r'));
  try {
    for (let rest = guard(path, () => fstatSync(descriptor)).size; ; rest -= pieceBytes) {
      // Not the whole piece for a file of a few pages: to clear 16 MB takes longer than to read those. The
      // byte beyond the rest is where the end shows, unless the file has grown or has no size, as a pipe.
      const piece = new Uint8Array(rest < 0 ? pieceBytes : Math.min(pieceBytes, rest + 1));
      let length = 0;
      for (let count = -1; count !== 0 && length < piece.length; length += count) {
        count = guard(path, () => readSync(descriptor, piece, length, piece.length - length, null));
      }
      if (length > 0) yield piece.subarray(0, length);
      if (length < piece.length) return;
    }
  } finally {
    closeSync(descriptor);
  }
}

/** The machine's files. Errors: `TESSERA_DISK_FULL`, `TESSERA_READ_ONLY`, `TESSERA_IO`. */
export const systemFiles: Files = {
  makeDirectory: (path) => guard(path, () => makeLasting(resolve(path))),
  remove: (path) => guard(path, () => remove(path)),
  removeDirectory: (path) => guard(path, () => rmSync(path, { recursive: true, force: true })),
  rename: (from, to) => guard(from, () => renameSync(from, to)),
  copy: (from, to) =>
    guard(from, () => {
      copyFileSync(from, to, constants.COPYFILE_FICLONE);
      withDescriptor(to, 'r+', fsyncSync);
    }),
  read: readPieces,
  readLocked,
  byteCount: (path) => guard(path, () => statSync(path).size),
  write: (path, pieces) => {
    guard(path, () =>
      withDescriptor(path, 'w', (descriptor) => {
        for (const piece of pieces) {
          for (let at = 0; at < piece.length; ) at += writeSync(descriptor, piece, at);
        }
        fsyncSync(descriptor);
      }),
    );
  },
  exists: (path) => existsSync(path),
  identity: identityOf,
  isDirectory: (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false,
  isFile: (path) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false,
  version: (path) => {
    const found = statSync(path, { throwIfNoEntry: false });
    return found === undefined ? null : `${identityIn(found)}:${found.size}:${found.mtimeMs}`;
  },
  isWritable: (path) => {
    try {
      accessSync(path, constants.W_OK);
      return true;
    } catch {
      return false;
    }
  },
  makeTemporary: () => guard(tmpdir(), () => mkdtempSync(join(tmpdir(), 'tessera-'))),
  fileSystemKind: (path) => (process.platform === 'linux' ? guard(path, () => statfsSync(path).type) : null),
  mayOpen: (count, path) => {
    // Windows opens no directories, and as many files as there is memory for.
    if (process.platform === 'win32') return true;
    const descriptors: number[] = [];
    try {
      while (descriptors.length < count) descriptors.push(openSync(path, 'r'));
      return true;
    } catch (error) {
      const { code } = error as { code?: unknown };
      return code !== 'EMFILE' && code !== 'ENFILE';
    } finally {
      for (const descriptor of descriptors) closeSync(descriptor);
    }
  },
  list: (path) => guard(path, () => readdirSync(path)),
  syncDirectory: (path) => guard(path, () => syncDirectory(path)),
};

/** Reads bytes of a file from a place on, as many as there are up to the room for them. Returns how many. */
export type ReadAt = (into: Uint8Array, at: number) => number;

/** Opens a file for `work` to read parts of. Never one that SQLite locks. Errors: as `readTextFile`. */
export function readParts<T>(path: string, work: (readAt: ReadAt) => T): T {
  return guard(path, () =>
    withDescriptor(path, 'r', (descriptor) =>
      work((into, at) => readSync(descriptor, into, 0, into.length, at)),
    ),
  );
}

/** The text of a file. Errors: `TESSERA_IO`, `TESSERA_READ_ONLY` where it may not be read. */
export function readTextFile(path: string): string {
  return guard(path, () => readFileSync(path, 'utf8'));
}

/**
 * Calls `onChange` when a file was changed, replaced, removed or made, at most `everyMs` later; returns how
 * to stop. Looks at the file's state from time to time: notices of the system are lost where a file is
 * replaced by a rename or a link, which is how secrets are renewed.
 */
export function watchTextFile(path: string, everyMs: number, onChange: () => void): () => void {
  const listener = (now: Stats, before: Stats): void => {
    if (now.mtimeMs !== before.mtimeMs || now.ino !== before.ino || now.size !== before.size) onChange();
  };
  watchFile(path, { interval: everyMs, persistent: false }, listener);
  return () => unwatchFile(path, listener);
}
