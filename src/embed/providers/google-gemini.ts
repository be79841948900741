/**
 * Google's `POST /v1beta/models/MODEL:batchEmbedContents`.
 *
 * Chroma's clients store it under three names, one in JavaScript and two in Python; ours is the first, and
 * all three are understood.
 */
import type { EmbeddingFunctionConfig } from '../embedding-function.ts';
import { given, ProviderFunction, type Purpose } from './provider-function.ts';
import type { ProviderOptions } from './provider-options.ts';
import type { ProviderRequest } from './requests.ts';
import { neededText, refuseStored, storedNumber, storedText } from './stored.ts';

/** What `GoogleGeminiEmbeddingFunction` takes. */
export interface GoogleGeminiOptions extends ProviderOptions {
  readonly modelName: string;
  /**
   * What documents are embedded for: with `RETRIEVAL_DOCUMENT`, queries are embedded for `RETRIEVAL_QUERY`.
   */
  readonly taskType?: string | undefined;
  /** Shorter embeddings, from models that can make them. */
  readonly dimension?: number | undefined;
}

/** 100 texts are Google's limit of one request. */
const LIMITS = { count: 100, characters: 200_000 };

/** See the top of this file. Stored as `google-gemini`. */
export class GoogleGeminiEmbeddingFunction extends ProviderFunction {
  readonly name = 'google-gemini';
  readonly #options: GoogleGeminiOptions;

  constructor(options: GoogleGeminiOptions) {
    const traits = {
      provider: 'Google',
      limits: LIMITS,
      apiKeyEnvVar: 'GEMINI_API_KEY',
      isKeyOptional: false,
    };
    super(traits, options);
    this.#options = options;
  }

  /** Builds the function that a configuration names. Errors: `TESSERA_EMBEDDING_FUNCTION`. */
  static buildFromConfig(config: EmbeddingFunctionConfig): GoogleGeminiEmbeddingFunction {
    refuseStored(config, 'vertexai', [false]);
    return new GoogleGeminiEmbeddingFunction({
      modelName: neededText(config, 'model_name'),
      apiKeyEnvVar: storedText(config, 'api_key_env_var'),
      taskType: storedText(config, 'task_type'),
      dimension: storedNumber(config, 'dimension'),
    });
  }

  override getConfig(): EmbeddingFunctionConfig {
    const { modelName, taskType, dimension } = this.#options;
    return given({
      api_key_env_var: this.apiKeyEnvVar,
      model_name: modelName,
      task_type: taskType,
      dimension,
    });
  }

  protected override request(
    texts: readonly string[],
    purpose: Purpose,
    key: string | undefined,
  ): ProviderRequest {
    const { modelName, taskType, dimension } = this.#options;
    const model = modelName.startsWith('models/') ? modelName : `models/${modelName}`;
    const isQuery = purpose === 'query' && taskType === 'RETRIEVAL_DOCUMENT';
    const settings = given({
      taskType: isQuery ? 'RETRIEVAL_QUERY' : taskType,
      outputDimensionality: dimension,
    });
    return {
      url: `https://generativelanguage.googleapis.com/v1beta/${model}:batchEmbedContents`,
      headers: key === undefined ? {} : { 'x-goog-api-key': key },
      body: { requests: texts.map((text) => ({ model, content: { parts: [{ text }] }, ...settings })) },
    };
  }

  protected override read(answer: unknown): readonly unknown[] | undefined {
    const { embeddings } = (answer ?? {}) as { embeddings?: readonly ({ values?: unknown } | null)[] };
    return Array.isArray(embeddings) ? embeddings.map((embedding) => embedding?.values) : undefined;
  }
}
