/**
 * The model in this process: threads that share its weights, and the calls they share out.
 *
 * A call is cut into jobs of some dozens of milliseconds. What has just been asked for comes first, then the
 * calls under way take turns, so that a query waits for one job and not for the thousands of texts that
 * somebody is adding. The first thread loads the weights when the first text comes; others join when there
 * is more to do than one can do soon, up to the number that was asked for. With 0 threads the calling thread
 * does everything, in pieces of a few milliseconds.
 *
 * A thread that stops fails the call it was answering; the next call starts another.
 */
import { abortError } from '../../base/index.ts';
import { DIMENSION } from './layout.ts';
import { type EmbeddingRuntime, type Embeds, Workers, type WorkersOptions } from './workers.ts';

/** Characters in a job: some 250 tokens of English, one pass of the encoder, 30 to 40 ms. */
const JOB_CHARACTERS = 1_000;
/** Characters of a text that count; what follows is hardly read, since the model reads 128 tokens. */
const TEXT_CHARACTERS = 640;
/** Jobs that have to wait before another thread is started, which takes about 0.1 s. */
const CROWD = 8;

/** A worker with its place in the memory, which nobody else may have at the same time. */
interface Placed {
  readonly worker: Embeds;
  readonly index: number;
}

/** A call under way. */
interface Call {
  readonly texts: readonly string[];
  readonly rows: Float32Array[];
  readonly resolve: (rows: Float32Array[]) => void;
  readonly reject: (error: unknown) => void;
  /** The first text that is in no job yet. */
  next: number;
  /** Texts without a row. */
  missing: number;
}

/** See the top of this file. */
export class EncoderPool {
  readonly #workers: Workers;
  readonly #idle: Placed[] = [];
  /** Places in the memory that nobody has, and so how many workers may still come. */
  readonly #places: number[];
  /** Calls that nobody has worked on, the oldest first. */
  readonly #fresh: Call[] = [];
  /** The others that have texts in no job yet, the one whose turn it is first. */
  readonly #begun: Call[] = [];
  /** Workers that are there or on their way. */
  #workerCount = 0;
  #isStarting = false;

  /** By default with our own runtime. */
  constructor(options: WorkersOptions) {
    this.#workers = new Workers(options);
    this.#places = Array.from({ length: this.#workers.count }, (_, i) => i);
  }

  /** What computes; `null` before the first text. */
  get runtime(): EmbeddingRuntime | null {
    return this.#workers.runtime;
  }

  /**
   * One embedding a text. Errors: `TESSERA_MODEL_MISSING`, `TESSERA_MODEL_DAMAGED`, `TESSERA_LIMIT_EXCEEDED`,
   * `TESSERA_WORKER_STOPPED`, `TESSERA_ABORTED`.
   */
  embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    if (texts.length === 0) return Promise.resolve([]);
    let stopListening = (): void => {};
    const embedded = new Promise<Float32Array[]>((resolve, reject) => {
      const call: Call = {
        texts,
        rows: new Array(texts.length),
        resolve,
        reject,
        next: 0,
        missing: texts.length,
      };
      const onAbort = (): void => this.#fail(call, abortError(signal!));
      if (signal?.aborted === true) {
        onAbort();
        return;
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      stopListening = () => signal?.removeEventListener('abort', onAbort);
      this.#fresh.push(call);
      this.#dispatch();
    });
    return embedded.finally(() => stopListening());
  }

  /** Gives jobs to whoever is idle, and asks for help where there are many. */
  #dispatch(): void {
    for (let call = this.#nextCall(); call !== undefined; call = this.#nextCall()) {
      const placed = this.#idleWorker();
      if (placed === undefined) {
        // It keeps its turn.
        (call.next === 0 ? this.#fresh : this.#begun).unshift(call);
        break;
      }
      void this.#work(placed, call);
    }
    if (this.#isStarting || (this.#fresh.length === 0 && this.#begun.length === 0)) return;
    if (this.#workerCount === 0 || (this.#places.length > 0 && this.#isCrowded())) void this.#start();
  }

  #nextCall(): Call | undefined {
    return this.#fresh.shift() ?? this.#begun.shift();
  }

  #idleWorker(): Placed | undefined {
    let placed = this.#idle.pop();
    for (; placed?.worker.hasStopped === true; placed = this.#idle.pop()) {
      this.#workerCount--;
      this.#places.push(placed.index);
    }
    return placed;
  }

  #isCrowded(): boolean {
    let characters = 0;
    for (const call of [...this.#fresh, ...this.#begun]) {
      for (let i = call.next; i < call.texts.length; i++) {
        characters += Math.min(call.texts[i]!.length, TEXT_CHARACTERS);
        if (characters > CROWD * JOB_CHARACTERS) return true;
      }
    }
    return false;
  }

  async #start(): Promise<void> {
    this.#isStarting = true;
    this.#workerCount++;
    const index = this.#places.pop()!;
    try {
      const worker = await this.#workers.start(index, this.#workerCount === 1);
      this.#idle.push({ worker, index });
    } catch (error) {
      this.#workerCount--;
      // Where others work, they go on without the one that did not come, and its place is given up.
      if (this.#workerCount === 0) {
        this.#places.push(index);
        for (const call of [...this.#fresh, ...this.#begun]) this.#fail(call, error);
      }
    }
    this.#isStarting = false;
    this.#dispatch();
  }

  async #work(placed: Placed, call: Call): Promise<void> {
    const first = call.next;
    const texts = takeJob(call);
    if (call.next < call.texts.length) this.#begun.push(call);
    try {
      const embeddings = await placed.worker.embed(texts);
      for (let i = 0; i < texts.length; i++) {
        call.rows[first + i] = embeddings.subarray(i * DIMENSION, (i + 1) * DIMENSION);
      }
      call.missing -= texts.length;
      if (call.missing === 0) call.resolve(call.rows);
    } catch (error) {
      this.#fail(call, error);
    }
    this.#idle.push(placed);
    this.#dispatch();
  }

  #fail(call: Call, error: unknown): void {
    for (const calls of [this.#fresh, this.#begun]) {
      const at = calls.indexOf(call);
      if (at >= 0) calls.splice(at, 1);
    }
    call.reject(error);
  }
}

/** The next texts of a call, about a job's worth. */
function takeJob(call: Call): string[] {
  const texts: string[] = [];
  for (let characters = 0; call.next < call.texts.length; ) {
    const text = call.texts[call.next]!;
    characters += Math.min(text.length, TEXT_CHARACTERS);
    if (texts.length > 0 && characters > JOB_CHARACTERS) break;
    texts.push(text);
    call.next++;
  }
  return texts;
}
