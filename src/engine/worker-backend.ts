/** `Backend` on worker threads: forwards every call and keeps the caller's event loop free. */
import type {
  Backend,
  BackendLimits,
  BackendMethod,
  CallOptions,
  ChangesRequest,
  CollectionChanges,
  CollectionInfo,
  CollectionInput,
  CollectionScope,
  CollectionStatistics,
  DatabaseInfo,
  DatabaseScope,
  DeleteRequest,
  DeleteResult,
  GetRequest,
  Identity,
  Neighbours,
  Page,
  QueryRequest,
  RecordBatch,
  RecordChanges,
  RecordColumns,
  RepairReport,
  SalvageReport,
  SuccessionRequest,
  TenantInfo,
  VerifyReport,
} from '../api/index.ts';
import type { EngineSettings } from './settings.ts';
import { ThreadPool } from './thread-pool.ts';

/** See the top of this file; made by `open`. */
export class WorkerBackend implements Backend {
  readonly #pool: ThreadPool;

  private constructor(pool: ThreadPool) {
    this.#pool = pool;
  }

  /** Starts the threads and opens the database in them. Errors: those of opening it. */
  static async open(settings: EngineSettings, workerUrl: URL): Promise<WorkerBackend> {
    return new WorkerBackend(await ThreadPool.open(settings, workerUrl));
  }

  heartbeat(options?: CallOptions): Promise<bigint> {
    return this.#call('heartbeat', [], options);
  }

  version(options?: CallOptions): Promise<string> {
    return this.#call('version', [], options);
  }

  limits(options?: CallOptions): Promise<BackendLimits> {
    return this.#call('limits', [], options);
  }

  identity(options?: CallOptions): Promise<Identity> {
    return this.#call('identity', [], options);
  }

  reset(options?: CallOptions): Promise<void> {
    return this.#call('reset', [], options);
  }

  createTenant(name: string, options?: CallOptions): Promise<void> {
    return this.#call('createTenant', [name], options);
  }

  getTenant(name: string, options?: CallOptions): Promise<TenantInfo> {
    return this.#call('getTenant', [name], options);
  }

  createDatabase(scope: DatabaseScope, options?: CallOptions): Promise<void> {
    return this.#call('createDatabase', [scope], options);
  }

  getDatabase(scope: DatabaseScope, options?: CallOptions): Promise<DatabaseInfo> {
    return this.#call('getDatabase', [scope], options);
  }

  listDatabases(tenant: string, page: Page, options?: CallOptions): Promise<DatabaseInfo[]> {
    return this.#call('listDatabases', [tenant, page], options);
  }

  deleteDatabase(scope: DatabaseScope, options?: CallOptions): Promise<void> {
    return this.#call('deleteDatabase', [scope], options);
  }

  createCollection(
    scope: DatabaseScope,
    input: CollectionInput,
    options?: CallOptions,
  ): Promise<CollectionInfo> {
    return this.#call('createCollection', [scope, input], options);
  }

  getCollection(scope: DatabaseScope, name: string, options?: CallOptions): Promise<CollectionInfo> {
    return this.#call('getCollection', [scope, name], options);
  }

  getCollectionById(scope: CollectionScope, options?: CallOptions): Promise<CollectionInfo> {
    return this.#call('getCollectionById', [scope], options);
  }

  findCollection(collectionId: string, options?: CallOptions): Promise<CollectionInfo> {
    return this.#call('findCollection', [collectionId], options);
  }

  listCollections(scope: DatabaseScope, page: Page, options?: CallOptions): Promise<CollectionInfo[]> {
    return this.#call('listCollections', [scope, page], options);
  }

  countCollections(scope: DatabaseScope, options?: CallOptions): Promise<number> {
    return this.#call('countCollections', [scope], options);
  }

  updateCollection(scope: CollectionScope, changes: CollectionChanges, options?: CallOptions): Promise<void> {
    return this.#call('updateCollection', [scope, changes], options);
  }

  deleteCollection(scope: DatabaseScope, name: string, options?: CallOptions): Promise<void> {
    return this.#call('deleteCollection', [scope, name], options);
  }

  fork(scope: CollectionScope, name: string, options?: CallOptions): Promise<CollectionInfo> {
    return this.#call('fork', [scope, name], options);
  }

  countForks(scope: CollectionScope, options?: CallOptions): Promise<number> {
    return this.#call('countForks', [scope], options);
  }

  changes(scope: CollectionScope, request: ChangesRequest, options?: CallOptions): Promise<RecordChanges> {
    return this.#call('changes', [scope, request], options);
  }

  succeed(
    scope: CollectionScope,
    request: SuccessionRequest,
    options?: CallOptions,
  ): Promise<CollectionInfo | null> {
    return this.#call('succeed', [scope, request], options);
  }

  add(scope: CollectionScope, batch: RecordBatch, options?: CallOptions): Promise<void> {
    return this.#call('add', [scope, batch], options);
  }

  upsert(scope: CollectionScope, batch: RecordBatch, options?: CallOptions): Promise<void> {
    return this.#call('upsert', [scope, batch], options);
  }

  update(scope: CollectionScope, batch: RecordBatch, options?: CallOptions): Promise<void> {
    return this.#call('update', [scope, batch], options);
  }

  delete(scope: CollectionScope, request: DeleteRequest, options?: CallOptions): Promise<DeleteResult> {
    return this.#call('delete', [scope, request], options);
  }

  get(scope: CollectionScope, request: GetRequest, options?: CallOptions): Promise<RecordColumns> {
    return this.#call('get', [scope, request], options);
  }

  query(scope: CollectionScope, request: QueryRequest, options?: CallOptions): Promise<Neighbours[]> {
    return this.#call('query', [scope, request], options);
  }

  count(scope: CollectionScope, options?: CallOptions): Promise<number> {
    return this.#call('count', [scope], options);
  }

  settle(scope: CollectionScope, options?: CallOptions): Promise<void> {
    return this.#call('settle', [scope], options);
  }

  statistics(scope: CollectionScope, options?: CallOptions): Promise<CollectionStatistics> {
    return this.#call('statistics', [scope], options);
  }

  verify(scope: CollectionScope, options?: CallOptions): Promise<VerifyReport> {
    return this.#call('verify', [scope], options);
  }

  repair(scope: CollectionScope, options?: CallOptions): Promise<RepairReport> {
    return this.#call('repair', [scope], options);
  }

  salvage(scope: CollectionScope, name: string, options?: CallOptions): Promise<SalvageReport> {
    return this.#call('salvage', [scope, name], options);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  #call<T>(
    method: BackendMethod,
    parameters: readonly unknown[],
    options: CallOptions | undefined,
  ): Promise<T> {
    return this.#pool.call(method, parameters, options);
  }
}
