/**
 * What turns texts into embeddings, and how a collection remembers which function it was made with.
 *
 * The interface is that of the `chromadb` JavaScript client 3.x, so that its published embedding packages
 * fit. A function that has a `name`, a `getConfig` and a class with a static `buildFromConfig` is stored by
 * name and configuration and can be built again when the collection is opened; any other is stored as
 * `legacy`.
 */
import type { Space } from '../api/index.ts';
import { DatabaseError, type JsonValue, show } from '../base/index.ts';

/** Configuration of an embedding function: JSON, without secrets (they are read from the environment). */
export type EmbeddingFunctionConfig = Record<string, unknown>;

/** Turns texts into embeddings, one a text and in the same order. */
export interface EmbeddingFunction {
  generate(texts: string[]): Promise<readonly (readonly number[] | Float32Array)[]>;
  /** For models that embed queries differently from documents; `generate` where absent. */
  generateForQueries?(texts: string[]): Promise<readonly (readonly number[] | Float32Array)[]>;
  /** Name under which the class is registered. */
  readonly name?: string;
  /** Space that a collection gets which does not name one; heeded when `supportedSpaces` is there too. */
  defaultSpace?(): Space;
  supportedSpaces?(): Space[];
  /** What `buildFromConfig` needs to build the same function again. */
  getConfig?(): EmbeddingFunctionConfig;
  /** Throws when a collection made with this function cannot change to `config`. */
  validateConfigUpdate?(config: EmbeddingFunctionConfig): void;
  /** Throws when `config` is not valid. */
  validateConfig?(config: EmbeddingFunctionConfig): void;
}

/** A class of embedding functions that can be registered. */
export interface EmbeddingFunctionClass {
  // biome-ignore lint/suspicious/noExplicitAny: constructors of foreign classes take what they like
  new (...args: any[]): EmbeddingFunction;
  buildFromConfig(config: EmbeddingFunctionConfig): EmbeddingFunction;
}

/** The form in which a collection's configuration names its embedding function. */
export type StoredEmbeddingFunction =
  | { readonly type: 'known'; readonly name: string; readonly config: EmbeddingFunctionConfig }
  | { readonly type: 'legacy' | 'unknown' };

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
  const config = embeddingFunction.getConfig();
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
 * Builds a stored function again; `null` when it is not of a known class.
 *
 * Errors: `TESSERA_EMBEDDING_FUNCTION` when the class refuses its configuration.
 */
export function buildEmbeddingFunction(stored: StoredEmbeddingFunction | null): EmbeddingFunction | null {
  if (stored?.type !== 'known') return null;
  const functionClass = registry.get(stored.name);
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
