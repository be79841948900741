/**
 * Embedding functions: the contract, how they are stored with a collection, the registry that finds them
 * again, and the functions of providers.
 */
export type {
  EmbeddingFunction,
  EmbeddingFunctionClass,
  EmbeddingFunctionConfig,
  EmbedOptions,
  StoredEmbeddingFunction,
  TokenCounter,
} from './embedding-function.ts';
export type { EmbeddingModels } from './embedding-models.ts';
export { estimateTokens } from './estimate-tokens.ts';
export { CohereEmbeddingFunction, type CohereOptions } from './providers/cohere.ts';
export { GoogleGeminiEmbeddingFunction, type GoogleGeminiOptions } from './providers/google-gemini.ts';
export {
  HuggingFaceEmbeddingFunction,
  type HuggingFaceOptions,
  HuggingFaceServerEmbeddingFunction,
  type HuggingFaceServerOptions,
} from './providers/hugging-face.ts';
export { JinaEmbeddingFunction, type JinaOptions } from './providers/jina.ts';
export { MistralEmbeddingFunction, type MistralOptions } from './providers/mistral.ts';
export { OllamaEmbeddingFunction, type OllamaOptions } from './providers/ollama.ts';
export { OpenAIEmbeddingFunction, type OpenAIOptions } from './providers/openai.ts';
export type { ProviderOptions } from './providers/provider-options.ts';
export { VoyageAIEmbeddingFunction, type VoyageAIOptions } from './providers/voyageai.ts';
export {
  BUILT_IN_NAMES,
  buildEmbeddingFunction,
  describeEmbeddingFunction,
  isSameFunction,
  registerEmbeddingFunction,
  showFunction,
  storedEmbeddingFunction,
} from './registry.ts';
export { type SplitOptions, splitText, type TextPart } from './split-text.ts';
