/** Jina AI's `POST /v1/embeddings`. */
import type { EmbeddingFunctionConfig } from '../embedding-function.ts';
import { bearer, given, ProviderFunction, type Purpose, readData } from './provider-function.ts';
import type { ProviderOptions } from './provider-options.ts';
import type { ProviderRequest } from './requests.ts';
import { neededText, refuseStored, storedFlag, storedNumber, storedText } from './stored.ts';

/** What `JinaEmbeddingFunction` takes. */
export interface JinaOptions extends ProviderOptions {
  readonly modelName: string;
  /** What documents are embedded for; with `retrieval.passage`, queries are for `retrieval.query`. */
  readonly task?: string | undefined;
  readonly lateChunking?: boolean | undefined;
  readonly truncate?: boolean | undefined;
  /** Shorter embeddings, from models that can make them. */
  readonly dimensions?: number | undefined;
  readonly normalized?: boolean | undefined;
}

/** Texts of up to 8,192 tokens each; requests of many take long, so that few long ones go at once. */
const LIMITS = { count: 512, characters: 250_000 };

/** See the top of this file. Stored as `jina`, as Chroma's clients store it. */
export class JinaEmbeddingFunction extends ProviderFunction {
  readonly name = 'jina';
  readonly #options: JinaOptions;
  /** The part of a stored configuration that speaks of queries; Chroma's Python client writes it. */
  readonly #queryConfig: Record<string, unknown> | undefined;

  constructor(options: JinaOptions, queryConfig?: Record<string, unknown>) {
    const traits = {
      provider: 'Jina AI',
      limits: LIMITS,
      apiKeyEnvVar: 'JINA_API_KEY',
      isKeyOptional: false,
    };
    super(traits, options);
    this.#options = options;
    this.#queryConfig = queryConfig;
  }

  /** Builds the function that a configuration names. Errors: `TESSERA_EMBEDDING_FUNCTION`. */
  static buildFromConfig(config: EmbeddingFunctionConfig): JinaEmbeddingFunction {
    refuseStored(config, 'embedding_type', ['float']);
    const queryConfig = config['query_config'];
    const isObject = typeof queryConfig === 'object' && queryConfig !== null;
    return new JinaEmbeddingFunction(
      {
        modelName: neededText(config, 'model_name'),
        apiKeyEnvVar: storedText(config, 'api_key_env_var'),
        task: storedText(config, 'task'),
        lateChunking: storedFlag(config, 'late_chunking'),
        truncate: storedFlag(config, 'truncate'),
        dimensions: storedNumber(config, 'dimensions'),
        normalized: storedFlag(config, 'normalized'),
      },
      isObject ? (queryConfig as Record<string, unknown>) : undefined,
    );
  }

  override getConfig(): EmbeddingFunctionConfig {
    const { modelName, task, lateChunking, truncate, dimensions, normalized } = this.#options;
    return given({
      api_key_env_var: this.apiKeyEnvVar,
      model_name: modelName,
      task,
      late_chunking: lateChunking,
      truncate,
      dimensions,
      normalized,
      query_config: this.#queryConfig,
    });
  }

  protected override request(
    texts: readonly string[],
    purpose: Purpose,
    key: string | undefined,
  ): ProviderRequest {
    const { modelName, lateChunking, truncate, dimensions, normalized } = this.#options;
    return {
      url: 'https://api.jina.ai/v1/embeddings',
      headers: bearer(key),
      body: given({
        model: modelName,
        input: texts,
        task: this.#task(purpose),
        late_chunking: lateChunking,
        truncate,
        dimensions,
        normalized,
      }),
    };
  }

  protected override read(answer: unknown): readonly unknown[] | undefined {
    return readData(answer);
  }

  #task(purpose: Purpose): unknown {
    const { task } = this.#options;
    if (purpose === 'document') return task;
    return this.#queryConfig?.['task'] ?? (task === 'retrieval.passage' ? 'retrieval.query' : task);
  }
}
