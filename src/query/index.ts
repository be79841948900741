/**
 * The query path: filters become bitmaps (filter.ts, documents.ts), bitmaps and embeddings become answers
 * (execute.ts), over indexes in memory that follow the records (indexes.ts).
 */
export type { IndexTuning } from './cell-keeper.ts';
export type { DocumentContext } from './documents.ts';
export {
  checkSelection,
  emptyPlan,
  executeGet,
  executeQuery,
  hasFilter,
  isRestricted,
  type QueryContext,
  selectRowsToDelete,
} from './execute.ts';
export { CollectionIndexes, type IndexOptions } from './indexes.ts';
