/** Voyage AI's `POST /v1/embeddings`. */
import type { EmbeddingFunctionConfig } from '../embedding-function.ts';
import { bearer, given, ProviderFunction, type Purpose, readData } from './provider-function.ts';
import type { ProviderOptions } from './provider-options.ts';
import type { ProviderRequest } from './requests.ts';
import { neededText, storedFlag, storedText } from './stored.ts';

/** What `VoyageAIEmbeddingFunction` takes. */
export interface VoyageAIOptions extends ProviderOptions {
  readonly modelName: string;
  /** What documents are embedded as: with `document`, queries are embedded as `query`. Default: neither. */
  readonly inputType?: string | undefined;
  /** Whether a text that is too long is cut; default true. */
  readonly truncation?: boolean | undefined;
}

/** 1,000 texts, and 120,000 tokens for the models with the lowest limit. */
const LIMITS = { count: 1000, characters: 120_000 };

/** See the top of this file. Stored as `voyageai`, as Chroma's clients store it. */
export class VoyageAIEmbeddingFunction extends ProviderFunction {
  readonly name = 'voyageai';
  readonly #options: VoyageAIOptions;

  constructor(options: VoyageAIOptions) {
    const traits = {
      provider: 'Voyage AI',
      limits: LIMITS,
      apiKeyEnvVar: 'VOYAGE_API_KEY',
      isKeyOptional: false,
    };
    super(traits, options);
    this.#options = options;
  }

  /** Builds the function that a configuration names. Errors: `TESSERA_EMBEDDING_FUNCTION`. */
  static buildFromConfig(config: EmbeddingFunctionConfig): VoyageAIEmbeddingFunction {
    return new VoyageAIEmbeddingFunction({
      modelName: neededText(config, 'model_name'),
      apiKeyEnvVar: storedText(config, 'api_key_env_var'),
      inputType: storedText(config, 'input_type'),
      truncation: storedFlag(config, 'truncation'),
    });
  }

  override getConfig(): EmbeddingFunctionConfig {
    const { modelName, inputType, truncation = true } = this.#options;
    return given({
      api_key_env_var: this.apiKeyEnvVar,
      model_name: modelName,
      input_type: inputType,
      truncation,
    });
  }

  protected override request(
    texts: readonly string[],
    purpose: Purpose,
    key: string | undefined,
  ): ProviderRequest {
    const { modelName, inputType, truncation = true } = this.#options;
    const isQuery = purpose === 'query' && inputType === 'document';
    return {
      url: 'https://api.voyageai.com/v1/embeddings',
      headers: bearer(key),
      body: given({ model: modelName, input: texts, input_type: isQuery ? 'query' : inputType, truncation }),
    };
  }

  protected override read(answer: unknown): readonly unknown[] | undefined {
    return readData(answer);
  }
}
