/**
 * Nearness: the vectors of one collection in memory, and the search over them.
 *
 * `FlatIndex` is the exact search: it looks at every allowed row and its answer is the yardstick for any
 * other. `ClusteredIndex` stands on it and adds cells of one-bit codes, which choose the rows that are worth
 * an exact distance; it measures its own recall. Both know slots (dense positions that their owner assigns),
 * not records, and follow the records: whatever they hold can be built again from them.
 */
export type { CellBytes } from './cell-codec.ts';
export {
  type CellsHeader,
  ClusteredIndex,
  type ClusteredIndexOptions,
  type ClusteredNearest,
  type ClusteredStatistics,
} from './clustered-index.ts';
export { FlatIndex, type FlatIndexOptions, type NearestSlots } from './flat-index.ts';
