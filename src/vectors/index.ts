/**
 * Nearness: the vectors of one collection in memory, and the search over them.
 *
 * `FlatIndex` is the exact search: it looks at every allowed row and its answer is the yardstick for any
 * other. It knows slots (dense positions that its owner assigns), not records, and it follows the records:
 * whatever it holds can be built again from them.
 */
export { FlatIndex, type FlatIndexOptions, type NearestSlots } from './flat-index.ts';
