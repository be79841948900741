/** Collection configuration and schema, from the forms in which users write them to the wire's. */
import type {
  CollectionConfiguration,
  CollectionSchema,
  ConfigurationUpdate,
  HnswConfiguration,
  Space,
} from '../api/index.ts';
import {
  defaultSchema,
  encodeCollectionMetadata,
  parseConfiguration,
  parseConfigurationUpdate,
  parseSchema,
} from '../api/index.ts';
import { DatabaseError, show } from '../base/index.ts';
import {
  describeEmbeddingFunction,
  type EmbeddingFunction,
  type EmbeddingFunctionConfig,
} from '../embed/index.ts';
import { checkMembers, membersOf } from './arguments.ts';

/** Members in camelCase; the snake_case names of the `chromadb` client are taken as well. */
export type HnswInput = Partial<HnswConfiguration> & { readonly [name: string]: unknown };

/** What `createCollection` takes as `configuration`. */
export interface ConfigurationInput {
  /**
   * How distances are measured. Default `l2`, or the default of the embedding function. Short for
   * `hnsw.space`.
   */
  readonly space?: Space | undefined;
  /** Share of the exact answer that queries reach on average when they do not say; default 0.99. */
  readonly recall?: number | undefined;
  /** Accepted, stored and given back; `efSearch` stands for a recall where none is set. */
  readonly hnsw?: HnswInput | null | undefined;
  /** Accepted for compatibility; its `space` has an effect, and `searchNprobe` as `efSearch` has. */
  readonly spann?: { readonly space?: Space; readonly [name: string]: unknown } | null | undefined;
  readonly embeddingFunction?: EmbeddingFunction | null | undefined;
}

/** What `modify` takes as `configuration`. The space is fixed for the life of a collection. */
export interface ConfigurationChanges {
  readonly recall?: number | undefined;
  readonly hnsw?: HnswInput | undefined;
  readonly spann?: { readonly [name: string]: unknown } | undefined;
  readonly embeddingFunction?: EmbeddingFunction | undefined;
}

/** What `createCollection` takes as `schema`: the wire's JSON, or the `chromadb` client's `Schema`. */
export type SchemaInput = Readonly<Record<string, unknown>> | { serializeToJSON(): unknown };

const CONFIGURATION_MEMBERS = membersOf<ConfigurationInput>({
  space: true,
  recall: true,
  hnsw: true,
  spann: true,
  embeddingFunction: true,
});
const CHANGE_MEMBERS = membersOf<ConfigurationChanges>({
  recall: true,
  hnsw: true,
  spann: true,
  embeddingFunction: true,
});

/** What a collection is made of, besides its name. */
export interface CollectionDesign {
  readonly metadata: string | null;
  readonly configuration: CollectionConfiguration;
  readonly schema: CollectionSchema;
}

/** The parts that a user may give; `undefined` for those not given. */
export interface DesignInput {
  readonly metadata?: unknown;
  readonly configuration?: ConfigurationInput | undefined;
  readonly schema?: SchemaInput | undefined;
  readonly embeddingFunction?: EmbeddingFunction | null | undefined;
}

/**
 * Completes what a user wants a new collection to be.
 *
 * Errors: `TESSERA_INVALID_CONFIGURATION`, `TESSERA_INVALID_METADATA`.
 */
export function designCollection(input: DesignInput): CollectionDesign {
  const metadata = encodeCollectionMetadata(input.metadata);
  const given = parseGiven(wireConfiguration(input), metadata);
  if (input.schema === undefined || input.schema === null) {
    return { metadata, configuration: given, schema: defaultSchema(given) };
  }
  const { schema, configuration } = parseSchema(wireSchema(input.schema), given);
  return { metadata, configuration, schema };
}

/**
 * Translates a change of configuration.
 *
 * Errors: `TESSERA_INVALID_CONFIGURATION`, and what `current` throws when it refuses the new function's
 * configuration.
 */
export function updateConfiguration(
  changes: ConfigurationChanges,
  current: EmbeddingFunction | undefined,
): ConfigurationUpdate {
  checkSpaceStays(changes);
  checkMembers(changes, 'configuration', CHANGE_MEMBERS);
  const { embeddingFunction } = changes;
  checkEmbeddingFunction(embeddingFunction, 'configuration.embeddingFunction');
  if (embeddingFunction?.getConfig !== undefined) {
    current?.validateConfigUpdate?.(embeddingFunction.getConfig() as EmbeddingFunctionConfig);
  }
  const wire: Record<string, unknown> = {};
  if (changes.recall !== undefined) wire['recall'] = changes.recall;
  if (changes.hnsw !== undefined) wire['hnsw'] = snakeCaseMembers(changes.hnsw, 'hnsw');
  if (changes.spann !== undefined) wire['spann'] = snakeCaseMembers(changes.spann, 'spann');
  if (embeddingFunction) wire['embedding_function'] = describeEmbeddingFunction(embeddingFunction);
  try {
    return parseConfigurationUpdate(wire);
  } catch (error) {
    throw inJavaScriptNames(error);
  }
}

