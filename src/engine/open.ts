/** The door to a database: settings in, `Backend` out. */

import { type Backend, DEFAULT_SETTINGS, type Settings } from '../api/index.ts';
import { DatabaseError, show } from '../base/index.ts';
import { type Components, SYSTEM_COMPONENTS } from './components.ts';
import { LocalBackend } from './local-backend.ts';
import { WorkerBackend } from './worker-backend.ts';

/**
 * Opens the database in `settings.path`, or one in memory; what is left out has its default (see
 * `DEFAULT_SETTINGS`).
 *
 * Errors: `TESSERA_INVALID_ARGUMENT` for an unknown or unusable setting, `TESSERA_NOT_A_DATABASE`,
 * `TESSERA_NEWER_FORMAT`, `TESSERA_DRIVER_MISSING`, and those of files and SQLite.
 */
export async function openDatabase(
  settings: Partial<Settings> = {},
  components: Partial<Components> = {},
): Promise<Backend> {
  const complete = completeSettings(settings);
  const parts = { ...SYSTEM_COMPONENTS, ...components };
  return complete.threads === 0
    ? new LocalBackend(complete, parts)
    : WorkerBackend.open(complete, parts.workerUrl);
}

/** What each setting must be. */
const EXPECTATIONS: { readonly [Key in keyof Settings]: readonly [string, (value: unknown) => boolean] } = {
  path: ['a directory or null', (value) => value === null || (typeof value === 'string' && value !== '')],
  durability: ["'full' or 'relaxed'", (value) => value === 'full' || value === 'relaxed'],
  threads: ['0 or 1', (value) => value === 0 || value === 1],
  allowReset: ['true or false', (value) => typeof value === 'boolean'],
  readOnly: ['true or false', (value) => typeof value === 'boolean'],
  openCollectionsMax: ['an integer from 1', isCount],
  busyTimeoutMs: ['an integer from 1', isCount],
  walPagesMax: ['an integer from 1', isCount],
};

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

function completeSettings(settings: Partial<Settings>): Settings {
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
  return complete as unknown as Settings;
}

function invalid(message: string, setting: string): DatabaseError {
  return new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { setting } });
}
