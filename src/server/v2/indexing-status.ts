/**
 * How far indexing has come, in Chroma's terms: operations of the collection's log, and how many of them no
 * index has taken in yet.
 *
 * An operation is a change of a record, as the change sequence numbers them. Reads see every change, indexed
 * or not; what is told here is how much of a read's work is still done without an index. A collection with
 * too few records for cells wants none, so it is never behind.
 */
import type { Backend, CallOptions, CollectionScope, CollectionStatistics } from '../../api/index.ts';
import { formatFloat } from '../../base/index.ts';
import { ClusteredIndex } from '../../vectors/index.ts';

/** The answer of `indexing_status`, as JSON text. */
export async function describeIndexing(
  backend: Backend,
  scope: CollectionScope,
  options: CallOptions,
): Promise<string> {
  const statistics = await backend.statistics(scope, options);
  const total = statistics.sequence;
  const unindexed = Math.min(total, countUnindexed(statistics));
  // Clients ask until all is indexed. What was never read since the start is indexed once somebody asks.
  if (unindexed > 0 && statistics.vectors.kind === 'unloaded') backend.settle(scope).catch(() => {});
  const progress = total === 0 ? 1 : (total - unindexed) / total;
  return (
    `{"op_indexing_progress":${formatFloat(progress)},"num_unindexed_ops":${unindexed},` +
    `"num_indexed_ops":${total - unindexed},"total_ops":${total}}`
  );
}

function countUnindexed({ recordCount, sequence, vectors, text }: CollectionStatistics): number {
  const textCount = text.isBuilt ? text.lag : 0;
  if (recordCount < ClusteredIndex.startCount()) return textCount;
  const position = vectors.kind === 'unloaded' ? vectors.savedPosition : vectors.position;
  return Math.max(textCount, sequence - position + vectors.waitingCount);
}
