/** Ollama's own `POST /api/embed`. Its OpenAI-compatible route is for `OpenAIEmbeddingFunction`. */
import type { EmbeddingFunctionConfig } from '../embedding-function.ts';
import { baseUrl, given, ProviderFunction } from './provider-function.ts';
import type { ProviderOptions } from './provider-options.ts';
import type { ProviderRequest } from './requests.ts';
import { neededText, storedText } from './stored.ts';

/** What `OllamaEmbeddingFunction` takes. */
export interface OllamaOptions extends ProviderOptions {
  readonly modelName: string;
  /** Default `http://localhost:11434`. */
  readonly url?: string | undefined;
}

/** Ollama names no limit; it works one text after the other, and answers within the time of one try. */
const LIMITS = { count: 64, characters: 250_000 };

/** See the top of this file. Stored as `ollama`, as Chroma's clients store it. */
export class OllamaEmbeddingFunction extends ProviderFunction {
  readonly name = 'ollama';
  readonly #modelName: string;
  readonly #url: string;

  constructor(options: OllamaOptions) {
    // Chroma's Python client stores the route along with the server.
    const url = baseUrl(options.url ?? 'http://localhost:11434', 'url').replace(
      /\/api\/embed(?:dings)?$/,
      '',
    );
    super({ provider: `Ollama at ${url}`, limits: LIMITS, apiKeyEnvVar: null, isKeyOptional: true }, options);
    this.#modelName = options.modelName;
    this.#url = url;
  }

  /** Builds the function that a configuration names. Errors: `TESSERA_EMBEDDING_FUNCTION`. */
  static buildFromConfig(config: EmbeddingFunctionConfig): OllamaEmbeddingFunction {
    return new OllamaEmbeddingFunction({
      modelName: neededText(config, 'model_name'),
      url: storedText(config, 'url'),
    });
  }

  override getConfig(): EmbeddingFunctionConfig {
    return given({ url: this.#url, model_name: this.#modelName });
  }

  protected override request(texts: readonly string[]): ProviderRequest {
    return {
      url: `${this.#url}/api/embed`,
      headers: {},
      body: { model: this.#modelName, input: texts },
    };
  }

  protected override read(answer: unknown): readonly unknown[] | undefined {
    const { embeddings } = (answer ?? {}) as { embeddings?: readonly unknown[] };
    return embeddings;
  }
}
