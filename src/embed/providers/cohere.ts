/** Cohere's `POST /v2/embed`. */
import type { EmbeddingFunctionConfig } from '../embedding-function.ts';
import { bearer, given, ProviderFunction, type Purpose } from './provider-function.ts';
import type { ProviderOptions } from './provider-options.ts';
import type { ProviderRequest } from './requests.ts';
import { neededText, refuseStored, storedText } from './stored.ts';

/** What `CohereEmbeddingFunction` takes. */
export interface CohereOptions extends ProviderOptions {
  readonly modelName: string;
  /** What documents are embedded as; with the default `search_document`, queries are `search_query`. */
  readonly inputType?: string | undefined;
  /** What the provider does with a text that is too long: `NONE` refuses it. */
  readonly truncate?: 'NONE' | 'START' | 'END' | undefined;
}

/** 96 texts are Cohere's limit of one request. */
const LIMITS = { count: 96, characters: 500_000 };
const DOCUMENT_TYPE = 'search_document';
const QUERY_TYPE = 'search_query';

/** See the top of this file. Stored as `cohere`, as Chroma's clients store it. */
export class CohereEmbeddingFunction extends ProviderFunction {
  readonly name = 'cohere';
  readonly #options: CohereOptions;

  constructor(options: CohereOptions) {
    const traits = {
      provider: 'Cohere',
      limits: LIMITS,
      apiKeyEnvVar: 'COHERE_API_KEY',
      isKeyOptional: false,
    };
    super(traits, options);
    this.#options = options;
  }

  /** Builds the function that a configuration names. Errors: `TESSERA_EMBEDDING_FUNCTION`. */
  static buildFromConfig(config: EmbeddingFunctionConfig): CohereEmbeddingFunction {
    refuseStored(config, 'image', [false]);
    refuseStored(config, 'embedding_type', ['float']);
    return new CohereEmbeddingFunction({
      modelName: neededText(config, 'model_name'),
      apiKeyEnvVar: storedText(config, 'api_key_env_var'),
      inputType: storedText(config, 'input_type'),
      truncate: storedText(config, 'truncate') as CohereOptions['truncate'],
    });
  }

  override getConfig(): EmbeddingFunctionConfig {
    const { modelName, inputType, truncate } = this.#options;
    return given({
      api_key_env_var: this.apiKeyEnvVar,
      model_name: modelName,
      input_type: inputType,
      truncate,
    });
  }

  protected override request(
    texts: readonly string[],
    purpose: Purpose,
    key: string | undefined,
  ): ProviderRequest {
    const { modelName, inputType = DOCUMENT_TYPE, truncate } = this.#options;
    const isQuery = purpose === 'query' && inputType === DOCUMENT_TYPE;
    return {
      url: 'https://api.cohere.com/v2/embed',
      headers: bearer(key),
      body: given({
        model: modelName,
        texts,
        input_type: isQuery ? QUERY_TYPE : inputType,
        embedding_types: ['float'],
        truncate,
      }),
    };
  }

  protected override read(answer: unknown): readonly unknown[] | undefined {
    const { embeddings } = (answer ?? {}) as { embeddings?: { float?: readonly unknown[] } };
    return embeddings?.float;
  }
}
