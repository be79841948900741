/** The models that run in this process, as clients are handed them. */
import type { EmbeddingFunctionClass, EmbeddingModels } from '../embed/index.ts';
import { MiniLMEmbeddingFunction } from './minilm/minilm.ts';
import { UseLiteEmbeddingFunction } from './use-lite/use-lite.ts';

/** Every model, and the one of collections that were given none. */
export const LOCAL_MODELS: EmbeddingModels = {
  classes: new Map<string, EmbeddingFunctionClass>([
    ['use-lite', UseLiteEmbeddingFunction],
    ['default', MiniLMEmbeddingFunction],
    ['onnx_mini_lm_l6_v2', MiniLMEmbeddingFunction],
  ]),
  makeDefault: () => new UseLiteEmbeddingFunction(),
};
