/**
 * Chroma's default embedding function: all-MiniLM-L6-v2, 384 dimensions, English.
 *
 * Vectors are those of Chroma's clients: lower case and WordPiece, the mean of the last hidden state over
 * the tokens, brought to length 1. Chroma's two clients cut long texts at different lengths, Python's at 256
 * tokens, JavaScript's at 512; `maxTokens` chooses, and a collection opens with that of the client which
 * made it.
 *
 * Nothing of it comes with the package: the files lie where `findMiniLM` looks or come by `downloadMiniLM`,
 * the runtime is two packages that the user installs. No other model ever takes its place.
 */
import {
  DatabaseError,
  type Environment,
  inTurns,
  type Pieces,
  show,
  systemEnvironment,
  throwIfAborted,
} from '../../base/index.ts';
import type {
  EmbeddingFunction,
  EmbeddingFunctionConfig,
  EmbedOptions,
  TokenCounter,
} from '../../embed/index.ts';
import { findMiniLM } from './minilm-files.ts';
import { type LoadRuntime, loadInstalled, type MiniLMRuntime, type TokenBatch } from './minilm-runtime.ts';

/** Tokens that Chroma's Python client reads. */
const PYTHON_TOKENS = 256;
/** Tokens that Chroma's JavaScript client reads: all that the model has positions for. */
const JAVASCRIPT_TOKENS = 512;
const DIMENSION = 384;
/** Texts that are run together; Chroma's Python client takes as many. */
const BATCH = 32;
/** What Chroma's JavaScript client stores. Python's stores nothing, or what it prefers to run on. */
const JAVASCRIPT_CONFIG = {
  model_name: 'Xenova/all-MiniLM-L6-v2',
  revision: 'main',
  dtype: 'fp32',
  quantized: false,
} as const;

/** What `MiniLMEmbeddingFunction` takes. */
export interface MiniLMOptions {
  /**
   * Folder with model.onnx and tokenizer.json; see docs/embedding.md for where they are looked for without.
   */
  readonly modelPath?: string | undefined;
  /**
   * Tokens of a text that are read, with those of its start and end: 256 as in Python, 512 as in JavaScript.
   */
  readonly maxTokens?: 256 | 512 | undefined;
  /** Where `TESSERA_MINILM_PATH` and `HF_HOME` are looked up; by default the process's variables. */
  readonly environment?: Environment | undefined;
  /** Loads another runtime than the installed packages, for tests. */
  readonly loadRuntime?: LoadRuntime | undefined;
}

/** See the top of this file. Nothing is loaded before the first text. */
export class MiniLMEmbeddingFunction implements EmbeddingFunction {
  /** Chroma's name for it, by which its clients find it, too. */
  readonly name = 'default';
  /** Numbers of an embedding. */
  readonly dimension: number = DIMENSION;
  /** Tokens of a text that are read. */
  readonly maxTokens: number;
  readonly #options: MiniLMOptions;
  #runtime: Promise<MiniLMRuntime> | null = null;

  /** Errors: `TESSERA_INVALID_ARGUMENT`. */
  constructor(options: MiniLMOptions = {}) {
    const { maxTokens = PYTHON_TOKENS } = options;
    if (maxTokens !== PYTHON_TOKENS && maxTokens !== JAVASCRIPT_TOKENS) {
      throw new DatabaseError(
        'TESSERA_INVALID_ARGUMENT',
        `Expected maxTokens to be ${PYTHON_TOKENS} or ${JAVASCRIPT_TOKENS}, got ${show(maxTokens)}.`,
        { details: { argument: 'maxTokens' } },
      );
    }
    this.maxTokens = maxTokens;
    this.#options = options;
  }

  /** Builds what one of Chroma's clients, or ours, has stored. Errors: `TESSERA_EMBEDDING_FUNCTION`. */
  static buildFromConfig(config: EmbeddingFunctionConfig): MiniLMEmbeddingFunction {
    const isJavaScript = config['model_name'] !== undefined;
    const built = new MiniLMEmbeddingFunction({
      maxTokens: isJavaScript ? JAVASCRIPT_TOKENS : PYTHON_TOKENS,
    });
    built.validateConfig(config);
    return built;
  }

