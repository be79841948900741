/**
 * The one port of the system: what the local engine, its worker-thread proxy and the HTTP client implement,
 * and what the client facade and the server consume. One conformance suite (test/conformance) runs on every
 * implementation.
 *
 * Arguments are already validated (by the facade or by the server's wire parsers) and are plain data that
 * survives a thread hand-over. Every call may be given an `AbortSignal`: a call that has not begun is
 * dropped; one that has begun runs to its end, since a write is a single transaction, and only its answer is
 * dropped.
 *
 * Errors are `DatabaseError`s. Every method rejects with `TESSERA_CLOSED` once the backend is closed.
 */

import type { CollectionConfiguration, ConfigurationUpdate } from './configuration.ts';
import type {
  DeleteRequest,
  DeleteResult,
  GetRequest,
  Neighbours,
  QueryRequest,
  RecordBatch,
  RecordColumns,
  RecordSelection,
} from './records.ts';
import type { CollectionSchema } from './schema.ts';
import type { CollectionStatistics, RepairReport, SalvageReport, VerifyReport } from './statistics.ts';

/** Options of every call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Whether the batch of a write is the backend's from now on. A thread then takes the block of embeddings
   * over, which spares a copy, and leaves the caller's empty.
   */
  readonly isBatchGivenAway?: boolean | undefined;
}

/** Names a database. */
export interface DatabaseScope {
  readonly tenant: string;
  readonly database: string;
}

/** Names a collection by its UUID within a database. */
export interface CollectionScope extends DatabaseScope {
  readonly collectionId: string;
}

/** A tenant. */
export interface TenantInfo {
  readonly name: string;
  readonly resourceName: string | null;
}

/** A database of a tenant. */
export interface DatabaseInfo {
  readonly id: string;
  readonly name: string;
  readonly tenant: string;
}

/** A collection as its clients see it. */
export interface CollectionInfo {
  readonly id: string;
  readonly name: string;
  readonly tenant: string;
  readonly database: string;
  /** Canonical JSON object, or `null` for none. */
  readonly metadata: string | null;
  readonly configuration: CollectionConfiguration;
  readonly schema: CollectionSchema;
  /** `null` until the first embedding fixed it. */
  readonly dimension: number | null;
}

/** What `createCollection` takes; configuration and schema are complete (defaults filled in). */
export interface CollectionInput {
  readonly name: string;
  readonly metadata: string | null;
  readonly configuration: CollectionConfiguration;
  readonly schema: CollectionSchema;
  readonly getOrCreate: boolean;
}

/** What `updateCollection` changes; `undefined` leaves a part as it is, `metadata` replaces the whole map. */
export interface CollectionChanges {
  readonly name?: string | undefined;
  readonly metadata?: string | null | undefined;
  readonly configuration?: ConfigurationUpdate | undefined;
}

/** A part of a list, in its fixed order. */
export interface Page {
  readonly limit: number | null;
  readonly offset: number;
}

/** Which changes of a collection: those after a position, of records after a row. */
export interface ChangesRequest {
  /** Position of the change sequence; 0 for all records. */
  readonly after: number;
  /** Rows up to here were read before; 0 for none. */
  readonly afterRow: number;
  /** Rows beyond are left for later, so that who reads comes to an end; `null` for no bound. */
  readonly throughRow: number | null;
  readonly limit: number;
}

/** Records that have changed, in insertion order, as they are now. */
export interface RecordChanges {
  /** Everything but embeddings. */
  readonly columns: RecordColumns;
  /** Row of the last record, from which to go on; `null` when there are no more. */
  readonly lastRow: number | null;
  /** Position of the change sequence as of this answer. */
  readonly sequence: number;
  /** The last row that was given out. */
  readonly endRow: number;
  readonly recordCount: number;
  /** Whether records were deleted after the position. */
  readonly hasDeletions: boolean;
}

/** How one collection takes another's place. */
export interface SuccessionRequest {
  readonly successorId: string;
  /** Position of the change sequence that the successor stands for. */
  readonly sequence: number;
  /** Name that the collection has from then on. */
  readonly formerName: string;
}

/** What a backend can take. */
export interface BackendLimits {
  readonly batchSizeMax: number;
}

/** Who the caller is. */
export interface Identity {
  readonly userId: string;
  readonly tenant: string;
  readonly databases: readonly string[];
}

/** The port. See the top of this file. */
export interface Backend {
  heartbeat(options?: CallOptions): Promise<bigint>;
  version(options?: CallOptions): Promise<string>;
  limits(options?: CallOptions): Promise<BackendLimits>;
  identity(options?: CallOptions): Promise<Identity>;
  /** Deletes everything. `TESSERA_FORBIDDEN` unless the settings allow it. */
  reset(options?: CallOptions): Promise<void>;

