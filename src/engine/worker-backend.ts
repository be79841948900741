/**
 * `Backend` on a worker thread: forwards every call and keeps the caller's event loop free.
 *
 * The thread keeps the process alive only while calls are under way, so that a program that forgets `close`
 * still ends. When the thread dies, its calls fail with `TESSERA_WORKER_STOPPED`; whether a write among them
 * was committed is then unknown, as after a lost connection, and everything acknowledged before is on the
 * disk.
 */
import { Worker } from 'node:worker_threads';
import type {
  Backend,
  BackendLimits,
  BackendMethod,
  CallOptions,
  CollectionChanges,
  CollectionInfo,
  CollectionInput,
  CollectionScope,
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
  RecordColumns,
  Settings,
  TenantInfo,
} from '../api/index.ts';
import { DatabaseError } from '../base/index.ts';
import { abortError } from './abort.ts';
import { unpackError, type WorkerRequest, type WorkerResponse } from './worker-protocol.ts';

interface PendingCall {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/**
 * What the thread takes over of the options that Node was started with. Others are for the main script:
 * `--input-type` keeps a thread from starting, `--import` would load the program's tools once more. Options
 * of the whole process, such as the size of the heap, hold without being named, and Node refuses them here.
 * What silences warnings has to be named, or SQLite's would be shown all the same.
 */
const WARNING_SWITCHES = /^--(?:no-warnings|no-deprecation|disable-warning=.+)$/;

/** See the top of this file; made by `open`. */
export class WorkerBackend implements Backend {
  readonly #worker: Worker;
  readonly #calls = new Map<number, PendingCall>();
  #nextCallId = 1;
  #failure: DatabaseError | null = null;
  #closing: Promise<void> | null = null;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  /** Starts the thread and opens the database in it. Errors: those of opening it. */
  static async open(settings: Settings, workerUrl: URL): Promise<WorkerBackend> {
    const execArgv = process.execArgv.filter((option) => WARNING_SWITCHES.test(option));
    const worker = new Worker(workerUrl, { workerData: settings, name: 'tessera', execArgv });
    const backend = new WorkerBackend(worker);
    await new Promise<void>((resolve, reject) => {
      worker.on('message', (response: WorkerResponse) => {
        if (response.kind === 'opened') resolve();
        else if (response.kind === 'failed') reject(unpackError(response.error));
        else backend.#settle(response);
      });
      worker.on('error', (error) => {
        reject(error);
        backend.#fail(error);
      });
      worker.on('exit', () => backend.#fail(undefined));
    }).catch(async (error: unknown) => {
      await worker.terminate();
      throw error;
    });
    worker.unref();
    return backend;
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

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#failure !== null) return;
    try {
      await this.#send('close', [], undefined);
    } finally {
      this.#failure = new DatabaseError('TESSERA_CLOSED', 'The client is closed. Open a new one.');
      await this.#worker.terminate();
    }
  }

  #call<T>(
    method: BackendMethod,
    parameters: readonly unknown[],
    options: CallOptions | undefined,
  ): Promise<T> {
    if (this.#closing !== null) {
      return Promise.reject(new DatabaseError('TESSERA_CLOSED', 'The client is closed. Open a new one.'));
    }
    return this.#send(method, parameters, options?.signal);
  }

  #send<T>(
    method: BackendMethod | 'close',
    parameters: readonly unknown[],
    signal: AbortSignal | undefined,
  ): Promise<T> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (signal?.aborted === true) return Promise.reject(abortError(signal));
    const callId = this.#nextCallId++;
    const onAbort = (): void => this.#post({ kind: 'abort', callId });
    const result = new Promise<T>((resolve, reject) => {
      this.#calls.set(callId, { resolve, reject });
      this.#worker.ref();
      this.#post({ kind: 'call', callId, method, arguments: parameters });
    });
    if (signal === undefined) return result;
    signal.addEventListener('abort', onAbort, { once: true });
    return result.finally(() => signal.removeEventListener('abort', onAbort));
  }

  #post(request: WorkerRequest): void {
    this.#worker.postMessage(request);
  }

  #settle(response: WorkerResponse & { kind: 'result' | 'error' }): void {
    const call = this.#calls.get(response.callId);
    if (call === undefined) return;
    this.#calls.delete(response.callId);
    if (this.#calls.size === 0) this.#worker.unref();
    if (response.kind === 'result') call.resolve(response.value as never);
    else call.reject(unpackError(response.error));
  }

  /** The thread is gone: by `close`, or by a fault. */
  #fail(cause: unknown): void {
    const message =
      'The worker thread of the database has stopped. Open a new client; acknowledged writes are stored.';
    this.#failure ??= new DatabaseError(
      'TESSERA_WORKER_STOPPED',
      message,
      cause === undefined ? {} : { cause },
    );
    for (const call of this.#calls.values()) call.reject(this.#failure);
    this.#calls.clear();
  }
}
