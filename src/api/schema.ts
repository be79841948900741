/**
 * Collection schema: which indexes a collection has, by value type and by key, in the form that Chroma's
 * clients read.
 *
 *   { defaults: { string: { fts_index: { enabled, config }, string_inverted_index: … }, float_list: …, … },
 *     keys: { '#document': …, '#embedding': …, 'any metadata key': … },
 *     cmek?: { gcp: … } }
 *
 * What has an effect here: `enabled: false` of an inverted index or of the full-text index refuses filters
 * that would need it, and `#embedding` says the space and the embedding function. The rest is checked, kept
 * and given back.
 *
 * The schema and the configuration tell the same about `#embedding`. Whichever of them the user gave is the
 * source of the other; giving both is refused. Afterwards every change of the configuration is reflected here
 * by `updateSchema`.
 */
import { DatabaseError, type JsonValue } from '../base/index.ts';
import {
  type CollectionConfiguration,
  checkSpann,
  DEFAULT_HNSW,
  HNSW_WIRE_NAMES,
  type HnswConfiguration,
  isDefaultConfiguration,
  isDefaultFunction,
  parseEmbeddingFunction,
  parseHnswNumbers,
  parseSpace,
} from './configuration.ts';
import {
  isJsonObject,
  missingField,
  readClosedObject,
  readObject,
  readVariant,
  wrongType,
} from './json-shape.ts';
import type { MetadataKey, MetadataType, Scalar, WhereNode } from './records.ts';

/** The schema in its wire form: `{ defaults, keys, cmek? }` (see docs/http.md). */
export interface CollectionSchema {
  readonly defaults: { readonly [type: string]: JsonValue };
  readonly keys: { readonly [key: string]: { readonly [type: string]: JsonValue } };
  readonly cmek?: JsonValue;
}

const DOCUMENT_KEY = '#document';
const EMBEDDING_KEY = '#embedding';

type ConfigKind = 'empty' | 'text' | 'vector' | 'sparse';
type IndexBlock = { readonly enabled: boolean; readonly config: { [name: string]: JsonValue } };
type TypeBlocks = { [type: string]: { [index: string]: IndexBlock } };

/**
 * Every value type with its indexes and the kind of their `config`. Other names are ignored, as Chroma
 * ignores them.
 */
const INDEXES: { readonly [type: string]: { readonly [index: string]: ConfigKind } } = {
  string: { fts_index: 'text', string_inverted_index: 'empty' },
  float_list: { vector_index: 'vector' },
  sparse_vector: { sparse_vector_index: 'sparse' },
  int: { int_inverted_index: 'empty' },
  float: { float_inverted_index: 'empty' },
  bool: { bool_inverted_index: 'empty' },
};

const INVERTED_INDEXES: Record<MetadataType, string> = {
  string: 'string_inverted_index',
  int: 'int_inverted_index',
  float: 'float_inverted_index',
  bool: 'bool_inverted_index',
};

const TYPE_LABELS: Record<MetadataType, string> = { string: 'Str', int: 'Int', float: 'Float', bool: 'Bool' };

const CMEK = /^projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+$/;

/** The schema of a collection whose user gave none. */
export function defaultSchema(configuration: CollectionConfiguration): CollectionSchema {
  const config = formatVectorConfig(configuration);
  const enabled = (isEnabled: boolean): JsonValue => ({ enabled: isEnabled, config: {} });
  return {
    defaults: {
      string: { fts_index: enabled(false), string_inverted_index: enabled(true) },
      float_list: { vector_index: { enabled: false, config } },
      sparse_vector: {
        sparse_vector_index: {
          enabled: false,
          config: { embedding_function: { type: 'unknown' }, bm25: false },
        },
      },
      int: { int_inverted_index: enabled(true) },
      float: { float_inverted_index: enabled(true) },
      bool: { bool_inverted_index: enabled(true) },
    },
    keys: {
      [DOCUMENT_KEY]: { string: { fts_index: enabled(true), string_inverted_index: enabled(false) } },
      [EMBEDDING_KEY]: { float_list: { vector_index: { enabled: true, config: toEmbeddingConfig(config) } } },
    },
  };
}

