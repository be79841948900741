/**
 * Collection configuration: what the wire says, what is stored, and how the one becomes the other.
 *
 * The graph parameters are Chroma's. They are checked, kept and given back, because clients send and show
 * them. Here `space`, the embedding function and `recall`, which is a member of ours, have an effect; and
 * where no recall is set, the search parameter of the graph stands for one (recall.ts). A SPANN configuration
 * is accepted as Chroma's single node accepts it: its space survives, everything it shows becomes HNSW
 * defaults; the number of cells that it wants searched is kept beside, since it tells how much recall is
 * wanted.
 */
import { DatabaseError, type JsonValue, parseJson } from '../base/index.ts';
import {
  isJsonObject,
  type JsonObject,
  missingField,
  plainJson,
  readClosedObject,
  readFloat,
  readObject,
  readShare,
  readUnsigned,
  readVariant,
} from './json-shape.ts';
import type { Space } from './records.ts';

/**
 * Graph parameters of Chroma's configuration: accepted, stored, given back; the search has no use for them.
 */
export interface HnswConfiguration {
  readonly space: Space;
  readonly efConstruction: number;
  readonly efSearch: number;
  readonly maxNeighbors: number;
  readonly threadCount: number;
  readonly batchSize: number;
  readonly syncThreshold: number;
  readonly resizeFactor: number;
}

/** What a collection is configured to. `embeddingFunction` is opaque: stored and echoed. */
export interface CollectionConfiguration {
  readonly hnsw: HnswConfiguration;
  readonly embeddingFunction: JsonValue | null;
  /** Share of the exact answer that queries ask for when they do not say; there only where it was set. */
  readonly recall?: number;
  /** Cells that a SPANN configuration wants searched; there only where it was set, and not on the wire. */
  readonly searchNprobe?: number;
  /**
   * The collection that took this one's name and records, embedded anew; there only where one did, and not on
   * the wire.
   */
  readonly successorId?: string;
}

/** Changes to a configuration; `undefined` leaves a part as it is. */
export interface ConfigurationUpdate {
  readonly hnsw?: Partial<Omit<HnswConfiguration, 'space' | 'efConstruction'>> | undefined;
  readonly embeddingFunction?: JsonValue | null | undefined;
  readonly recall?: number | undefined;
  readonly searchNprobe?: number | undefined;
}

/**
 * Chroma's defaults. `threadCount` is the number of cores there; here it is a constant, since nothing depends
 * on it and a collection's configuration should not depend on the machine that it was created on.
 */
export const DEFAULT_HNSW: HnswConfiguration = {
  space: 'l2',
  efConstruction: 100,
  efSearch: 100,
  maxNeighbors: 16,
  threadCount: 4,
  batchSize: 100,
  syncThreshold: 1000,
  resizeFactor: 1.2,
};

/** Distances that a collection can have. */
export const SPACES: readonly Space[] = ['l2', 'cosine', 'ip'];

/** Wire names of the graph parameters; in the order in which the schema shows them. */
export const HNSW_WIRE_NAMES: { readonly [Field in Exclude<keyof HnswConfiguration, 'space'>]: string } = {
  efConstruction: 'ef_construction',
  maxNeighbors: 'max_neighbors',
  efSearch: 'ef_search',
  threadCount: 'num_threads',
  batchSize: 'batch_size',
  syncThreshold: 'sync_threshold',
  resizeFactor: 'resize_factor',
};

type HnswField = keyof typeof HNSW_WIRE_NAMES;
const HNSW_FIELDS = Object.keys(HNSW_WIRE_NAMES) as HnswField[];

const HNSW_MEMBERS: readonly string[] = ['space', ...Object.values(HNSW_WIRE_NAMES)];
const HNSW_UPDATE_MEMBERS = HNSW_MEMBERS.filter((name) => name !== 'space' && name !== 'ef_construction');

