/** Temporary directories that go away with the test that made them. */
import { accessSync, constants, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A new empty directory, removed when the running test ends. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'tessera-test-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Where Linux keeps files in memory, which makes a sync of them free. */
const MEMORY_FOLDER = '/dev/shm';
/** Free bytes from which on it serves; containers are often given 64 MB. */
const MEMORY_BYTES_MIN = 512 * 1_048_576;

let fleetingRoot: string | undefined;

function rootOfFleeting(): string {
  try {
    accessSync(MEMORY_FOLDER, constants.W_OK);
    const { bavail, bsize } = statfsSync(MEMORY_FOLDER);
    return bavail * bsize >= MEMORY_BYTES_MIN ? MEMORY_FOLDER : tmpdir();
  } catch {
    return tmpdir();
  }
}

/** The same in memory, where the system has room for files there: for what is written to be read once. */
export function fleetingDirectory(): string {
  const path = makeFleetingDirectory();
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** The same for several tests, whose file removes it. */
export function makeFleetingDirectory(): string {
  fleetingRoot ??= rootOfFleeting();
  return mkdtempSync(join(fleetingRoot, 'tessera-test-'));
}
