/**
 * The configuration of a collection as clients 0.5.6 to 0.6 say and read it:
 *
 *   { "hnsw_configuration": { "space", "ef_construction", "ef_search", "num_threads", "M", "resize_factor",
 *                             "batch_size", "sync_threshold", "_type": "HNSWConfigurationInternal" },
 *     "_type": "CollectionConfigurationInternal" }
 *
 * Those clients send all of it with every new collection, mostly the defaults of their time, while what their
 * users chose stood in the metadata under `hnsw:*`. So such metadata goes first, and a parameter at that
 * time's default counts as not given.
 */
import {
  type CollectionConfiguration,
  isJsonObject,
  type JsonObject,
  parseConfiguration,
} from '../../api/index.ts';
import { Double, formatJson, type JsonValue } from '../../base/index.ts';

/** Their names of parameters, and ours. */
const NAMES: readonly (readonly [theirs: string, ours: string])[] = [
  ['space', 'space'],
  ['ef_construction', 'ef_construction'],
  ['ef_search', 'ef_search'],
  ['num_threads', 'num_threads'],
  ['M', 'max_neighbors'],
  ['resize_factor', 'resize_factor'],
  ['batch_size', 'batch_size'],
  ['sync_threshold', 'sync_threshold'],
];

/** Defaults of Chroma 0.5 that are not ours; the number of threads was the client's number of cores. */
const EF_SEARCH_THEN = 10;

/**
 * Reads the configuration of a new collection; `metadata` is the collection's, as JSON text. Errors:
 * `TESSERA_INVALID_CONFIGURATION`.
 */
export function readConfiguration(value: unknown, metadata: string | null): CollectionConfiguration {
  const given = isJsonObject(value) ? value['hnsw_configuration'] : undefined;
  if (!isJsonObject(given) || metadata?.includes('"hnsw:') === true) {
    return parseConfiguration(null, metadata);
  }
  return parseConfiguration({ hnsw: translate(given) }, metadata);
}

function translate(given: JsonObject): JsonObject {
  const members = NAMES.filter(([theirs]) => given[theirs] !== undefined).map(([theirs, ours]) => [
    ours,
    given[theirs],
  ]);
  const hnsw = Object.fromEntries(members) as { [name: string]: unknown };
  if (hnsw['ef_search'] === EF_SEARCH_THEN) delete hnsw['ef_search'];
  delete hnsw['num_threads'];
  return hnsw;
}

/** The configuration as those clients read it, as JSON text. */
export function formatInternalConfiguration({ hnsw }: CollectionConfiguration): string {
  const parameters: JsonValue = {
    space: hnsw.space,
    ef_construction: hnsw.efConstruction,
    ef_search: hnsw.efSearch,
    num_threads: hnsw.threadCount,
    M: hnsw.maxNeighbors,
    resize_factor: new Double(hnsw.resizeFactor),
    batch_size: hnsw.batchSize,
    sync_threshold: hnsw.syncThreshold,
    _type: 'HNSWConfigurationInternal',
  };
  return formatJson({ hnsw_configuration: parameters, _type: 'CollectionConfigurationInternal' });
}