const SPANN_NUMBER_MEMBERS: readonly string[] = [
  'search_nprobe',
  'write_nprobe',
  'ef_construction',
  'ef_search',
  'max_neighbors',
  'reassign_neighbor_count',
  'split_threshold',
  'merge_threshold',
];
const SPANN_MEMBERS: readonly string[] = ['space', ...SPANN_NUMBER_MEMBERS];
const SPANN_UPDATE_MEMBERS: readonly string[] = ['search_nprobe', 'ef_search'];

const LEGACY_KEYS: ReadonlyMap<string, HnswField | 'space'> = new Map([
  ['hnsw:space', 'space'],
  ['hnsw:construction_ef', 'efConstruction'],
  ['hnsw:search_ef', 'efSearch'],
  ['hnsw:M', 'maxNeighbors'],
  ['hnsw:num_threads', 'threadCount'],
  ['hnsw:resize_factor', 'resizeFactor'],
  ['hnsw:sync_threshold', 'syncThreshold'],
  ['hnsw:batch_size', 'batchSize'],
]);

/**
 * Reads the `configuration` of a new collection: wire JSON in snake_case, partial or absent, filled up with
 * defaults.
 *
 * `metadata` is the collection's metadata as JSON text. Its keys `hnsw:*` are the older form of the same
 * settings; they count when the configuration itself says nothing but defaults.
 *
 * Errors: `TESSERA_INVALID_CONFIGURATION`, with `details.reason: 'type'` for wrong types and unknown members.
 */
export function parseConfiguration(value: unknown, metadata: string | null): CollectionConfiguration {
  const members = isAbsent(value) ? {} : readObject(value, 'configuration');
  const embeddingFunction = parseEmbeddingFunction(
    members['embedding_function'],
    'configuration.embedding_function',
  );
  checkOneIndex(members);
  const given = parseIndex(members, 'configuration');
  const legacy = isDefaultHnsw(given) ? parseLegacyMetadata(metadata) : null;
  return { hnsw: legacy ?? given, embeddingFunction, ...parseRecallSettings(members, 'configuration') };
}

/**
 * Reads the `new_configuration` of an update: what may change after creation. Of a SPANN part, only the
 * number of cells to search has an effect.
 *
 * Errors: `TESSERA_INVALID_CONFIGURATION`, with `details.reason: 'type'` for wrong types and unknown members.
 */
export function parseConfigurationUpdate(value: unknown): ConfigurationUpdate {
  const path = 'new_configuration';
  const members = readObject(value, path);
  const functionGiven = members['embedding_function'];
  const embeddingFunction = isAbsent(functionGiven)
    ? undefined
    : parseEmbeddingFunction(functionGiven, `${path}.embedding_function`);
  checkOneIndex(members);
  if (!isAbsent(members['spann'])) {
    const spann = readClosedObject(members['spann'], `${path}.spann`, SPANN_UPDATE_MEMBERS);
    readNumbers(spann, `${path}.spann`, SPANN_UPDATE_MEMBERS);
  }
  let hnsw: ConfigurationUpdate['hnsw'];
  if (!isAbsent(members['hnsw'])) {
    const given = readClosedObject(members['hnsw'], `${path}.hnsw`, HNSW_UPDATE_MEMBERS);
    hnsw = parseHnswNumbers(given, `${path}.hnsw`);
  }
  return { hnsw, embeddingFunction, ...parseRecallSettings(members, path) };
}

/** The configuration after an update. Of the two search parameters, the one that was set last counts. */
export function applyConfigurationUpdate(
  configuration: CollectionConfiguration,
  update: ConfigurationUpdate,
): CollectionConfiguration {
  const recall = update.recall ?? configuration.recall;
  const formerNprobe = update.hnsw?.efSearch === undefined ? configuration.searchNprobe : undefined;
  const searchNprobe = update.searchNprobe ?? formerNprobe;
  return {
    hnsw: { ...configuration.hnsw, ...update.hnsw },
    embeddingFunction:
      update.embeddingFunction === undefined ? configuration.embeddingFunction : update.embeddingFunction,
    ...(recall === undefined ? {} : { recall }),
    ...(searchNprobe === undefined ? {} : { searchNprobe }),
    ...(configuration.successorId === undefined ? {} : { successorId: configuration.successorId }),
  };
}

