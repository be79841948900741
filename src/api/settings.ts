/** Settings of a database: plain data that can be written to a file, with every default in one place. */

/**
 * When a write counts as done: on the disk, or handed to the operating system (lost in a power cut, never
 * torn).
 */
export type Durability = 'full' | 'relaxed';

/** What a local database can be told. All members have defaults in `DEFAULT_SETTINGS`. */
export interface Settings {
  /** Directory of the database, or `null` for one in memory. */
  readonly path: string | null;
  /** Default `'full'`: acknowledged writes survive a power cut. */
  readonly durability: Durability;
  /**
   * Worker threads, at most `LIMITS.threadsMax`. 0 works on the calling thread, with the lowest latency; 1
   * keeps the caller's event loop free; from 2 on one thread writes and the others read, so that queries wait
   * for no write and use several cores. A database in memory has one at most.
   */
  readonly threads: number;
  /**
   * Memory that the process may take for this database, in bytes or as `'512MB'`; `null` for half of the
   * machine's. Indexes keep what is needed at all; embeddings that do not fit are read from the file.
   */
  readonly memory: number | string | null;
  /** Whether `reset()` may delete everything. */
  readonly allowReset: boolean;
  /** Opens without writing anything; every write is refused. */
  readonly readOnly: boolean;
  /** Collection files that each thread holds open at once; the least recently used is closed first. */
  readonly openCollectionsMax: number;
  /** How long a call waits for another process's write lock before it gives up with `TESSERA_BUSY`. */
  readonly busyTimeoutMs: number;
  /**
   * Pages that the write-ahead log of a collection may hold before a commit moves them into the file; of a
   * small file, 1,000 or a sixteenth of its pages, whichever is more (records/log-length.ts).
   */
  readonly walPagesMax: number;
}

/**
 * Defaults. `openCollectionsMax`: each open file costs three descriptors and some 100 KB; 128 stays under the
 * usual limit of 1,024 descriptors. `busyTimeoutMs`: ten times the longest commit of a full batch seen on a
 * slow disk.
 */
export const DEFAULT_SETTINGS: Settings = {
  path: null,
  durability: 'full',
  threads: 2,
  memory: null,
  allowReset: false,
  readOnly: false,
  openCollectionsMax: 128,
  busyTimeoutMs: 10_000,
  walPagesMax: 4_000,
};

/**
 * Share of the exact answer that a query asks for when it does not say. At 0.99 one neighbour in a hundred is
 * passed over for one that is hardly farther, and a search of 100,000 takes a small part of an exact one's
 * time.
 */
export const DEFAULT_RECALL = 0.99;

/** The tenant that Chroma's clients fall back to. */
export const DEFAULT_TENANT = 'default_tenant';
/** The same for the database. */
export const DEFAULT_DATABASE = 'default_database';
/** Chroma's identifier of the default database. */
export const DEFAULT_DATABASE_ID = '00000000-0000-0000-0000-000000000000';