/**
 * Reads the `schema` of a new collection and brings schema and configuration into line.
 *
 * `value` is wire JSON or absent. `configuration` is what `parseConfiguration` made; `isConfigurationGiven`
 * says whether the user sent one. A schema and a configuration that both differ from the defaults are
 * refused.
 *
 * Errors: `TESSERA_INVALID_CONFIGURATION`, with `details.reason: 'type'` for wrong types and unknown members.
 */
export function parseSchema(
  value: unknown,
  configuration: CollectionConfiguration,
  isConfigurationGiven = true,
): { schema: CollectionSchema; configuration: CollectionConfiguration } {
  const unchanged = { schema: defaultSchema(configuration), configuration };
  if (value === null || value === undefined) return unchanged;
  const members = readObject(value, 'schema');
  if (members['defaults'] === undefined) throw missingField('schema', 'defaults');
  const keysName = members['keys'] === undefined ? 'key_overrides' : 'keys';
  if (members[keysName] === undefined) throw missingField('schema', 'keys');
  const defaults = parseTypeBlocks(members['defaults'], 'schema.defaults');
  const keys: { [key: string]: TypeBlocks } = {};
  for (const [key, blocks] of Object.entries(readObject(members[keysName], `schema.${keysName}`))) {
    defineMember(keys, key, parseTypeBlocks(blocks, `schema.${keysName}.${key}`));
  }
  const cmek = parseCmek(members['cmek']);
  checkRules(defaults, keys);

  const base = defaultSchema({ hnsw: DEFAULT_HNSW, embeddingFunction: null });
  const merged: CollectionSchema = {
    defaults: mergeBlocks(base.defaults, defaults),
    keys: { ...base.keys, ...mergeKeys(base.keys, keys) },
    ...(cmek === null ? {} : { cmek }),
  };
  if (isEqualJson(withoutDefaultFunctions(merged), withoutDefaultFunctions(base))) {
    const known = vectorConfigOf(merged.keys[EMBEDDING_KEY] ?? {})['embedding_function'];
    if (known === undefined || configuration.embeddingFunction !== null) return unchanged;
    const named = { ...configuration, embeddingFunction: known };
    return { schema: defaultSchema(named), configuration: named };
  }
  if (isConfigurationGiven && !isDefaultConfiguration(configuration)) {
    const reason = 'Cannot set both collection config and schema simultaneously';
    throw invalidSchema(`Failed to reconcile schema: ${reason}`);
  }
  return adoptSchema(merged, configuration);
}

/**
 * The schema with the parts that tell of the configuration replaced: call after every change of the
 * configuration.
 */
export function updateSchema(
  schema: CollectionSchema,
  configuration: CollectionConfiguration,
): CollectionSchema {
  const { space, ...rest } = formatVectorConfig(configuration);
  const defaultsSpace = vectorConfigOf(schema.defaults)['space'] ?? space!;
  return {
    ...schema,
    defaults: {
      ...schema.defaults,
      float_list: withVectorConfig(schema.defaults, { space: defaultsSpace, ...rest }),
    },
    keys: {
      ...schema.keys,
      [EMBEDDING_KEY]: {
        ...schema.keys[EMBEDDING_KEY],
        float_list: withVectorConfig(
          schema.keys[EMBEDDING_KEY] ?? {},
          toEmbeddingConfig({ space: space!, ...rest }),
        ),
      },
    },
  };
}

/**
 * The schema with the metadata keys that it has not seen yet, each with its type's default block; `null` when
 * it has seen all of them. O(keys).
 */
