/** Results of `get` and `query`: columns, as the `chromadb` client has them, and rows on request. */
import {
  decodeMetadata,
  type EmbeddingBatch,
  type Include,
  type Metadata,
  type Neighbours,
  type QueryPlan,
  type RecordColumns,
} from '../api/index.ts';
import type {
  Cell,
  Column,
  DefaultGetInclude,
  DefaultQueryInclude,
  GetInclude,
  QueryInclude,
} from './include.ts';

/** One record of a `GetResult`; a member is `undefined` when its column was not asked for. */
export interface GetRow<Included extends GetInclude, TMeta extends object> {
  readonly id: string;
  readonly document: Cell<Included, 'documents', string | null>;
  readonly embedding: Cell<Included, 'embeddings', number[]>;
  readonly metadata: Cell<Included, 'metadatas', TMeta | null>;
  readonly uri: Cell<Included, 'uris', string | null>;
}

/** One neighbour of a `QueryResult`; a member is `undefined` when its column was not asked for. */
export interface QueryRow<Included extends QueryInclude, TMeta extends object> {
  readonly id: string;
  readonly document: Cell<Included, 'documents', string | null>;
  readonly embedding: Cell<Included, 'embeddings', number[]>;
  readonly metadata: Cell<Included, 'metadatas', TMeta | null>;
  readonly uri: Cell<Included, 'uris', string | null>;
  readonly distance: Cell<Included, 'distances', number>;
}

/** The records of a `get`, in insertion order. Columns that `include` does not list are `null`. */
export class GetResult<Included extends GetInclude = DefaultGetInclude, TMeta extends object = Metadata> {
  readonly ids: string[];
  readonly documents: Column<Included, 'documents', (string | null)[]>;
  readonly embeddings: Column<Included, 'embeddings', number[][]>;
  readonly metadatas: Column<Included, 'metadatas', (TMeta | null)[]>;
  readonly uris: Column<Included, 'uris', (string | null)[]>;
  readonly include: Included;

  /** Made by `Collection.get`. */
  constructor(columns: RecordColumns, include: Included) {
    const decoded = decodeColumns(columns);
    this.ids = columns.ids;
    this.documents = decoded.documents as typeof this.documents;
    this.embeddings = decoded.embeddings as typeof this.embeddings;
    this.metadatas = decoded.metadatas as typeof this.metadatas;
    this.uris = decoded.uris as typeof this.uris;
    this.include = include;
  }

  /** The same as one object a record. */
  rows(): GetRow<Included, TMeta>[] {
    const { documents, embeddings, metadatas, uris } = this as unknown as DecodedColumns;
    return this.ids.map((id, i) => {
      const row = {
        id,
        document: documents?.[i],
        embedding: embeddings?.[i],
        metadata: metadatas?.[i],
        uri: uris?.[i],
      };
      return row as GetRow<Included, TMeta>;
    });
  }
}

/** The neighbours of each query, nearest first. Columns that `include` does not list are `null`. */
export class QueryResult<
  Included extends QueryInclude = DefaultQueryInclude,
  TMeta extends object = Metadata,
> {
  readonly ids: string[][];
  /** Less is nearer; `Infinity` where the distance is too large for 32 bits. */
  readonly distances: Column<Included, 'distances', number[][]>;
  readonly documents: Column<Included, 'documents', (string | null)[][]>;
  readonly embeddings: Column<Included, 'embeddings', number[][][]>;
  readonly metadatas: Column<Included, 'metadatas', (TMeta | null)[][]>;
  readonly uris: Column<Included, 'uris', (string | null)[][]>;
  /** How each query was answered; `null` unless the query said `explain: true`. */
  readonly plans: QueryPlan[] | null;
  readonly include: Included;

  /** Made by `Collection.query`. */
  constructor(neighbours: readonly Neighbours[], include: Included, isExplained: boolean) {
    const decoded = neighbours.map(decodeColumns);
    const column = (name: Include, values: readonly unknown[]): unknown =>
      include.includes(name) ? values : null;
    this.ids = neighbours.map(({ ids }) => ids);
    this.distances = column(
      'distances',
      neighbours.map(({ distances }) => Array.from(distances ?? [])),
    ) as typeof this.distances;
    this.documents = column(
      'documents',
      decoded.map(({ documents }) => documents),
    ) as typeof this.documents;
    this.embeddings = column(
      'embeddings',
      decoded.map(({ embeddings }) => embeddings),
    ) as typeof this.embeddings;
    this.metadatas = column(
      'metadatas',
      decoded.map(({ metadatas }) => metadatas),
    ) as typeof this.metadatas;
    this.uris = column(
      'uris',
      decoded.map(({ uris }) => uris),
    ) as typeof this.uris;
    const plans = neighbours.map(({ plan }) => plan).filter((plan) => plan !== null);
    this.plans = isExplained && plans.length === neighbours.length ? plans : null;
    this.include = include;
  }

  /** The same as one list a query, of one object a neighbour. */
  rows(): QueryRow<Included, TMeta>[][] {
    const { documents, embeddings, metadatas, uris, distances } = this as unknown as {
      readonly [Name in keyof DecodedColumns]: NonNullable<DecodedColumns[Name]>[] | null;
    } & { readonly distances: number[][] | null };
    return this.ids.map((ids, q) =>
      ids.map((id, i) => {
        const row = {
          id,
          document: documents?.[q]?.[i],
          embedding: embeddings?.[q]?.[i],
          metadata: metadatas?.[q]?.[i],
          uri: uris?.[q]?.[i],
          distance: distances?.[q]?.[i],
        };
        return row as QueryRow<Included, TMeta>;
      }),
    );
  }
}

interface DecodedColumns {
  readonly documents: (string | null)[] | null;
  readonly embeddings: number[][] | null;
  readonly metadatas: (Metadata | null)[] | null;
  readonly uris: (string | null)[] | null;
}

function decodeColumns(columns: RecordColumns): DecodedColumns {
  const { documents, embeddings, metadatas, uris } = columns;
  return {
    documents,
    embeddings: embeddings === null ? null : rowsOf(embeddings, columns.ids.length),
    metadatas: metadatas?.map((text) => (text === null ? null : decodeMetadata(text))) ?? null,
    uris,
  };
}

/**
 * Arrays of numbers, as the `chromadb` client returns them; a record without an embedding has an empty one.
 */
function rowsOf(batch: EmbeddingBatch, count: number): number[][] {
  const { dimension, values, present } = batch;
  const rows: number[][] = [];
  for (let i = 0; i < count; i++) {
    const isPresent = present === null || present[i] === 1;
    rows.push(isPresent ? Array.from(values.subarray(i * dimension, (i + 1) * dimension)) : []);
  }
  return rows;
}
