/**
 * Entry `tesseradb/embed`: embedding functions, their contract, and the registry that finds them again by
 * name.
 */
export {
  CohereEmbeddingFunction,
  type CohereOptions,
  type EmbeddingFunction,
  type EmbeddingFunctionClass,
  type EmbeddingFunctionConfig,
  type EmbedOptions,
  GoogleGeminiEmbeddingFunction,
  type GoogleGeminiOptions,
  HuggingFaceEmbeddingFunction,
  type HuggingFaceOptions,
  HuggingFaceServerEmbeddingFunction,
  type HuggingFaceServerOptions,
  JinaEmbeddingFunction,
  type JinaOptions,
  MistralEmbeddingFunction,
  type MistralOptions,
  OllamaEmbeddingFunction,
  type OllamaOptions,
  OpenAIEmbeddingFunction,
  type OpenAIOptions,
  type ProviderOptions,
  registerEmbeddingFunction,
  type SplitOptions,
  splitText,
  type TextPart,
  type TokenCounter,
  VoyageAIEmbeddingFunction,
  type VoyageAIOptions,
} from './embed/index.ts';