export function growSchema(schema: CollectionSchema, keys: readonly MetadataKey[]): CollectionSchema | null {
  let grown: { [key: string]: { readonly [type: string]: JsonValue } } | null = null;
  for (const { key, type } of keys) {
    const known = ownMember(grown ?? schema.keys, key);
    if (known !== undefined && Object.hasOwn(known, type)) continue;
    grown ??= { ...schema.keys };
    defineMember(grown, key, { ...known, [type]: schema.defaults[type] ?? {} });
  }
  return grown === null ? null : { ...schema, keys: grown };
}

/**
 * Refuses a filter that would need an index which the schema has switched off.
 *
 * Errors: `TESSERA_INVALID_FILTER`.
 */
export function checkFilterAllowed(schema: CollectionSchema, node: WhereNode): void {
  switch (node.kind) {
    case 'and':
    case 'or':
      for (const child of node.children) checkFilterAllowed(schema, child);
      return;
    case 'document':
      // `$eq` and `$ne` compare whole documents and need no index; the parser refuses them where Chroma does.
      if (node.operator === '$eq' || node.operator === '$ne') return;
      if (isIndexEnabled(schema, DOCUMENT_KEY, 'string', 'fts_index')) return;
      throw refusedFilter('Cannot filter using full-text search because FTS indexing is disabled');
    case 'in':
      for (const operand of node.operands) checkOperand(schema, node.key, operand);
      return;
    default:
      checkOperand(schema, node.key, node.operand);
  }
}

function checkOperand(schema: CollectionSchema, key: string, operand: Scalar): void {
  if (isIndexEnabled(schema, key, operand.type, INVERTED_INDEXES[operand.type])) return;
  const label = TYPE_LABELS[operand.type];
  throw refusedFilter(
    `Cannot filter using metadata key '${key}' with type '${label}' because indexing is disabled`,
  );
}

function isIndexEnabled(schema: CollectionSchema, key: string, type: string, index: string): boolean {
  const own = readMember(readMember(ownMember(schema.keys, key), type), index);
  const block = own ?? readMember(readMember(schema.defaults, type), index);
  return readMember(block, 'enabled') !== false;
}

// ----------------------------------------------------------------------------------------------------------
// Reading

function parseTypeBlocks(value: unknown, path: string): TypeBlocks {
  const members = readObject(value, path);
  const blocks: TypeBlocks = {};
  for (const [type, indexes] of Object.entries(INDEXES)) {
    const given = members[type];
    if (given === null || given === undefined) continue;
    const indexMembers = readObject(given, `${path}.${type}`);
    const parsed: { [index: string]: IndexBlock } = {};
    for (const [index, kind] of Object.entries(indexes)) {
      const block = indexMembers[index];
      if (block === null || block === undefined) continue;
      parsed[index] = parseIndexBlock(block, `${path}.${type}.${index}`, kind);
    }
    blocks[type] = parsed;
  }
  return blocks;
}

function parseIndexBlock(value: unknown, path: string, kind: ConfigKind): IndexBlock {
  const { enabled, config } = readObject(value, path);
  if (enabled === undefined) throw missingField(path, 'enabled');
  if (typeof enabled !== 'boolean') throw wrongType(`${path}.enabled`, 'a boolean', enabled);
  if (config === undefined) throw missingField(path, 'config');
  return { enabled, config: parseIndexConfig(config, `${path}.config`, kind) };
}

function parseIndexConfig(value: unknown, path: string, kind: ConfigKind): { [name: string]: JsonValue } {
  switch (kind) {
    case 'empty':
      readClosedObject(value, path, []);
      return {};
    case 'text': {
      const { algorithm } = readClosedObject(value, path, ['algorithm']);
      if (algorithm === null || algorithm === undefined) return {};
      return { algorithm: readVariant(algorithm, `${path}.algorithm`, ['trigram', 'token_bitmap']) };
    }
    case 'vector':
      return parseVectorConfig(value, path);
    case 'sparse':
      return parseSparseConfig(value, path);
  }
}

