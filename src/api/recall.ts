/** How much recall the queries of a collection ask for when they do not say. */
import type { CollectionConfiguration } from './configuration.ts';
import { DEFAULT_RECALL } from './settings.ts';

/** Settings of Chroma's indexes are no error, however small or large: they become a recall within these. */
const RECALL_MIN = 0.5;
const RECALL_MAX = 0.9999;

/** Chroma's default number of cells that a SPANN search visits. */
const DEFAULT_NPROBE = 64;

/**
 * The recall that a collection asks for: the one that was set, or the one that its search parameter means.
 *
 * Chroma's parameters say how long a search looks around, `ef_search` candidates of a graph or
 * `search_nprobe` cells, and no index of ours has either. What people want by turning them is to miss fewer
 * neighbours, or to be answered faster; and on ordinary data, looking twice as long misses about half as
 * many. So the share that may be missed is inversely proportional to the parameter, through the point where
 * Chroma's default meets ours: 1 − 1 / `ef_search` is 0.99 at 100, 1 − 0.64 / `search_nprobe` is 0.99 at 64.
 * Exact search has to be asked for, so it is not reached this way.
 */
export function recallOf({ recall, searchNprobe, hnsw }: CollectionConfiguration): number {
  if (recall !== undefined) return recall;
  const missed =
    searchNprobe === undefined ? 1 / hnsw.efSearch : ((1 - DEFAULT_RECALL) * DEFAULT_NPROBE) / searchNprobe;
  return Math.min(RECALL_MAX, Math.max(RECALL_MIN, 1 - missed));
}
