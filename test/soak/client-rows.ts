/** What a client answers, record by record, and how it is compared with what a model has. */
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import type { GetResult } from '../../src/client/index.ts';
import { documentOf, type NaiveRecord } from '../support/naive-collection.ts';

/** All columns there are. */
export const COLUMNS = ['documents', 'metadatas', 'embeddings', 'uris'] as const;

/** What vitest's comparison does, and says, is worth its time only for what differs. */
export function expectSame(found: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(found, expected)) expect(found).toEqual(expected);
}

/** A record as it is answered. */
export type Row = Readonly<Record<'id' | 'document' | 'metadata' | 'embedding' | 'uri', unknown>>;

export function rowOf({ id, word, group, embedding, uri }: NaiveRecord): Row {
  return { id, document: documentOf(word), metadata: { group }, embedding: Array.from(embedding), uri };
}

export function rowsOf(found: GetResult<typeof COLUMNS>): Row[] {
  const { ids, documents, metadatas, embeddings, uris } = found;
  return ids.map((id, i) => ({
    id,
    document: documents[i],
    metadata: metadatas[i],
    embedding: embeddings[i],
    uri: uris[i],
  }));
}

/** Whether what was read is, for the records of each part, what was there before or what is there after. */
export function expectBetween(
  rows: readonly Row[],
  before: readonly Row[],
  after: readonly Row[],
  parts: readonly ReadonlySet<unknown>[],
): void {
  for (const part of parts) {
    const [seenOfIt, former, next] = [rows, before, after].map((all) => all.filter(({ id }) => part.has(id)));
    if (!isDeepStrictEqual(seenOfIt, former)) expectSame(seenOfIt, next);
  }
  const ids = new Set(rows.map(({ id }) => id));
  expectSame(
    rows.map(({ id }) => id),
    before.map(({ id }) => id).filter((id) => ids.has(id)),
  );
}
