/**
 * Entry `tesseradb/embed`: the contract of embedding functions and the registry that finds them again by
 * name.
 */
export {
  type EmbeddingFunction,
  type EmbeddingFunctionClass,
  type EmbeddingFunctionConfig,
  registerEmbeddingFunction,
} from './embed/index.ts';
