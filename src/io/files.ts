/**
 * The few file operations of the database beside SQLite's own, as a port, so that tests can hand in faulty
 * ones.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseError } from '../base/index.ts';

/** File operations; every one is synchronous because the engine is. */
export interface Files {
  /** Makes a directory and its parents, to last through a power cut; one that exists is fine. */
  makeDirectory(path: string): void;
  /** Removes a file; one that is missing is fine. */
  remove(path: string): void;
  exists(path: string): boolean;
  isDirectory(path: string): boolean;
  /** Names in a directory, in no order. */
  list(path: string): string[];
  /** Makes sure that the names in a directory survive a power cut, where the system can be asked to. */
  syncDirectory(path: string): void;
}

function guard<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
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
  if (process.platform === 'win32') return;
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The machine's files. Errors: `TESSERA_DISK_FULL`, `TESSERA_READ_ONLY`, `TESSERA_IO`. */
export const systemFiles: Files = {
  makeDirectory: (path) => guard(path, () => makeLasting(resolve(path))),
  remove: (path) => guard(path, () => rmSync(path, { force: true })),
  exists: (path) => existsSync(path),
  isDirectory: (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false,
  list: (path) => guard(path, () => readdirSync(path)),
  syncDirectory: (path) => guard(path, () => syncDirectory(path)),
};