function parseVectorConfig(value: unknown, path: string): { [name: string]: JsonValue } {
  const members = readClosedObject(value, path, [
    'space',
    'embedding_function',
    'source_key',
    'hnsw',
    'spann',
  ]);
  const config: { [name: string]: JsonValue } = {};
  if (isPresent(members['space'])) config['space'] = parseSpace(members['space'], `${path}.space`);
  const embeddingFunction = parseEmbeddingFunction(
    members['embedding_function'],
    `${path}.embedding_function`,
  );
  if (embeddingFunction !== null) config['embedding_function'] = embeddingFunction;
  const sourceKey = members['source_key'];
  if (isPresent(sourceKey)) {
    if (typeof sourceKey !== 'string') throw wrongType(`${path}.source_key`, 'a string', sourceKey);
    config['source_key'] = sourceKey;
  }
  if (isPresent(members['spann'])) checkSpann(members['spann'], `${path}.spann`, false);
  if (isPresent(members['hnsw'])) {
    const names = Object.values(HNSW_WIRE_NAMES);
    const hnsw = readClosedObject(members['hnsw'], `${path}.hnsw`, names);
    config['hnsw'] = formatHnsw(parseHnswNumbers(hnsw, `${path}.hnsw`));
  }
  return config;
}

function parseSparseConfig(value: unknown, path: string): { [name: string]: JsonValue } {
  const names = ['embedding_function', 'source_key', 'bm25', 'algorithm'];
  const members = readClosedObject(value, path, names);
  const config: { [name: string]: JsonValue } = {};
  const embeddingFunction = parseEmbeddingFunction(
    members['embedding_function'],
    `${path}.embedding_function`,
  );
  if (embeddingFunction !== null) config['embedding_function'] = embeddingFunction;
  const { source_key: sourceKey, bm25, algorithm } = members;
  if (isPresent(sourceKey)) {
    if (typeof sourceKey !== 'string') throw wrongType(`${path}.source_key`, 'a string', sourceKey);
    config['source_key'] = sourceKey;
  }
  if (isPresent(bm25)) {
    if (typeof bm25 !== 'boolean') throw wrongType(`${path}.bm25`, 'a boolean', bm25);
    config['bm25'] = bm25;
  }
  if (isPresent(algorithm)) {
    config['algorithm'] = readVariant(algorithm, `${path}.algorithm`, ['wand', 'max_score']);
  }
  return config;
}

function parseCmek(value: unknown): JsonValue | null {
  if (!isPresent(value)) return null;
  const { gcp } = readClosedObject(value, 'schema.cmek', ['gcp']);
  if (typeof gcp !== 'string') throw wrongType('schema.cmek.gcp', 'a string', gcp);
  if (!CMEK.test(gcp)) throw invalidSchema(`CMEK does not match expected pattern: Gcp("${gcp}")`);
  return { gcp };
}

/** Which index may be enabled where. The sentences are Chroma's. */
function checkRules(defaults: TypeBlocks, keys: { [key: string]: TypeBlocks }): void {
  if (defaults['float_list']?.['vector_index']?.enabled) {
    throw invalidSchema(
      'Vector index cannot be enabled by default. It can only be enabled on #embedding field.',
    );
  }
  if (defaults['string']?.['fts_index']?.enabled) {
    const index = 'Full text search / regular expression index';
    throw invalidSchema(`${index} cannot be enabled by default. It can only be enabled on #document field.`);
  }
  checkSparse(defaults);
  for (const [key, blocks] of Object.entries(keys)) checkKeyRules(key, blocks);
}

