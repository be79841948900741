/**
 * Nearness: the vectors of one collection in memory, and the search over them.
 *
 * Two hold vectors and rank them exactly: `FlatIndex` all of a small collection, with codes that make exact
 * search fast; `VectorCache` as many of a large one as there is room for, the others read when needed.
 * `ClusteredIndex` stands on either and adds cells of one-bit codes, which choose the rows that are worth an
 * exact distance; it measures its own recall. `CellStore` keeps cells in the collection's file. All know
 * slots (dense positions that their owner assigns), not records, and follow the records: whatever they hold
 * can be built again from them.
 */
export { encodeCentres, encodeRows, PART_ROWS, partCells } from './cell-outline.ts';
export {
  type BeginLoading,
  type CellPlace,
  CellStore,
  type CellsDirectory,
  type KeptCells,
} from './cell-store.ts';
export { ClusteredIndex } from './clustered-index.ts';
export type {
  CellReader,
  CellsHeader,
  ClusteredIndexOptions,
  ClusteredNearest,
  ClusteredStatistics,
  ClusteredTuning,
} from './clustered-types.ts';
export { FlatIndex, type FlatIndexOptions } from './flat-index.ts';
export { widthFor } from './rotation.ts';
export { VectorCache } from './vector-cache.ts';
export type { NearestSlots, VectorCacheOptions, VectorRows, VectorSource } from './vector-rows.ts';
