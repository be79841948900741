/**
 * The embedding functions that need no registering, by the names under which collections store them. Some
 * have more than one, since Chroma's clients in Python and in JavaScript do not agree.
 */
import type { EmbeddingFunctionClass } from './embedding-function.ts';
import { CohereEmbeddingFunction } from './providers/cohere.ts';
import { GoogleGeminiEmbeddingFunction } from './providers/google-gemini.ts';
import {
  HuggingFaceEmbeddingFunction,
  HuggingFaceServerEmbeddingFunction,
} from './providers/hugging-face.ts';
import { JinaEmbeddingFunction } from './providers/jina.ts';
import { MistralEmbeddingFunction } from './providers/mistral.ts';
import { OllamaEmbeddingFunction } from './providers/ollama.ts';
import { OpenAIEmbeddingFunction } from './providers/openai.ts';
import { VoyageAIEmbeddingFunction } from './providers/voyageai.ts';

/** Class by stored name. */
export const BUILT_IN: ReadonlyMap<string, EmbeddingFunctionClass> = new Map<string, EmbeddingFunctionClass>([
  ['cohere', CohereEmbeddingFunction],
  ['google-gemini', GoogleGeminiEmbeddingFunction],
  ['google_gemini', GoogleGeminiEmbeddingFunction],
  ['google_genai', GoogleGeminiEmbeddingFunction],
  ['huggingface', HuggingFaceEmbeddingFunction],
  ['huggingface-server', HuggingFaceServerEmbeddingFunction],
  ['huggingface_server', HuggingFaceServerEmbeddingFunction],
  ['jina', JinaEmbeddingFunction],
  ['mistral', MistralEmbeddingFunction],
  ['ollama', OllamaEmbeddingFunction],
  ['openai', OpenAIEmbeddingFunction],
  ['voyageai', VoyageAIEmbeddingFunction],
]);
