/** What the engine is handed rather than reaches for: time, chance, files, its part, the worker's program. */
import type { CollectionScope } from '../api/index.ts';
import { type Clock, type Random, systemClock, systemRandom } from '../base/index.ts';
import { type Files, systemFiles } from '../io/index.ts';
import type { IndexTuning } from '../query/index.ts';
import { NO_READS, type Reads } from './read-traffic.ts';

/**
 * The part of an engine among the threads that have one directory open together.
 *
 * Every one can do everything that is asked of it; the part says which work it does of its own accord. The
 * `'writer'` keeps what follows the records in files (text indexes, free pages, files of deleted collections)
 * and no vector indexes; a `'reader'` keeps vector indexes in memory; the `'whole'` does both.
 */
export interface EngineRole {
  readonly kind: 'whole' | 'writer' | 'reader';
  /** Whether it writes the cells of vector indexes into the collections' files; one of all does. */
  readonly keepsCells: boolean;
}

/** Objects that an engine works with. */
export interface Components {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  readonly role: EngineRole;
  /** How a reader tells the writer that a query would have used a text index and found none. */
  readonly requestTextIndex: (scope: CollectionScope) => void;
  /** Whether a call has been sent that the event loop has not brought yet. */
  readonly isCalled: () => boolean;
  /** What other threads are asked for. */
  readonly readsElsewhere: () => Reads;
  /** How a reader tells how many rows each query like its last one looks at until they are taken in. */
  readonly notePending: (count: number) => void;
  /**
   * The worker thread's program; by default the built file beside this one. Threads always use the system's
   * others.
   */
  readonly workerUrl: URL;
  /** Other constants of the vector index than the measured ones, for tests; threads always use those. */
  readonly indexTuning?: IndexTuning | undefined;
}

/** The machine's own, for an engine that is alone. */
export const SYSTEM_COMPONENTS: Components = {
  clock: systemClock,
  random: systemRandom,
  files: systemFiles,
  role: { kind: 'whole', keepsCells: true },
  requestTextIndex: () => {},
  isCalled: () => false,
  readsElsewhere: () => NO_READS,
  notePending: () => {},
  workerUrl: new URL('./worker.js', import.meta.url),
};
