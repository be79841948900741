/** The door to a database: settings in, `Backend` out. */

import type { Backend, Settings } from '../api/index.ts';
import { machineMemoryBytes } from '../io/index.ts';
import { type Components, SYSTEM_COMPONENTS } from './components.ts';
import { LocalBackend } from './local-backend.ts';
import { completeSettings } from './settings.ts';
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
  const complete = completeSettings(settings, machineMemoryBytes());
  const parts = { ...SYSTEM_COMPONENTS, ...components };
  return complete.threads === 0
    ? new LocalBackend(complete, parts)
    : WorkerBackend.open(complete, parts.workerUrl);
}
