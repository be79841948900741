/** Settings as callers give them, checked, completed, and shared out among the threads. */
import { DEFAULT_SETTINGS, LIMITS, type Settings } from '../api/index.ts';
import { DatabaseError, show } from '../base/index.ts';

/** Settings of one engine: `memory` is the number of bytes that its indexes may take. */
export interface EngineSettings extends Settings {
  readonly memory: number;
}

/** Less than this is a unit forgotten rather than meant. */
const MEMORY_BYTES_MIN = 1_000_000;

/**
 * What a process and each worker thread take beside indexes: Node, the heap, SQLite and what is on its way
 * between threads. Measured with a million embeddings of 512 dimensions (`npm run bench -- million`).
 */
const PROCESS_BYTES = 180_000_000;
const THREAD_BYTES = 40_000_000;
/** Share of the memory that indexes get, however much is set aside. */
const INDEX_SHARE_MIN = 1 / 4;

/** What the writer's thread may take, which has no vector indexes: this share, and no more than this. */
const WRITER_MEMORY_SHARE = 1 / 8;
const WRITER_MEMORY_BYTES_MAX = 33_554_432;

/** What each setting must be. */
const EXPECTATIONS: { readonly [Key in keyof Settings]: readonly [string, (value: unknown) => boolean] } = {
  path: ['a directory or null', (value) => value === null || (typeof value === 'string' && value !== '')],
  durability: ["'full' or 'relaxed'", (value) => value === 'full' || value === 'relaxed'],
  threads: [`an integer from 0 to ${LIMITS.threadsMax}`, isThreadCount],
  memory: [
    `a number of bytes from ${MEMORY_BYTES_MIN}, a text such as '512MB' or '1.5GiB', or null`,
    (value) => value === null || (memoryBytes(value) ?? 0) >= MEMORY_BYTES_MIN,
  ],
  allowReset: ['true or false', (value) => typeof value === 'boolean'],
  readOnly: ['true or false', (value) => typeof value === 'boolean'],
  openCollectionsMax: ['an integer from 1', isCount],
  busyTimeoutMs: ['an integer from 1', isCount],
  walPagesMax: ['an integer from 1', isCount],
};

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

function isThreadCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= LIMITS.threadsMax;
}

/** Bytes by unit; the units of 1,024 have an `i`. */
const MEMORY_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** The bytes that a setting of memory names, in whole; `null` for what names none. */
export function memoryBytes(value: unknown): number | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : null;
  if (typeof value !== 'string') return null;
  const [, count, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(value) ?? [];
  const unitBytes = MEMORY_UNITS[unit?.toLowerCase() ?? ''];
  if (count === undefined || unitBytes === undefined) return null;
  const bytes = Math.floor(Number(count) * unitBytes);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/**
 * The settings with every default filled in. A database in memory gets one thread at most, since threads
 * share a directory and nothing else; half of `machineBytes` is what `memory: null` stands for.
 *
 * Errors: `TESSERA_INVALID_ARGUMENT` for an unknown or unusable setting.
 */
export function completeSettings(settings: Partial<Settings>, machineBytes: number): EngineSettings {
  const complete: Record<string, unknown> = { ...DEFAULT_SETTINGS };
  for (const [key, value] of Object.entries(settings)) {
    // A path that was meant to be set, and is not, must not become a database in memory.
    if (value === undefined && key !== 'path') continue;
    if (!Object.hasOwn(EXPECTATIONS, key)) {
      const known = Object.keys(EXPECTATIONS).join(', ');
      throw invalid(`Expected a setting among ${known}, got ${show(key)}.`, key);
    }
    const [expectation, isValid] = EXPECTATIONS[key as keyof Settings];
    if (!isValid(value)) throw invalid(`Expected ${key} to be ${expectation}, got ${show(value)}.`, key);
    complete[key] = value;
  }
  const { path, threads, memory } = complete as unknown as Settings;
  const threadCount = path === null ? Math.min(threads, 1) : threads;
  const bytes = memoryBytes(memory) ?? Math.floor(machineBytes / 2);
  const left = bytes - PROCESS_BYTES - threadCount * THREAD_BYTES;
  return {
    ...(complete as unknown as Settings),
    threads: threadCount,
    memory: Math.max(left, Math.floor(bytes * INDEX_SHARE_MIN)),
  };
}

/** The settings of one thread's engine among `readerCount` readers and their writer. */
export function settingsOfThread(
  settings: EngineSettings,
  kind: 'writer' | 'reader',
  readerCount: number,
): EngineSettings {
  const writerBytes = Math.min(Math.floor(settings.memory * WRITER_MEMORY_SHARE), WRITER_MEMORY_BYTES_MAX);
  const readerBytes = Math.floor((settings.memory - writerBytes) / readerCount);
  return { ...settings, memory: kind === 'writer' ? writerBytes : readerBytes };
}

function invalid(message: string, setting: string): DatabaseError {
  return new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { setting } });
}
