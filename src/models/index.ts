/**
 * Embedding models that run in this process, without a server. Needs Node: files, threads and WebAssembly.
 *
 * use-lite/ is the function of collections that name none, on a runtime of our own.
 */
export { LOCAL_MODELS } from './local-models.ts';
export { UseLiteEmbeddingFunction, type UseLiteOptions } from './use-lite/use-lite.ts';
