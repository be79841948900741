/**
 * Metadata as typed columns in memory, by slot. A condition on one key becomes a bitmap in about a nanosecond
 * a slot: numbers are doubles in an array, strings are codes of a dictionary, booleans are bits, arrays lie
 * in a pool.
 */
export type { MetadataCondition } from './column.ts';
export { MetadataColumns } from './metadata-columns.ts';
