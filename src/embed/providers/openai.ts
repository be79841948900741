/**
 * OpenAI, and every server that speaks its `POST /embeddings`: Ollama, vLLM, llama.cpp, LM Studio and others,
 * by `apiBase`.
 */
import type { EmbeddingFunctionConfig } from '../embedding-function.ts';
import { baseUrl, bearer, given, ProviderFunction, readData } from './provider-function.ts';
import type { ProviderOptions } from './provider-options.ts';
import type { ProviderRequest } from './requests.ts';
import { neededText, refuseStored, storedNumber, storedText } from './stored.ts';

/** What `OpenAIEmbeddingFunction` takes. */
export interface OpenAIOptions extends ProviderOptions {
  readonly modelName: string;
  /** Where the API begins; `http://localhost:11434/v1` is Ollama. Default: OpenAI's own. */
  readonly apiBase?: string | undefined;
  /** Shorter embeddings, from models that can make them. */
  readonly dimensions?: number | undefined;
  readonly organizationId?: string | undefined;
}

const OPENAI_URL = 'https://api.openai.com/v1';

/** 2,048 texts and 300,000 tokens are OpenAI's limits of one request. */
const LIMITS = { count: 2048, characters: 300_000 };

/** See the top of this file. Stored as `openai`, as Chroma's clients store it. */
export class OpenAIEmbeddingFunction extends ProviderFunction {
  readonly name = 'openai';
  readonly #options: OpenAIOptions;
  readonly #url: string;

  constructor(options: OpenAIOptions) {
    const url = baseUrl(options.apiBase ?? OPENAI_URL, 'apiBase');
    super(
      {
        provider: options.apiBase === undefined ? 'OpenAI' : url,
        limits: LIMITS,
        apiKeyEnvVar: 'OPENAI_API_KEY',
        isKeyOptional: url !== OPENAI_URL,
      },
      options,
    );
    this.#options = options;
    this.#url = `${url}/embeddings`;
  }

  /** Builds the function that a configuration names. Errors: `TESSERA_EMBEDDING_FUNCTION`. */
  static buildFromConfig(config: EmbeddingFunctionConfig): OpenAIEmbeddingFunction {
    // Azure has other paths and another header; headers of one's own may hold secrets, and are not kept.
    refuseStored(config, 'api_type', ['openai', 'open_ai']);
    refuseStored(config, 'default_headers', []);
    return new OpenAIEmbeddingFunction({
      modelName: neededText(config, 'model_name'),
      apiBase: storedText(config, 'api_base'),
      dimensions: storedNumber(config, 'dimensions'),
      organizationId: storedText(config, 'organization_id'),
      apiKeyEnvVar: storedText(config, 'api_key_env_var'),
    });
  }

  override getConfig(): EmbeddingFunctionConfig {
    const { modelName, apiBase, dimensions, organizationId } = this.#options;
    return given({
      api_key_env_var: this.apiKeyEnvVar,
      model_name: modelName,
      api_base: apiBase,
      dimensions,
      organization_id: organizationId,
    });
  }

  protected override request(
    texts: readonly string[],
    _purpose: unknown,
    key: string | undefined,
  ): ProviderRequest {
    const { modelName, dimensions, organizationId } = this.#options;
    return {
      url: this.#url,
      headers: {
        ...bearer(key),
        ...(organizationId === undefined ? {} : { 'openai-organization': organizationId }),
      },
      body: given({ model: modelName, input: texts, dimensions, encoding_format: 'float' }),
    };
  }

  protected override read(answer: unknown): readonly unknown[] | undefined {
    return readData(answer);
  }
}