  /** What Chroma's client stores that cuts texts where this function does. */
  getConfig(): EmbeddingFunctionConfig {
    return this.maxTokens === JAVASCRIPT_TOKENS ? { ...JAVASCRIPT_CONFIG } : {};
  }

  /** Errors: `TESSERA_EMBEDDING_FUNCTION` for another model, and for weights of less precision. */
  validateConfig({ model_name, dtype, quantized }: EmbeddingFunctionConfig): void {
    const isModel =
      model_name === undefined ||
      (typeof model_name === 'string' && /(?:^|\/)all-MiniLM-L6-v2$/.test(model_name));
    const isWhole = (dtype ?? 'fp32') === 'fp32' && quantized !== true;
    if (isModel && isWhole) return;
    throw new DatabaseError(
      'TESSERA_EMBEDDING_FUNCTION',
      `Expected the embedding function 'default' to be all-MiniLM-L6-v2 in fp32, got ${show({ model_name, dtype, quantized })}. ` +
        'Pass the embeddingFunction that made the collection.',
    );
  }

  /**
   * One embedding of length 1 a text.
   *
   * Errors: `TESSERA_MODEL_MISSING` without the files or the packages, `TESSERA_MODEL_DAMAGED`,
   * `TESSERA_ABORTED`.
   */
  async generate(texts: readonly string[], { signal }: EmbedOptions = {}): Promise<Float32Array[]> {
    const runtime = await this.#load();
    const embeddings: Float32Array[] = [];
    for (let from = 0; from < texts.length; from += BATCH) {
      throwIfAborted(signal);
      const batch = await inTurns(this.#batch(texts.slice(from, from + BATCH), runtime));
      embeddings.push(...meanStates(await runtime.run(batch), batch));
    }
    return embeddings;
  }

  /** Counts tokens as the model does. Errors: as `generate`. */
  async tokenCounter(): Promise<TokenCounter> {
    const runtime = await this.#load();
    return { maxTokens: this.maxTokens, countTokens: (text) => runtime.encode(text).length };
  }

  #load(): Promise<MiniLMRuntime> {
    const { modelPath, environment = systemEnvironment, loadRuntime = loadInstalled } = this.#options;
    this.#runtime ??= (async () => loadRuntime(findMiniLM(modelPath, environment)))();
    // What failed is tried again by the next call: the files may be there by then.
    this.#runtime.catch(() => {
      this.#runtime = null;
    });
    return this.#runtime;
  }

  /** Tokens of some texts, with a pause after each; a text that is cut keeps the token of its end. */
  *#batch(texts: readonly string[], runtime: MiniLMRuntime): Pieces<TokenBatch> {
    const rows: number[][] = [];
    for (const text of texts) {
      const ids = runtime.encode(text);
      rows.push(ids.length <= this.maxTokens ? ids : [...ids.slice(0, this.maxTokens - 1), ids.at(-1)!]);
      yield;
    }
    const columns = Math.max(...rows.map((ids) => ids.length));
    const ids = new BigInt64Array(rows.length * columns);
    const mask = new BigInt64Array(rows.length * columns);
    for (const [row, tokens] of rows.entries()) {
      for (const [column, id] of tokens.entries()) ids[row * columns + column] = BigInt(id);
      mask.fill(1n, row * columns, row * columns + tokens.length);
    }
    return { rows: rows.length, columns, ids, mask };
  }
}

/** The mean over the tokens of each row, brought to length 1. */
function meanStates(states: Float32Array, { rows, columns, mask }: TokenBatch): Float32Array[] {
  return Array.from({ length: rows }, (_, row) => {
    const mean = new Float64Array(DIMENSION);
    for (let column = 0; column < columns; column++) {
      const token = row * columns + column;
      if (mask[token] === 0n) continue;
      for (let i = 0; i < DIMENSION; i++) mean[i]! += states[token * DIMENSION + i]!;
    }
    // The number of tokens cancels out, since the length becomes 1.
    const length = Math.hypot(...mean);
    return Float32Array.from(mean, (value) => (length === 0 ? 0 : value / length));
  });
}
