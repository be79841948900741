/**
 * Embedding models that run in this process, without a server. Needs Node: files, threads and WebAssembly.
 *
 * use-lite/ is the function of collections that were given none, on a runtime of our own; minilm/ is Chroma's
 * default, on packages that the user installs.
 */
export { LOCAL_MODELS } from './local-models.ts';
export { type DownloadMiniLMOptions, downloadMiniLM } from './minilm/download-minilm.ts';
export { MiniLMEmbeddingFunction, type MiniLMOptions } from './minilm/minilm.ts';
export type { MiniLMFiles } from './minilm/minilm-files.ts';
export type { LoadRuntime, MiniLMRuntime, TokenBatch } from './minilm/minilm-runtime.ts';
export { UseLiteEmbeddingFunction, type UseLiteOptions } from './use-lite/use-lite.ts';
export type { EmbeddingRuntime } from './use-lite/workers.ts';