function checkKeyRules(key: string, blocks: TypeBlocks): void {
  if (key.startsWith('#') && key !== DOCUMENT_KEY && key !== EMBEDDING_KEY) {
    throw invalidSchema(
      `key cannot begin with '#'. Keys starting with '#' are reserved for system use: ${key}`,
    );
  }
  const vector = blocks['float_list']?.['vector_index'];
  if (vector?.enabled && key !== EMBEDDING_KEY) {
    throw invalidSchema(`Vector index can only be enabled on #embedding field: ${key}`);
  }
  if ((vector?.config['source_key'] ?? DOCUMENT_KEY) !== DOCUMENT_KEY) {
    throw invalidSchema('Vector index can only source from #document');
  }
  if (blocks['string']?.['fts_index']?.enabled && key !== DOCUMENT_KEY) {
    throw invalidSchema(
      `Full text search / regular expression index can only be enabled on #document field: ${key}`,
    );
  }
  if (blocks['string']?.['string_inverted_index']?.enabled && key === DOCUMENT_KEY) {
    throw invalidSchema(`String inverted index can not be enabled on #document key: ${key}`);
  }
  checkSparse(blocks);
}

function checkSparse(blocks: TypeBlocks): void {
  if (!blocks['sparse_vector']?.['sparse_vector_index']?.enabled) return;
  const reason = 'Invalid schema input: Sparse vector indexing is not enabled in local';
  throw new DatabaseError('TESSERA_INVALID_CONFIGURATION', `Failed to reconcile schema: ${reason}`);
}

// ----------------------------------------------------------------------------------------------------------
// Merging and writing

/**
 * Fills the members of the base that the user's part lacks, index by index and, in `config`, member by
 * member.
 */
function mergeBlocks(
  base: { readonly [type: string]: JsonValue },
  given: TypeBlocks,
): { [type: string]: JsonValue } {
  const merged: { [type: string]: JsonValue } = { ...base };
  for (const [type, indexes] of Object.entries(given)) {
    const baseIndexes = asMembers(base[type]);
    const mergedIndexes: { [index: string]: JsonValue } = { ...baseIndexes };
    for (const [index, { enabled, config }] of Object.entries(indexes)) {
      const baseConfig = asMembers(asMembers(baseIndexes[index])['config']);
      const hnsw = isPresent(config['hnsw'])
        ? { hnsw: { ...asMembers(baseConfig['hnsw']), ...asMembers(config['hnsw']) } }
        : {};
      mergedIndexes[index] = { enabled, config: { ...baseConfig, ...config, ...hnsw } };
    }
    merged[type] = mergedIndexes;
  }
  return merged;
}

function mergeKeys(
  base: CollectionSchema['keys'],
  given: { [key: string]: TypeBlocks },
): CollectionSchema['keys'] {
  const entries = Object.entries(given).map(([key, blocks]) => [
    key,
    mergeBlocks(ownMember(base, key) ?? {}, blocks),
  ]);
  return Object.fromEntries(entries) as CollectionSchema['keys'];
}

/**
 * Takes over what the schema says of `#embedding` into the configuration. An embedding function that only the
 * configuration names (the clients' default one) is kept rather than lost.
 */
function adoptSchema(
  schema: CollectionSchema,
  configuration: CollectionConfiguration,
): { schema: CollectionSchema; configuration: CollectionConfiguration } {
  const config = vectorConfigOf(schema.keys[EMBEDDING_KEY] ?? {});
  const adopted: CollectionConfiguration = {
    ...configuration,
    hnsw: {
      ...DEFAULT_HNSW,
      space: parseSpace(config['space'], 'space'),
      ...parseHnswNumbers(asMembers(config['hnsw']), 'hnsw'),
    },
    embeddingFunction: config['embedding_function'] ?? configuration.embeddingFunction,
  };
  const keys = {
    ...schema.keys,
    [EMBEDDING_KEY]: {
      ...schema.keys[EMBEDDING_KEY],
      float_list: withVectorConfig(
        schema.keys[EMBEDDING_KEY] ?? {},
        toEmbeddingConfig(formatVectorConfig(adopted)),
      ),
    },
  };
  return { schema: { ...schema, keys }, configuration: adopted };
}

/**
 * The schema without the embedding functions that say nothing: a schema that clients make without being told
 * anything names the default one, and counts as none beside a configuration that names another.
 */
