/**
 * One worker thread as the calling thread sees it: calls that are answered, notices that are not, and an end.
 *
 * The thread keeps the process alive only while calls are under way, so that a program that forgets `close`
 * still ends. When the thread dies, its calls fail with `TESSERA_WORKER_STOPPED`; whether a write among them
 * was committed is then unknown, as after a lost connection, and everything acknowledged before is on the
 * disk, if there is one.
 */
import { Worker } from 'node:worker_threads';
import type { BackendMethod, CallOptions, CollectionScope, RecordBatch } from '../api/index.ts';
import { abortError, DatabaseError } from '../base/index.ts';
import { checkThreadFile } from '../io/index.ts';
import { ReadTraffic } from './read-traffic.ts';
import {
  blocksOf,
  unpackError,
  type WorkerData,
  type WorkerNotice,
  type WorkerRequest,
  type WorkerResponse,
} from './worker-protocol.ts';

interface PendingCall {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/** What a thread tells of its own accord. */
export interface WorkerEvents {
  /** It has ended, and nobody told it to. Its calls have failed with this error. */
  readonly onStopped: (error: Error) => void;
  /** One of its queries would have used a text index. */
  readonly onTextIndexWanted: (scope: CollectionScope) => void;
  /** It writes, and has had nothing to do for a while. */
  readonly onIdle: () => void;
}

/**
 * What the thread takes over of the options that Node was started with. Others are for the main script:
 * `--input-type` keeps a thread from starting, `--import` would load the program's tools once more. Options
 * of the whole process, such as the size of the heap, hold without being named, and Node refuses them here.
 * What silences warnings has to be named, or SQLite's would be shown all the same.
 */
const WARNING_SWITCHES = /^--(?:no-warnings|no-deprecation|disable-warning=.+)$/;

/**
 * Memory for young objects in MB. Node's default of 48 fills with what a batch leaves behind, and every
 * thread has its own; with 4 the rates are the same. A reader has no batches, and 2 MB less with 2.
 */
const YOUNG_MB = { writer: 4, whole: 4, reader: 2 } as const;

/** See the top of this file. */
export class WorkerThread {
  readonly #worker: Worker;
  /** Directory of the database, `null` for one in memory. */
  readonly #path: string | null;
  readonly #events: WorkerEvents;
  readonly #noteCall: () => void;
  readonly #calls = new Map<number, PendingCall>();
  #nextCallId = 1;
  #failure: Error | null = null;

  private constructor(worker: Worker, data: WorkerData, events: WorkerEvents) {
    this.#worker = worker;
    this.#path = data.settings.path;
    this.#events = events;
    const { readCounts, reader } = data;
    const traffic = new ReadTraffic(readCounts);
    this.#noteCall = reader === null ? () => {} : () => traffic.noteCall(reader);
  }

  /** Starts the thread and opens the database in it. Errors: those of opening it and of `checkThreadFile`. */
  static async start(workerUrl: URL, workerData: WorkerData, events: WorkerEvents): Promise<WorkerThread> {
    const execArgv = process.execArgv.filter((option) => WARNING_SWITCHES.test(option));
    const name = `tessera-${workerData.role.kind}`;
    checkThreadFile(workerUrl);
    const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_MB[workerData.role.kind] };
    // Descriptors that are kept for the sake of locks outlive the thread (io/files.ts).
    const lasting = { trackUnmanagedFds: false };
    const worker = new Worker(workerUrl, { workerData, name, execArgv, resourceLimits, ...lasting });
    const thread = new WorkerThread(worker, workerData, events);
    await new Promise<void>((resolve, reject) => {
      worker.on('message', (response: WorkerResponse) => {
        if (response.kind === 'opened') resolve();
        else if (response.kind === 'failed') reject(unpackError(response.error));
        else if (response.kind === 'textIndexWanted') events.onTextIndexWanted(response.scope);
        else if (response.kind === 'idle') events.onIdle();
        else thread.#settle(response);
      });
      worker.once('error', reject);
      worker.once('exit', () => reject(stoppedError(undefined, workerData.settings.path)));
    }).catch(async (error: unknown) => {
      await worker.terminate();
      throw error;
    });
    worker.on('error', (error) => thread.#stopped(error));
    worker.on('exit', () => thread.#stopped(undefined));
    worker.unref();
    return thread;
  }

  /** Calls under way. */
  get callCount(): number {
    return this.#calls.size;
  }

  /**
   * Makes a call; `isBatchGivenAway` speaks of the second parameter. Errors: those of the method,
   * `TESSERA_ABORTED`, `TESSERA_WORKER_STOPPED`.
   */
  call<T>(
    method: BackendMethod | 'close',
    parameters: readonly unknown[],
    { signal, isBatchGivenAway }: CallOptions,
  ): Promise<T> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (signal?.aborted === true) return Promise.reject(abortError(signal, 'notBegun'));
    const callId = this.#nextCallId++;
    const onAbort = (): void => this.#post({ kind: 'abort', callId });
    const result = new Promise<T>((resolve, reject) => {
      this.#calls.set(callId, { resolve, reject });
      this.#worker.ref();
      const moved = isBatchGivenAway === true ? blocksOf(parameters[1] as RecordBatch) : [];
      const isAbortable = signal !== undefined;
      this.#post({ kind: 'call', callId, method, arguments: parameters, isAbortable }, moved);
      // Afterwards, since what cannot be sent is never received.
      this.#noteCall();
    });
    if (signal === undefined) return result;
    signal.addEventListener('abort', onAbort, { once: true });
    return result.finally(() => signal.removeEventListener('abort', onAbort));
  }

  /** Tells the thread something that has no answer. */
  notify(notice: WorkerNotice): void {
    this.#post(notice);
  }

  /** Lets the thread answer the calls under way and close its database, then ends it. */
  async close(): Promise<void> {
    if (this.#failure !== null) return;
    try {
      await this.call('close', [], {});
    } finally {
      await this.end(closedError());
    }
  }

  /** Ends the thread where it stands; calls under way and later ones fail with `reason`. */
  async end(reason: Error): Promise<void> {
    this.#failure ??= reason;
    this.#rejectCalls(this.#failure);
    await this.#worker.terminate();
  }

  #post(request: WorkerRequest, moved: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(request, moved);
  }

  #settle(response: WorkerResponse & { kind: 'result' | 'error' }): void {
    const call = this.#calls.get(response.callId);
    if (call === undefined) return;
    this.#calls.delete(response.callId);
    if (this.#calls.size === 0) this.#worker.unref();
    if (response.kind === 'result') call.resolve(response.value as never);
    else call.reject(unpackError(response.error));
  }

  #stopped(cause: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = stoppedError(cause, this.#path);
    this.#rejectCalls(this.#failure);
    this.#events.onStopped(this.#failure);
  }

  #rejectCalls(error: Error): void {
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
  }
}

/** The error of every call after `close`. */
export function closedError(): DatabaseError {
  return new DatabaseError('TESSERA_CLOSED', 'The client is closed. Open a new one.');
}

function stoppedError(cause: unknown, path: string | null): DatabaseError {
  const advice =
    path === null
      ? 'What it held in memory is lost. Open a new client.'
      : 'Another takes its place: make the call again. Acknowledged writes are stored; whether one under way is, a read tells.';
  const message = `A worker thread of the database has stopped. ${advice}`;
  return new DatabaseError('TESSERA_WORKER_STOPPED', message, cause === undefined ? {} : { cause });
}
