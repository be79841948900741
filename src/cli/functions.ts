/** Embedding functions as they are named on the command line: as collections store them. */
import {
  BUILT_IN_NAMES,
  buildEmbeddingFunction,
  type EmbeddingFunction,
  type EmbeddingFunctionConfig,
} from '../embed/index.ts';
import { LOCAL_MODELS } from '../models/index.ts';
import { type OptionSpec, type OptionValues, UsageError } from './options.ts';

/** Names that `--function` takes. */
export const FUNCTION_NAMES: readonly string[] = [...LOCAL_MODELS.classes.keys(), ...BUILT_IN_NAMES];

/** The options that name a function. */
export const FUNCTION_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'function',
    value: 'NAME',
    fallback: null,
    summary: 'Embedding function, by the name under which it is stored, such as use-lite or openai',
  },
  {
    name: 'config',
    value: 'JSON',
    fallback: '{}',
    summary: `Its configuration as it is stored, such as '{"model_name": "text-embedding-3-small"}'`,
  },
];

/**
 * The function that the options name; `null` where they name none. Errors: `UsageError`,
 * `TESSERA_EMBEDDING_FUNCTION` for a configuration that it refuses.
 */
export function readFunction(values: OptionValues): EmbeddingFunction | null {
  const { function: name, config = '{}' } = values;
  if (name === undefined) {
    if (values['config'] === undefined) return null;
    throw new UsageError('Expected --function along with --config, got none.');
  }
  // Its configuration has a version, which is that of the weights that are here.
  const fallback = LOCAL_MODELS.makeDefault();
  if (values['config'] === undefined && name === fallback.name) return fallback;
  const stored = { type: 'known', name: String(name), config: readConfig(String(config)) } as const;
  const built = buildEmbeddingFunction(stored, LOCAL_MODELS);
  if (built !== null) return built;
  throw new UsageError(`Expected --function to be one of ${FUNCTION_NAMES.join(', ')}, got ${String(name)}.`);
}

function readConfig(text: string): EmbeddingFunctionConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Said below.
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as EmbeddingFunctionConfig;
  }
  throw new UsageError(`Expected --config to be a JSON object, got ${text}.`);
}
