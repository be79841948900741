/**
 * Hugging Face: its inference service, and its server for embeddings (text-embeddings-inference), which take
 * and answer the same JSON.
 */
import type { EmbeddingFunctionConfig } from '../embedding-function.ts';
import { baseUrl, bearer, given, ProviderFunction } from './provider-function.ts';
import type { ProviderOptions } from './provider-options.ts';
import type { ProviderRequest } from './requests.ts';
import { neededText, storedText } from './stored.ts';

/** What `HuggingFaceEmbeddingFunction` takes. */
export interface HuggingFaceOptions extends ProviderOptions {
  readonly modelName: string;
}

/** What `HuggingFaceServerEmbeddingFunction` takes. */
export interface HuggingFaceServerOptions extends ProviderOptions {
  /** Whole URL of the route that embeds, such as `http://localhost:8080/embed`. */
  readonly url: string;
}

/** 32 texts are what the server takes at once unless it is told otherwise. */
const LIMITS = { count: 32, characters: 250_000 };

/** The inference service. Stored as `huggingface`, as Chroma's Python client stores it. */
export class HuggingFaceEmbeddingFunction extends ProviderFunction {
  readonly name = 'huggingface';
  readonly #modelName: string;

  constructor(options: HuggingFaceOptions) {
    const apiKeyEnvVar = 'HF_TOKEN';
    super({ provider: 'Hugging Face', limits: LIMITS, apiKeyEnvVar, isKeyOptional: false }, options);
    this.#modelName = options.modelName;
  }

  /** Builds the function that a configuration names. Errors: `TESSERA_EMBEDDING_FUNCTION`. */
  static buildFromConfig(config: EmbeddingFunctionConfig): HuggingFaceEmbeddingFunction {
    return new HuggingFaceEmbeddingFunction({
      modelName: neededText(config, 'model_name'),
      apiKeyEnvVar: storedText(config, 'api_key_env_var'),
    });
  }

  override getConfig(): EmbeddingFunctionConfig {
    return given({ api_key_env_var: this.apiKeyEnvVar, model_name: this.#modelName });
  }

  protected override request(
    texts: readonly string[],
    _purpose: unknown,
    key: string | undefined,
  ): ProviderRequest {
    const path = `hf-inference/models/${this.#modelName}/pipeline/feature-extraction`;
    return {
      url: `https://router.huggingface.co/${path}`,
      headers: bearer(key),
      body: { inputs: texts },
    };
  }

  /** A model that is no sentence encoder answers with one embedding a token, which is refused as none. */
  protected override read(answer: unknown): readonly unknown[] | undefined {
    return answer as readonly unknown[] | undefined;
  }
}

/** A server of one's own. Stored as `huggingface-server`; Python's name is understood as well. */
export class HuggingFaceServerEmbeddingFunction extends ProviderFunction {
  readonly name = 'huggingface-server';
  readonly #url: string;

  constructor(options: HuggingFaceServerOptions) {
    const url = baseUrl(options.url, 'url');
    super({ provider: url, limits: LIMITS, apiKeyEnvVar: null, isKeyOptional: true }, options);
    this.#url = url;
  }

  /** Builds the function that a configuration names. Errors: `TESSERA_EMBEDDING_FUNCTION`. */
  static buildFromConfig(config: EmbeddingFunctionConfig): HuggingFaceServerEmbeddingFunction {
    return new HuggingFaceServerEmbeddingFunction({
      url: neededText(config, 'url'),
      apiKeyEnvVar: storedText(config, 'api_key_env_var'),
    });
  }

  override getConfig(): EmbeddingFunctionConfig {
    return given({ api_key_env_var: this.apiKeyEnvVar, url: this.#url });
  }

  protected override request(
    texts: readonly string[],
    _purpose: unknown,
    key: string | undefined,
  ): ProviderRequest {
    return { url: this.#url, headers: bearer(key), body: { inputs: texts } };
  }

  protected override read(answer: unknown): readonly unknown[] | undefined {
    return answer as readonly unknown[] | undefined;
  }
}