/**
 * The wire's `configuration_json`, which leaves out the number of threads and the batch size, as Chroma's
 * does. `recall` is there where it was set.
 */
export function formatConfiguration(configuration: CollectionConfiguration): JsonValue {
  const { hnsw, recall } = configuration;
  return {
    hnsw: {
      space: hnsw.space,
      ef_construction: hnsw.efConstruction,
      ef_search: hnsw.efSearch,
      max_neighbors: hnsw.maxNeighbors,
      resize_factor: hnsw.resizeFactor,
      sync_threshold: hnsw.syncThreshold,
    },
    spann: null,
    embedding_function: configuration.embeddingFunction,
    ...(recall === undefined ? {} : { recall }),
  };
}

/**
 * Whether a configuration says nothing of its own: default parameters, and no embedding function or the
 * default one.
 */
export function isDefaultConfiguration(configuration: CollectionConfiguration): boolean {
  return isDefaultHnsw(configuration.hnsw) && isDefaultFunction(configuration.embeddingFunction);
}

/** Whether an embedding function says nothing of its own. A `legacy` one does, as it does in Chroma. */
export function isDefaultFunction(embeddingFunction: JsonValue | null): boolean {
  if (!isJsonObject(embeddingFunction)) return true;
  const { type, name } = embeddingFunction;
  return type === 'unknown' || (type === 'known' && name === 'default');
}

/**
 * Reads graph parameters that are all optional, without the space. Errors: `TESSERA_INVALID_CONFIGURATION`.
 */
export function parseHnswNumbers(
  members: JsonObject,
  path: string,
): Partial<Omit<HnswConfiguration, 'space'>> {
  const parsed: { -readonly [field in HnswField]?: number } = {};
  for (const field of HNSW_FIELDS) {
    const name = HNSW_WIRE_NAMES[field];
    const value = members[name];
    if (isAbsent(value)) continue;
    const read = field === 'resizeFactor' ? readFloat : readUnsigned;
    parsed[field] = read(value, `${path}.${name}`);
  }
  return parsed;
}

/** Checks a SPANN configuration of which only the space is kept. Errors: `TESSERA_INVALID_CONFIGURATION`. */
export function checkSpann(value: unknown, path: string, isSpaceAllowed: boolean): JsonObject {
  const spann = readClosedObject(value, path, isSpaceAllowed ? SPANN_MEMBERS : SPANN_NUMBER_MEMBERS);
  readNumbers(spann, path, SPANN_NUMBER_MEMBERS);
  return spann;
}

/**
 * Reads an embedding function's description: `known` with name and config, `legacy` or `unknown`; other
 * members are dropped.
 *
 * Errors: `TESSERA_INVALID_CONFIGURATION` with `details.reason: 'type'`.
 */
export function parseEmbeddingFunction(value: unknown, path: string): JsonValue | null {
  if (isAbsent(value)) return null;
  const members = readObject(value, path);
  if (members['type'] === undefined) throw missingField(path, 'type');
  const type = readVariant(members['type'], `${path}.type`, ['legacy', 'known', 'unknown']);
  if (type !== 'known') return { type };
  const { name, config } = members;
  if (typeof name !== 'string') throw missingField(path, 'name');
  if (config === undefined) throw missingField(path, 'config');
  return { type, name, config: plainJson(config) };
}

