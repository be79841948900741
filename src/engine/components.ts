/** What the engine is handed rather than reaches for: time, chance, files, and the worker's program. */
import { type Clock, type Random, systemClock, systemRandom } from '../base/index.ts';
import { type Files, systemFiles } from '../io/index.ts';

/** Objects that an engine works with. */
export interface Components {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  /**
   * The worker thread's program; by default the built file beside this one. Threads always use the system's
   * others.
   */
  readonly workerUrl: URL;
}

/** The machine's own. */
export const SYSTEM_COMPONENTS: Components = {
  clock: systemClock,
  random: systemRandom,
  files: systemFiles,
  workerUrl: new URL('./worker.js', import.meta.url),
};
