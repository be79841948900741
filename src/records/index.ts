/**
 * The records, the only truth: a file per collection with its change sequence, and the catalogue of
 * collections.
 *
 * Begin with format.ts (tables and versions), then record-writer.ts (what a write does), vector-block.ts
 * (bytes).
 */
export { type CatalogueEntry, CatalogueStore, type DatabaseEntry } from './catalogue-store.ts';
export {
  APPLICATION_ID,
  LARGE_PAGE_BYTES,
  PAGE_BYTES,
  PAGE_SIZES,
  pageBytesFor,
  rowsPerBlock,
} from './format.ts';
export { LOG_PAGES_MIN } from './log-length.ts';
export type { OpenFileOptions } from './open-file.ts';
export { RECORD_COLUMNS, type StoredRecord } from './record.ts';
export { applyChanges, type CopyOptions, RecordCopy } from './record-copy.ts';
export { type Examined, type Outcome, RecordStore } from './record-store.ts';
export type { RecordWriter } from './record-writer.ts';
export { deletedMeanwhile, fileMissing, openedReadOnly } from './refusals.ts';
export { type Salvaged, salvage } from './salvage.ts';
export type { StoreState } from './state.ts';
export type { VectorTable } from './vector-table.ts';