function withoutDefaultFunctions(schema: CollectionSchema): CollectionSchema {
  const strip = (blocks: { readonly [type: string]: JsonValue }): { [type: string]: JsonValue } =>
    Object.fromEntries(
      Object.entries(blocks).map(([type, indexes]) => {
        const stripped = Object.entries(asMembers(indexes)).map(([name, block]) => {
          const { config, ...rest } = asMembers(block);
          const { embedding_function: given, ...others } = asMembers(config);
          const kept = given !== undefined && !isDefaultFunction(given) ? { embedding_function: given } : {};
          return [name, { ...rest, config: { ...others, ...kept } }];
        });
        return [type, Object.fromEntries(stripped)];
      }),
    );
  const keys = Object.entries(schema.keys).map(([key, blocks]) => [key, strip(blocks)]);
  return { ...schema, defaults: strip(schema.defaults), keys: Object.fromEntries(keys) };
}

function formatHnsw(hnsw: Partial<Omit<HnswConfiguration, 'space'>>): { [name: string]: JsonValue } {
  const members: { [name: string]: JsonValue } = {};
  for (const [field, name] of Object.entries(HNSW_WIRE_NAMES)) {
    const value = hnsw[field as keyof typeof HNSW_WIRE_NAMES];
    if (value !== undefined) members[name] = value;
  }
  return members;
}

function formatVectorConfig(configuration: CollectionConfiguration): { [name: string]: JsonValue } {
  const { hnsw, embeddingFunction } = configuration;
  return {
    space: hnsw.space,
    ...(embeddingFunction === null ? {} : { embedding_function: embeddingFunction }),
    hnsw: formatHnsw(hnsw),
  };
}

/** The same with the place that embeddings come from, as `#embedding` shows it. */
function toEmbeddingConfig(config: { [name: string]: JsonValue }): { [name: string]: JsonValue } {
  const { hnsw, ...rest } = config;
  return { ...rest, source_key: DOCUMENT_KEY, ...(hnsw === undefined ? {} : { hnsw }) };
}

function vectorConfigOf(blocks: { readonly [type: string]: JsonValue }): { [name: string]: JsonValue } {
  return asMembers(asMembers(asMembers(blocks['float_list'])['vector_index'])['config']);
}

function withVectorConfig(
  blocks: { readonly [type: string]: JsonValue },
  config: { [name: string]: JsonValue },
): JsonValue {
  const floatList = asMembers(blocks['float_list']);
  return { ...floatList, vector_index: { ...asMembers(floatList['vector_index']), config } };
}

function isPresent(value: unknown): boolean {
  return value !== null && value !== undefined;
}

function asMembers(value: unknown): { [name: string]: JsonValue } {
  return isJsonObject(value) ? (value as { [name: string]: JsonValue }) : {};
}

function readMember(value: unknown, name: string): unknown {
  return isJsonObject(value) ? ownMember(value, name) : undefined;
}

/**
 * A member of the object itself: metadata keys such as `constructor` must not find what JavaScript put there.
 */
function ownMember<T>(members: { readonly [name: string]: T }, name: string): T | undefined {
  return Object.hasOwn(members, name) ? members[name] : undefined;
}

/**
 * Sets a member whatever its name; an assignment to `__proto__` would change the object's prototype instead.
 */
function defineMember<T>(members: { [name: string]: T }, name: string, value: T): void {
  Object.defineProperty(members, name, { value, enumerable: true, configurable: true, writable: true });
}

function isEqualJson(left: unknown, right: unknown): boolean {
  if (!isJsonObject(left) || !isJsonObject(right)) return left === right;
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  return keys.every((key) => Object.hasOwn(right, key) && isEqualJson(left[key], right[key]));
}

function invalidSchema(reason: string): DatabaseError {
  const message = reason.startsWith('Failed to reconcile') ? reason : `Validation error: schema: ${reason}`;
  return new DatabaseError('TESSERA_INVALID_CONFIGURATION', message);
}

function refusedFilter(message: string): DatabaseError {
  return new DatabaseError('TESSERA_INVALID_FILTER', message);
}
