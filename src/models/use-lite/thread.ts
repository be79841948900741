/**
 * One embedding thread as the calling thread sees it: a session that answers one call at a time.
 *
 * It keeps the process alive only while it is answering, so that a program which never closes anything ends.
 */
import { Worker } from 'node:worker_threads';
import { DatabaseError, type ErrorData } from '../../base/index.ts';
import { checkThreadFile } from '../../io/index.ts';
import type { SessionPlace } from './session.ts';

/** What the thread computes with, and what it needs to know for that. */
export type ThreadPlace =
  | ({ readonly runtime: 'wasm' } & SessionPlace)
  | { readonly runtime: 'onnx'; readonly folder: string };

/** What the thread says: that it is ready, or how its latest call ended. */
export type ThreadAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'embeddings'; readonly embeddings: Float32Array }
  | { readonly kind: 'refused'; readonly error: ErrorData }
  | { readonly kind: 'fault'; readonly error: unknown };

/** Options of Node that the thread takes over: those that silence warnings, as the engine's threads do. */
const WARNING_SWITCHES = /^--(?:no-warnings|no-deprecation|disable-warning=.+)$/;
/** Memory for young objects in MB; texts and rows are small, and every thread has its own. */
const LIMITS = { maxYoungGenerationSizeMb: 4 };

/** The built program beside this file. */
const WORKER_URL: URL = new URL('./worker.js', import.meta.url);

interface Waiting {
  readonly resolve: (answer: ThreadAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** See the top of this file. */
export class EmbeddingThread {
  readonly #worker: Worker;
  #waiting: Waiting | null = null;
  #failure: Error | null = null;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', (answer: ThreadAnswer) => this.#take()?.resolve(answer));
    worker.on('error', (error) => this.#stop(error));
    worker.on('exit', () => this.#stop(undefined));
  }

  /** Starts a thread and opens a session in it. Errors: those of opening it and of `checkThreadFile`. */
  static async start(place: ThreadPlace, workerUrl: URL = WORKER_URL): Promise<EmbeddingThread> {
    const execArgv = process.execArgv.filter((option) => WARNING_SWITCHES.test(option));
    const name = 'tessera-embedding';
    checkThreadFile(workerUrl);
    const worker = new Worker(workerUrl, { workerData: place, name, execArgv, resourceLimits: LIMITS });
    const thread = new EmbeddingThread(worker);
    try {
      await thread.#answer(() => {});
    } catch (error) {
      await worker.terminate();
      throw error;
    }
    return thread;
  }

  /** Embeddings of texts; not before the call before it has ended. Errors: `TESSERA_WORKER_STOPPED`. */
  async embed(texts: readonly string[]): Promise<Float32Array> {
    const answer = await this.#answer(() => this.#worker.postMessage(texts));
    return (answer as ThreadAnswer & { kind: 'embeddings' }).embeddings;
  }

  /** Whether it has stopped, and will not answer any more. */
  get hasStopped(): boolean {
    return this.#failure !== null;
  }

  async #answer(ask: () => void): Promise<ThreadAnswer> {
    if (this.#failure !== null) throw this.#failure;
    const answered = new Promise<ThreadAnswer>((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
    this.#worker.ref();
    ask();
    const answer = await answered;
    if (answer.kind === 'refused') throw DatabaseError.fromData(answer.error);
    if (answer.kind === 'fault') throw answer.error;
    return answer;
  }

  #take(): Waiting | null {
    const waiting = this.#waiting;
    this.#waiting = null;
    this.#worker.unref();
    return waiting;
  }

  #stop(cause: unknown): void {
    const message = 'A thread that embeds texts has stopped. Make the call again: another is started for it.';
    this.#failure ??= new DatabaseError(
      'TESSERA_WORKER_STOPPED',
      message,
      cause === undefined ? {} : { cause },
    );
    this.#take()?.reject(this.#failure);
  }
}
