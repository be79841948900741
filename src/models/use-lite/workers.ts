/**
 * How those who embed are started, and which runtime they compute with.
 *
 *   wasm  our own kernels (session.ts); the threads share the weights
 *   onnx  `onnxruntime-node` (onnx/), where the user has installed it; each thread has the weights for itself
 *   auto  onnx on threads where it is installed and works, else wasm; the calling thread takes wasm, which
 *         pauses every few milliseconds, also while it is loaded
 *
 * An installed runtime that does not work is told of, once in a process, and our own takes its place: both
 * have the same weights, so that embeddings agree to 2e-6 and nothing is exchanged for another model.
 */
import { inTurns, warn } from '../../base/index.ts';
import { packageFolder } from '../../io/index.ts';
import { makeSharedMemory, type SharedMemory } from '../../kernel/index.ts';
import { ONNX_PACKAGE } from '../onnx-package.ts';
import { OnnxEmbedder } from './onnx/onnx-embedder.ts';
import { memoryBytes, Session } from './session.ts';
import { EmbeddingThread, type ThreadPlace } from './thread.ts';

/** What computes the embeddings. */
export type EmbeddingRuntime = 'wasm' | 'onnx';

/** Who works: a thread, or the calling thread. */
export interface Embeds {
  embed(texts: readonly string[]): Promise<Float32Array>;
  readonly hasStopped: boolean;
}

/** What workers are started with. */
export interface WorkersOptions {
  /** Folder of the model's files. */
  readonly folder: string;
  /** Threads at most; 0 is the calling thread. */
  readonly threads: number;
  readonly runtime?: EmbeddingRuntime | 'auto' | undefined;
  /** The program of a thread; tests bring another. */
  readonly workerUrl?: URL | undefined;
  /** Whether the package is installed; tests say so. */
  readonly isOnnxInstalled?: (() => boolean) | undefined;
}

/**
 * Threads at most with the runtime that nobody asked for by name: each has the weights for itself, some 100
 * MB, and four embed 2,000 texts a second.
 */
const AUTO_ONNX_THREADS_MAX = 4;

let hasWarned = false;

/** See the top of this file. */
export class Workers {
  /** How many there may be at a time. */
  readonly count: number;
  readonly #options: WorkersOptions;
  #memory: SharedMemory | null = null;
  #isLoaded = false;
  /** What the next is started with. */
  #chosen: EmbeddingRuntime;
  #runtime: EmbeddingRuntime | null = null;

  constructor(options: WorkersOptions) {
    const { runtime: wanted = 'auto', threads, isOnnxInstalled = isInstalled } = options;
    this.#options = options;
    const isOnnx = wanted === 'auto' && threads > 0 && isOnnxInstalled();
    this.#chosen = wanted === 'auto' ? (isOnnx ? 'onnx' : 'wasm') : wanted;
    this.count = Math.max(1, isOnnx ? Math.min(threads, AUTO_ONNX_THREADS_MAX) : threads);
  }

  /** What computes; `null` before anybody was started. */
  get runtime(): EmbeddingRuntime | null {
    return this.#runtime;
  }

  /**
   * Starts one at a place of the shared memory, from 0 to `count` − 1, that nobody else has. `isAlone` says
   * that nobody else is at work, so that the runtime may still be exchanged.
   *
   * Errors: `TESSERA_MODEL_MISSING`, `TESSERA_MODEL_DAMAGED`, `TESSERA_LIMIT_EXCEEDED`,
   * `TESSERA_WORKER_STOPPED`.
   */
  async start(index: number, isAlone: boolean): Promise<Embeds> {
    if (this.#chosen === 'wasm') return this.#startWasm(index);
    try {
      const started = await this.#startOnnx();
      this.#runtime = 'onnx';
      return started;
    } catch (error) {
      if (this.#options.runtime === 'onnx' || !isAlone) throw error;
      const started = await this.#startWasm(index);
      warnOnce(error);
      return started;
    }
  }

  async #startWasm(index: number): Promise<Embeds> {
    this.#memory ??= makeSharedMemory(memoryBytes(this.count));
    const place = { folder: this.#options.folder, memory: this.#memory, index, loads: !this.#isLoaded };
    let started: Embeds;
    if (this.#isInline) {
      const session = await inTurns(Session.open(place));
      started = { embed: (texts) => inTurns(session.embed(texts)), hasStopped: false };
    } else {
      started = await this.#startThread({ runtime: 'wasm', ...place });
    }
    this.#isLoaded = true;
    this.#runtime = 'wasm';
    this.#chosen = 'wasm';
    return started;
  }

  async #startOnnx(): Promise<Embeds> {
    const { folder } = this.#options;
    if (!this.#isInline) return this.#startThread({ runtime: 'onnx', folder });
    const embedder = await OnnxEmbedder.open(folder);
    return { embed: (texts) => embedder.embed(texts), hasStopped: false };
  }

  #startThread(place: ThreadPlace): Promise<EmbeddingThread> {
    return EmbeddingThread.start(place, this.#options.workerUrl);
  }

  get #isInline(): boolean {
    return this.#options.threads === 0;
  }
}

function isInstalled(): boolean {
  return packageFolder(ONNX_PACKAGE) !== null;
}

function warnOnce(error: unknown): void {
  if (hasWarned) return;
  hasWarned = true;
  const { message, details } = error as Error & { readonly details?: { readonly reason?: string } };
  warn(
    'TESSERA_ONNX_RUNTIME',
    `The installed ${ONNX_PACKAGE} does not work here (${details?.reason ?? message}). The default embedding function ` +
      'goes on with its own runtime: the same embeddings to 2e-6, more slowly. ' +
      "The option runtime: 'wasm' does without it and this warning.",
  );
}
