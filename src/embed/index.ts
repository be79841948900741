/**
 * Embedding functions: the contract, how they are stored with a collection, and the registry that finds them
 * again.
 */
export {
  buildEmbeddingFunction,
  describeEmbeddingFunction,
  type EmbeddingFunction,
  type EmbeddingFunctionClass,
  type EmbeddingFunctionConfig,
  registerEmbeddingFunction,
  type StoredEmbeddingFunction,
  storedEmbeddingFunction,
} from './embedding-function.ts';