  createTenant(name: string, options?: CallOptions): Promise<void>;
  getTenant(name: string, options?: CallOptions): Promise<TenantInfo>;
  createDatabase(scope: DatabaseScope, options?: CallOptions): Promise<void>;
  getDatabase(scope: DatabaseScope, options?: CallOptions): Promise<DatabaseInfo>;
  /** Ordered by name; an unknown tenant has none. */
  listDatabases(tenant: string, page: Page, options?: CallOptions): Promise<DatabaseInfo[]>;
  /** With all its collections. */
  deleteDatabase(scope: DatabaseScope, options?: CallOptions): Promise<void>;

  createCollection(
    scope: DatabaseScope,
    input: CollectionInput,
    options?: CallOptions,
  ): Promise<CollectionInfo>;
  getCollection(scope: DatabaseScope, name: string, options?: CallOptions): Promise<CollectionInfo>;
  getCollectionById(scope: CollectionScope, options?: CallOptions): Promise<CollectionInfo>;
  /** By the UUID alone, whatever its database: for protocols that name no database beside it. */
  findCollection(collectionId: string, options?: CallOptions): Promise<CollectionInfo>;
  /** Ordered by UUID, as Chroma lists them; an unknown database has none. */
  listCollections(scope: DatabaseScope, page: Page, options?: CallOptions): Promise<CollectionInfo[]>;
  countCollections(scope: DatabaseScope, options?: CallOptions): Promise<number>;
  updateCollection(scope: CollectionScope, changes: CollectionChanges, options?: CallOptions): Promise<void>;
  /** With its records and files. */
  deleteCollection(scope: DatabaseScope, name: string, options?: CallOptions): Promise<void>;

  /**
   * Copies a collection as it is now under another name; each goes its own way from then on. Other calls go
   * on meanwhile.
   */
  fork(scope: CollectionScope, name: string, options?: CallOptions): Promise<CollectionInfo>;
  /** Forks of the collection, of its forks, and of what it is a fork of, as far as they are there. */
  countForks(scope: CollectionScope, options?: CallOptions): Promise<number>;

  /** Records that changed after a position; who reads until there are none has followed the collection. */
  changes(scope: CollectionScope, request: ChangesRequest, options?: CallOptions): Promise<RecordChanges>;
  /**
   * Gives the name and the metadata of a collection to another one that holds its records, in one
   * transaction; `null`, and nothing is changed, where the collection has changed after the position. Its
   * former self keeps its records under another name and refuses calls about them with `TESSERA_SUPERSEDED`.
   */
  succeed(
    scope: CollectionScope,
    request: SuccessionRequest,
    options?: CallOptions,
  ): Promise<CollectionInfo | null>;

  /** Inserts; ids that are stored already are left untouched; of an id given twice the first wins. */
  add(scope: CollectionScope, batch: RecordBatch, options?: CallOptions): Promise<void>;
  /** Inserts or updates; of an id twice in the batch both are applied in order. */
  upsert(scope: CollectionScope, batch: RecordBatch, options?: CallOptions): Promise<void>;
  /** Updates; ids that are not stored are ignored. Metadata is merged key by key. */
  update(scope: CollectionScope, batch: RecordBatch, options?: CallOptions): Promise<void>;
  delete(scope: CollectionScope, request: DeleteRequest, options?: CallOptions): Promise<DeleteResult>;
  get(scope: CollectionScope, request: GetRequest, options?: CallOptions): Promise<RecordColumns>;
  /** Each embedding's answer is of one moment; those of many may be of several, in their order. */
  query(scope: CollectionScope, request: QueryRequest, options?: CallOptions): Promise<Neighbours[]>;
  count(scope: CollectionScope, options?: CallOptions): Promise<number>;

  /** Resolves when every index has taken in all that was acknowledged before the call. */
  settle(scope: CollectionScope, options?: CallOptions): Promise<void>;
  statistics(scope: CollectionScope, options?: CallOptions): Promise<CollectionStatistics>;
  /** Compares every record with its checksums and with the indexes; other calls go on meanwhile. */
  verify(scope: CollectionScope, options?: CallOptions): Promise<VerifyReport>;
  /** Verifies, and makes anew what differs in the indexes. Records are never changed. */
  repair(scope: CollectionScope, options?: CallOptions): Promise<RepairReport>;

  /** Copies what can be read of a damaged collection under another name; the damaged one stays as it is. */
  salvage(scope: CollectionScope, name: string, options?: CallOptions): Promise<SalvageReport>;

  /** Finishes what has begun and releases files and threads. Idempotent. */
  close(): Promise<void>;
}

/** Every method but `close`: what a proxy has to forward. */
export type BackendMethod = Exclude<keyof Backend, 'close'>;

export type { RecordSelection };
