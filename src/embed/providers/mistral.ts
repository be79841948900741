/** Mistral's `POST /v1/embeddings`. */
import type { EmbeddingFunctionConfig } from '../embedding-function.ts';
import { bearer, given, ProviderFunction, readData } from './provider-function.ts';
import type { ProviderOptions } from './provider-options.ts';
import type { ProviderRequest } from './requests.ts';
import { neededText, storedText } from './stored.ts';

/** What `MistralEmbeddingFunction` takes. */
export interface MistralOptions extends ProviderOptions {
  readonly model: string;
}

/** Mistral refuses requests of more than 16,384 tokens, which English of twice as many letters keeps to. */
const LIMITS = { count: 128, characters: 32_000 };

/** See the top of this file. Stored as `mistral`, as Chroma's clients store it. */
export class MistralEmbeddingFunction extends ProviderFunction {
  readonly name = 'mistral';
  readonly #model: string;

  constructor(options: MistralOptions) {
    const traits = {
      provider: 'Mistral',
      limits: LIMITS,
      apiKeyEnvVar: 'MISTRAL_API_KEY',
      isKeyOptional: false,
    };
    super(traits, options);
    this.#model = options.model;
  }

  /** Builds the function that a configuration names. Errors: `TESSERA_EMBEDDING_FUNCTION`. */
  static buildFromConfig(config: EmbeddingFunctionConfig): MistralEmbeddingFunction {
    return new MistralEmbeddingFunction({
      model: neededText(config, 'model'),
      apiKeyEnvVar: storedText(config, 'api_key_env_var'),
    });
  }

  override getConfig(): EmbeddingFunctionConfig {
    return given({ api_key_env_var: this.apiKeyEnvVar, model: this.#model });
  }

  protected override request(
    texts: readonly string[],
    _purpose: unknown,
    key: string | undefined,
  ): ProviderRequest {
    return {
      url: 'https://api.mistral.ai/v1/embeddings',
      headers: bearer(key),
      body: { model: this.#model, input: texts },
    };
  }

  protected override read(answer: unknown): readonly unknown[] | undefined {
    return readData(answer);
  }
}
