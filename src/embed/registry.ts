/**
 * How a collection remembers its embedding function: by name and configuration, from which a registry builds
 * the same function again.
 *
 * Names that users register come before the built-in ones, so that a published package of Chroma takes the
 * place of our function of the same name where a program asks for it.
 */
import { DatabaseError, type JsonValue, show } from '../base/index.ts';
import { BUILT_IN } from './built-in.ts';
import type {
  EmbeddingFunction,
  EmbeddingFunctionClass,
  EmbeddingFunctionConfig,
  StoredEmbeddingFunction,
} from './embedding-function.ts';
import type { EmbeddingModels } from './embedding-models.ts';
import { isSameModel } from './same-model.ts';

/** What users registered; these come before the built-in ones of the same name. */
const registry = new Map<string, EmbeddingFunctionClass>();

/**
 * Makes a class of embedding functions known by name, so that collections made with it find it again.
 *
 * Errors: `TESSERA_ALREADY_EXISTS` when another class has the name; `TESSERA_INVALID_ARGUMENT` and
 * `TESSERA_EMBEDDING_FUNCTION` for what is no name and no such class.
 */
export function registerEmbeddingFunction(name: string, functionClass: EmbeddingFunctionClass): void {
  if (typeof name !== 'string' || name === '') {
    const message = `Expected the name of an embedding function to be a string, got ${show(name)}.`;
    throw new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { argument: 'name' } });
  }
  const given: unknown = functionClass;
  if (typeof given !== 'function' || typeof functionClass.buildFromConfig !== 'function') {
    throw new DatabaseError(
      'TESSERA_EMBEDDING_FUNCTION',
      `Expected the class of the embedding function ${show(name)} to have a static method ` +
        `buildFromConfig(config), got ${typeof given === 'function' ? given.name || 'one without' : show(given)}.`,
      { details: { name } },
    );
  }
  const registered = registry.get(name);
  if (registered !== undefined && registered !== functionClass) {
    throw new DatabaseError(
      'TESSERA_ALREADY_EXISTS',
      `Embedding function with name ${name} is already registered. Names are for the whole process; choose another.`,
      { details: { name } },
    );
  }
  registry.set(name, functionClass);
}

/**
 * The form in which `embeddingFunction` is stored.
 *
 * Errors: whatever the function's own `validateConfig` throws.
 */
export function describeEmbeddingFunction(embeddingFunction: EmbeddingFunction): StoredEmbeddingFunction {
  const { name } = embeddingFunction;
  const { buildFromConfig } = embeddingFunction.constructor as Partial<EmbeddingFunctionClass>;
  if (!name || embeddingFunction.getConfig === undefined || typeof buildFromConfig !== 'function') {
    return { type: 'legacy' };
  }
  const config = embeddingFunction.getConfig() as EmbeddingFunctionConfig;
  embeddingFunction.validateConfig?.(config);
  return { type: 'known', name, config };
}

/**
 * Reads what a configuration stores, tolerantly: it may come from any client. `null` where there is nothing
 * known.
 */
export function storedEmbeddingFunction(value: JsonValue | null): StoredEmbeddingFunction | null {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return null;
  const { type, name, config } = value as { type?: unknown; name?: unknown; config?: unknown };
  if (type === 'legacy' || type === 'unknown') return { type };
  if (type !== 'known' || typeof name !== 'string') return null;
  return { type: 'known', name, config: (config ?? {}) as EmbeddingFunctionConfig };
}

/**
 * Builds a stored function again; `null` when it is not of a known class. `models` are those of a client in
 * Node.
 *
 * Errors: `TESSERA_EMBEDDING_FUNCTION` when the class refuses its configuration.
 */
export function buildEmbeddingFunction(
  stored: StoredEmbeddingFunction | null,
  models: EmbeddingModels | null = null,
): EmbeddingFunction | null {
  if (stored?.type !== 'known') return null;
  const { name } = stored;
  const functionClass = registry.get(name) ?? BUILT_IN.get(name) ?? models?.classes.get(name);
  if (functionClass === undefined) return null;
  try {
    return functionClass.buildFromConfig(stored.config);
  } catch (cause) {
    throw new DatabaseError(
      'TESSERA_EMBEDDING_FUNCTION',
      `The embedding function ${show(stored.name)} could not be built from its stored configuration: ` +
        `${cause instanceof Error ? cause.message : show(cause)}. Pass an embeddingFunction to open the collection.`,
      { details: { name: stored.name }, cause },
    );
  }
}

/**
 * One model under two names: Chroma's default function, and what it is called where it is asked for by name.
 */
const CHROMA_DEFAULT_NAMES: readonly string[] = ['default', 'onnx_mini_lm_l6_v2'];

/**
 * Whether two stored functions make embeddings that can be compared, as far as their names and models tell.
 * A member that one of them leaves out contradicts nothing.
 */
export function isSameFunction(one: StoredEmbeddingFunction, other: StoredEmbeddingFunction): boolean {
  if (one.type !== 'known' || other.type !== 'known') return true;
  const builtIn = BUILT_IN.get(one.name);
  const isSameName =
    one.name === other.name ||
    (builtIn !== undefined && builtIn === BUILT_IN.get(other.name)) ||
    [one, other].every(({ name }) => CHROMA_DEFAULT_NAMES.includes(name));
  return isSameName && isSameModel(one.config, other.config);
}

/** A stored function for messages: its name, and its model where it names one. */
export function showFunction(stored: StoredEmbeddingFunction): string {
  if (stored.type !== 'known') return 'a function that could not be stored';
  const model = stored.config['model_name'] ?? stored.config['model'];
  return typeof model === 'string' ? `${show(stored.name)} (${model})` : show(stored.name);
}

/** Names that collections may store and that need no registering. */
export const BUILT_IN_NAMES: readonly string[] = [...BUILT_IN.keys()];
