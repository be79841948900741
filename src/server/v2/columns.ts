/**
 * Records as the wire shows them: columns, `null` for those that were not asked for.
 *
 * The texts are spliced. Metadata arrives as JSON and is passed on unread, which keeps `1.0` and large
 * integers as they were stored; embeddings and distances are float32 and are written as such (floats.ts).
 */
import type { EmbeddingBatch, Include, Neighbours, RecordColumns } from '../../api/index.ts';
import { formatFloats } from '../floats.ts';
import { formatReport } from './reports.ts';

/** The answer of `get`. */
export function formatRecords(columns: RecordColumns, include: readonly Include[]): string {
  return (
    `{"ids":${JSON.stringify(columns.ids)},` +
    `"embeddings":${formatEmbeddings(columns.embeddings, columns.ids.length)},` +
    `"documents":${JSON.stringify(columns.documents)},"uris":${JSON.stringify(columns.uris)},` +
    `"metadatas":${formatMetadatas(columns.metadatas)},"include":${JSON.stringify(include)}}`
  );
}

/**
 * The answer of `query`: every column has one inner array for each query embedding. `plans` are there only
 * when asked for, so that others read the answer that they know.
 */
export function formatNeighbours(
  results: readonly Neighbours[],
  include: readonly Include[],
  isExplained: boolean,
): string {
  const column = (name: Include, format: (result: Neighbours) => string): string =>
    include.includes(name) ? `[${results.map(format).join(',')}]` : 'null';
  const ids = results.map((result) => JSON.stringify(result.ids)).join(',');
  const embeddings = column('embeddings', (result) => formatEmbeddings(result.embeddings, result.ids.length));
  const documents = column('documents', (result) => JSON.stringify(result.documents));
  const uris = column('uris', (result) => JSON.stringify(result.uris));
  const metadatas = column('metadatas', (result) => formatMetadatas(result.metadatas));
  const distances = column('distances', ({ distances: values }) =>
    values === null ? 'null' : formatFloats(values, 0, values.length),
  );
  const plans = isExplained ? `,"plans":[${results.map(({ plan }) => formatReport(plan)).join(',')}]` : '';
  return (
    `{"ids":[${ids}],"embeddings":${embeddings},"documents":${documents},"uris":${uris},` +
    `"metadatas":${metadatas},"distances":${distances},"include":${JSON.stringify(include)}${plans}}`
  );
}

function formatMetadatas(metadatas: readonly (string | null)[] | null): string {
  if (metadatas === null) return 'null';
  return `[${metadatas.map((metadata) => metadata ?? 'null').join(',')}]`;
}

function formatEmbeddings(batch: EmbeddingBatch | null, count: number): string {
  if (batch === null) return 'null';
  const { dimension, values, present } = batch;
  const rows: string[] = [];
  for (let i = 0; i < count; i++) {
    const isPresent = present === null || present[i] === 1;
    rows.push(isPresent ? formatFloats(values, i * dimension, (i + 1) * dimension) : 'null');
  }
  return `[${rows.join(',')}]`;
}
