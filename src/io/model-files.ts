/** Files of embedding models: read whole, and found by the package that brings them. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';
import { guard } from './files.ts';

/**
 * Reads a whole file into `buffer`, or into one of its own where that is too small or not given; `null` where
 * there is no such file. Errors: what the system says when it refuses to.
 */
export function readFileIfThere(file: string, buffer?: Uint8Array): Uint8Array | null {
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
  try {
    const { size } = fstatSync(handle);
    const bytes =
      buffer !== undefined && buffer.length >= size ? buffer.subarray(0, size) : new Uint8Array(size);
    let filled = 0;
    for (let count = 1; count > 0 && filled < size; filled += count) {
      count = readSync(handle, bytes, filled, size - filled, filled);
    }
    return bytes.subarray(0, filled);
  } finally {
    closeSync(handle);
  }
}

/** The folder of an installed package, whose code is not loaded; `null` where it is not installed. */
export function packageFolder(name: string): string | null {
  try {
    return path.dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch (error) {
    if ((error as { code?: unknown }).code === 'MODULE_NOT_FOUND') return null;
    throw error;
  }
}

/** The home folder of whoever runs the process. */
export function homeFolder(): string {
  return homedir();
}

/** Bytes of a file; `null` where there is none. */
export function fileBytes(file: string): number | null {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats?.isFile() === true ? stats.size : null;
}

/** Adds bytes to the end of a file, which is made where there is none. Errors: as `Files`. */
export async function appendBytes(file: string, bytes: Uint8Array): Promise<void> {
  await appendFile(file, bytes).catch((error: unknown) =>
    guard(file, () => {
      throw error;
    }),
  );
}
