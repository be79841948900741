/**
 * Embedding functions that need more than a browser has: files, threads. Clients that run in Node are handed
 * them, since what loads in a browser cannot import them (ADR 17).
 */
import type { EmbeddingFunction, EmbeddingFunctionClass } from './embedding-function.ts';

/** What a client in Node can embed with besides the functions of providers. */
export interface EmbeddingModels {
  /** Classes by the names under which collections store them. */
  readonly classes: ReadonlyMap<string, EmbeddingFunctionClass>;
  /** The function of collections that were given none; it loads nothing before its first text. */
  makeDefault(): EmbeddingFunction;
}