function checkSpaceStays(changes: unknown): void {
  const { space, hnsw, spann } = (changes ?? {}) as Record<string, { readonly space?: unknown } | undefined>;
  if (space === undefined && hnsw?.space === undefined && spann?.space === undefined) return;
  throw invalid(
    'The space of a collection is fixed when it is created, and modify cannot change it. Create another ' +
      'collection with the space that is wanted and add the records to it.',
  );
}

/** The parsers speak the wire's names; who calls in JavaScript has written others. */
function inJavaScriptNames(error: unknown): unknown {
  if (!(error instanceof DatabaseError)) return error;
  const message = error.message
    .replaceAll('new_configuration', 'configuration')
    .replaceAll('num_threads', 'threadCount')
    .replaceAll(/[.`][a-z]+(?:_[a-z]+)+/g, (name) =>
      name.replaceAll(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase()),
    );
  return new DatabaseError(error.code, message, { details: error.details, cause: error });
}

/** Refuses what cannot embed; `null` and `undefined` pass. Errors: `TESSERA_EMBEDDING_FUNCTION`. */
export function checkEmbeddingFunction(value: unknown, field: string): void {
  if (value === undefined || value === null) return;
  if (typeof (value as { generate?: unknown }).generate === 'function') return;
  throw new DatabaseError(
    'TESSERA_EMBEDDING_FUNCTION',
    `Expected ${field} to be an object with a method generate(texts), or null for none, got ${show(value)}.`,
    { details: { argument: field } },
  );
}

/** The one embedding function of a call, which may stand beside the configuration or within it. */
export function passedEmbeddingFunction(input: DesignInput): EmbeddingFunction | null | undefined {
  if (input.configuration !== undefined && input.configuration !== null) {
    checkMembers(input.configuration, 'configuration', CONFIGURATION_MEMBERS);
  }
  checkEmbeddingFunction(input.embeddingFunction, 'embeddingFunction');
  checkEmbeddingFunction(input.configuration?.embeddingFunction, 'configuration.embeddingFunction');
  const inner = input.configuration?.embeddingFunction;
  if (input.embeddingFunction && inner) {
    throw invalid('Expected one embedding function, got one as embeddingFunction and one in configuration.');
  }
  return input.embeddingFunction ?? inner ?? input.embeddingFunction;
}

/** Hnsw members in the wire's names. */
export function snakeCaseMembers(value: unknown, field: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`Expected configuration.${field} to be an object, got ${show(value)}.`);
  }
  const members: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const wireName =
      name === 'threadCount' ? 'num_threads' : name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
    if (wireName in members)
      throw invalid(`Expected configuration.${field} to set ${wireName} once, got it twice.`);
    members[wireName] = member;
  }
  return members;
}

function parseGiven(wire: Record<string, unknown>, metadata: string | null): CollectionConfiguration {
  try {
    return parseConfiguration(wire, metadata);
  } catch (error) {
    throw inJavaScriptNames(error);
  }
}

function wireConfiguration(input: DesignInput): Record<string, unknown> {
  const { space, recall, hnsw, spann } = input.configuration ?? {};
  const wire: Record<string, unknown> = {};
  if (recall !== undefined) wire['recall'] = recall;
  if (hnsw !== undefined && hnsw !== null) wire['hnsw'] = snakeCaseMembers(hnsw, 'hnsw');
  if (spann !== undefined && spann !== null) wire['spann'] = snakeCaseMembers(spann, 'spann');
  if (space !== undefined) setSpace(wire, space, true);

  const embeddingFunction = passedEmbeddingFunction(input);
  if (embeddingFunction) {
    wire['embedding_function'] = describeEmbeddingFunction(embeddingFunction);
    if (embeddingFunction.defaultSpace !== undefined && embeddingFunction.supportedSpaces !== undefined) {
      // A schema and the legacy metadata key name the space themselves, and the configuration would
      // contradict them.
      const isNamedElsewhere = hasLegacySpace(input.metadata) || input.schema !== undefined;
      if (!isNamedElsewhere) setSpace(wire, embeddingFunction.defaultSpace(), false);
    }
  }
  return wire;
}

function setSpace(wire: Record<string, unknown>, space: Space, isExplicit: boolean): void {
  if (wire['spann'] === undefined) wire['hnsw'] ??= {};
  const index = (wire['spann'] ?? wire['hnsw']) as Record<string, unknown>;
  if (isExplicit && index['space'] !== undefined && index['space'] !== space) {
    throw invalid(`Expected one space, got ${show(space)} and ${show(index['space'])}.`);
  }
  index['space'] ??= space;
}

function hasLegacySpace(metadata: unknown): boolean {
  return typeof metadata === 'object' && metadata !== null && Object.hasOwn(metadata, 'hnsw:space');
}

function wireSchema(schema: SchemaInput): unknown {
  const { serializeToJSON } = schema as { serializeToJSON?: unknown };
  return typeof serializeToJSON === 'function' ? serializeToJSON.call(schema) : schema;
}

function invalid(message: string): DatabaseError {
  return new DatabaseError('TESSERA_INVALID_CONFIGURATION', message);
}