function isAbsent(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

function checkOneIndex(members: JsonObject): void {
  if (isAbsent(members['hnsw']) || isAbsent(members['spann'])) return;
  const message = 'Multiple vector index configurations provided';
  throw new DatabaseError('TESSERA_INVALID_CONFIGURATION', message);
}

function parseIndex(members: JsonObject, path: string): HnswConfiguration {
  if (!isAbsent(members['spann'])) {
    const spann = checkSpann(members['spann'], `${path}.spann`, true);
    return { ...DEFAULT_HNSW, space: parseSpace(spann['space'], `${path}.spann.space`) };
  }
  if (isAbsent(members['hnsw'])) return DEFAULT_HNSW;
  const hnsw = readClosedObject(members['hnsw'], `${path}.hnsw`, HNSW_MEMBERS);
  const space = parseSpace(hnsw['space'], `${path}.hnsw.space`);
  return { ...DEFAULT_HNSW, space, ...parseHnswNumbers(hnsw, `${path}.hnsw`) };
}

/** Reads what a configuration says about recall. Errors: `TESSERA_INVALID_CONFIGURATION`. */
function parseRecallSettings(
  members: JsonObject,
  path: string,
): Pick<CollectionConfiguration, 'recall' | 'searchNprobe'> {
  const { recall, spann } = members;
  const nprobe = isJsonObject(spann) ? spann['search_nprobe'] : null;
  return {
    ...(isAbsent(recall) ? {} : { recall: readShare(recall, `${path}.recall`) }),
    ...(isAbsent(nprobe) ? {} : { searchNprobe: readUnsigned(nprobe, `${path}.spann.search_nprobe`) }),
  };
}

/** Reads a space; absent means the default. Errors: `TESSERA_INVALID_CONFIGURATION`. */
export function parseSpace(value: unknown, path: string): Space {
  return isAbsent(value) ? DEFAULT_HNSW.space : readVariant(value, path, SPACES);
}

function readNumbers(members: JsonObject, path: string, names: readonly string[]): void {
  for (const name of names) {
    if (!isAbsent(members[name])) readUnsigned(members[name], `${path}.${name}`);
  }
}

function isDefaultHnsw(hnsw: HnswConfiguration): boolean {
  return (
    hnsw.space === DEFAULT_HNSW.space && HNSW_FIELDS.every((field) => hnsw[field] === DEFAULT_HNSW[field])
  );
}

/** Reads the `hnsw:*` keys of a collection's metadata; `null` when there are none. */
function parseLegacyMetadata(metadata: string | null): HnswConfiguration | null {
  if (metadata === null || !metadata.includes('"hnsw:')) return null;
  const entries = Object.entries(readObject(parseJson(metadata), 'metadata'));
  const legacy = entries.filter(([key]) => key.startsWith('hnsw:'));
  if (legacy.length === 0) return null;
  const parsed: { -readonly [field in keyof HnswConfiguration]: HnswConfiguration[field] } = {
    ...DEFAULT_HNSW,
  };
  for (const [key, value] of legacy) {
    const field = LEGACY_KEYS.get(key);
    try {
      if (field === undefined) throw missingField('metadata', key);
      if (field === 'space') parsed.space = readVariant(value, key, SPACES);
      else if (field === 'resizeFactor') parsed.resizeFactor = readFloat(value, key);
      else parsed[field] = readUnsigned(value, key);
    } catch (cause) {
      throw invalidLegacyMetadata(key, cause);
    }
  }
  if (parsed.batchSize < 2) throw invalidLegacyMetadata('hnsw:batch_size');
  if (parsed.syncThreshold < 2) throw invalidLegacyMetadata('hnsw:sync_threshold');
  return parsed;
}

function invalidLegacyMetadata(key: string, cause?: unknown): DatabaseError {
  const reason = cause instanceof DatabaseError ? cause.message : 'expected at least 2';
  const message = `Failed to parse hnsw parameters from segment metadata: ${key}: ${reason}`;
  return new DatabaseError('TESSERA_INVALID_CONFIGURATION', message, { details: { key } });
}
