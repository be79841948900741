/**
 * What tells one model from another within a configuration. Other members say where it runs and with which
 * key, and may change.
 */
import type { EmbeddingFunctionConfig } from './embedding-function.ts';

const MODEL_MEMBERS = ['model_name', 'model', 'dimensions', 'dimension', 'task', 'task_type'];

/** Whether two configurations name one model. A member that one of them leaves out contradicts nothing. */
export function isSameModel(one: EmbeddingFunctionConfig, other: EmbeddingFunctionConfig): boolean {
  return MODEL_MEMBERS.every((name) => {
    const [a, b] = [one[name] ?? null, other[name] ?? null];
    return a === null || b === null || a === b;
  });
}
