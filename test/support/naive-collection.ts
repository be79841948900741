/**
 * The oracle of collections: a `Map` from ids to records, and answers by looking at every one of them. A map
 * keeps the place of a key that is set again, which is what insertion order means here.
 */
import type { QueryRequest, RecordSelection, Space } from '../../src/api/index.ts';
import { parseWhere, parseWhereDocument } from '../../src/api/index.ts';
import type { TestRecord } from './batches.ts';
import { distance } from './hard-vectors.ts';

/** A record as the oracle keeps it; every one has all parts. */
export interface NaiveRecord {
  readonly id: string;
  readonly embedding: Float32Array;
  /** From 0 to 99, as the metadata key `group`. */
  readonly group: number;
  /** The document says it. */
  readonly word: string;
  /** Of the tests that write any. */
  readonly uri?: string;
}

/** One answer of a query. */
export interface Hit {
  readonly id: string;
  readonly distance: number;
}

/** Which records may answer; `undefined` parts restrict nothing. */
export interface NaiveFilter {
  /** Groups below this number: about as many in a hundred records. */
  readonly groupBelow?: number | undefined;
  readonly group?: number | undefined;
  readonly word?: string | undefined;
  readonly ids?: readonly string[] | undefined;
}

/** What a batch says of a record. */
export function testRecord({ id, embedding, group, word }: NaiveRecord): TestRecord {
  const metadata = JSON.stringify({ group });
  return { id, embedding: Array.from(embedding), metadata, document: documentOf(word) };
}

/** The document of a record with this word. */
export function documentOf(word: string): string {
  return `The text of this record says ${word} and no more.`;
}

/** The filter as requests have it. */
export function selectionOf({ groupBelow, group, word, ids }: NaiveFilter): RecordSelection {
  const conditions = [
    ...(groupBelow === undefined ? [] : [{ group: { $lt: groupBelow } }]),
    ...(group === undefined ? [] : [{ group }]),
  ];
  return {
    ids: ids ?? null,
    where: conditions.length === 0 ? null : parseWhere({ $and: conditions }),
    whereDocument: word === undefined ? null : parseWhereDocument({ $contains: `says ${word} and` }),
  };
}

/** See the top of this file. */
export class NaiveCollection {
  readonly space: Space;
  readonly records: Map<string, NaiveRecord> = new Map();

  constructor(space: Space) {
    this.space = space;
  }

  /** Ids that are stored stay as they are. */
  add(records: readonly NaiveRecord[]): void {
    for (const record of records) if (!this.records.has(record.id)) this.records.set(record.id, record);
  }

  upsert(records: readonly NaiveRecord[]): void {
    for (const record of records) this.records.set(record.id, record);
  }

  /** Ids that are not stored are ignored; without `hasEmbeddings` the former embeddings stay. */
  update(records: readonly NaiveRecord[], hasEmbeddings: boolean): void {
    for (const record of records) {
      const former = this.records.get(record.id);
      if (former === undefined) continue;
      this.records.set(record.id, hasEmbeddings ? record : { ...record, embedding: former.embedding });
    }
  }

  delete(filter: NaiveFilter): void {
    for (const { id } of this.select(filter)) this.records.delete(id);
  }

  /** The records that a filter admits, in insertion order. */
  select({ groupBelow, group, word, ids }: NaiveFilter): NaiveRecord[] {
    const wanted = ids === undefined ? null : new Set(ids);
    return [...this.records.values()].filter(
      (record) =>
        (wanted === null || wanted.has(record.id)) &&
        (groupBelow === undefined || record.group < groupBelow) &&
        (group === undefined || record.group === group) &&
        (word === undefined || record.word === word),
    );
  }

  /** The `k` nearest of the records that a filter admits; equal distances by insertion order. */
  nearest(query: Float32Array, k: number, filter: NaiveFilter = {}): Hit[] {
    const hits = this.select(filter).map(({ id, embedding }) => ({
      id,
      distance: distance(this.space, embedding, query),
    }));
    // The sort is stable, and a difference of two infinities would be no number.
    hits.sort((a, b) => (a.distance < b.distance ? -1 : a.distance > b.distance ? 1 : 0));
    return hits.slice(0, k);
  }
}

/** A `query` request of the oracle's kind: ids and distances, and how they were found. */
export function nearestRequest(
  queries: readonly Float32Array[],
  nResults: number,
  recall: number | null,
  filter: NaiveFilter = {},
): QueryRequest {
  const dimension = queries[0]!.length;
  const values = new Float32Array(queries.length * dimension);
  for (const [i, query] of queries.entries()) values.set(query, i * dimension);
  const embeddings = { dimension, values, present: null };
  return { ...selectionOf(filter), embeddings, nResults, include: ['distances'], recall, explain: true };
}
