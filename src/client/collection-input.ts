/** What the methods of a collection take, as types and as the names that are checked against. */
import type { EmbeddingInput, MetadataChanges, MetadataInput } from '../api/index.ts';
import { membersOf, SELECTION_MEMBERS, type SelectionInput } from './arguments.ts';
import type { ConfigurationChanges } from './configuration.ts';
import type { Cancellable } from './connection.ts';
import type { GetInclude, QueryInclude } from './include.ts';

/** Records to write, column by column; every column given has as many rows as `ids`. */
export interface RecordsInput<TMetadata = MetadataInput> extends Cancellable {
  /** Not empty, each id once. */
  readonly ids: readonly string[];
  readonly embeddings?: readonly EmbeddingInput[] | undefined;
  /** Embedded by the collection's embedding function where `embeddings` is left out. */
  readonly documents?: readonly (string | null)[] | undefined;
  readonly metadatas?: readonly (TMetadata | null)[] | undefined;
  readonly uris?: readonly (string | null)[] | undefined;
}

/** What `update` takes: every column is optional, and rows may be left without an embedding. */
export interface UpdateInput extends Omit<RecordsInput<MetadataChanges>, 'embeddings'> {
  readonly embeddings?: readonly (EmbeddingInput | null)[] | undefined;
}

/** What `get` takes. */
export interface GetInput<Included extends GetInclude> extends SelectionInput, Cancellable {
  /** How many records at most; all of them if left out. */
  readonly limit?: number | undefined;
  /** How many records to pass over first. */
  readonly offset?: number | undefined;
  /** Columns to bring back; default `documents` and `metadatas`. */
  readonly include?: Included | undefined;
}

/** What `query` takes; `queryEmbeddings` or `queryTexts`, not both. */
export interface QueryInput<Included extends QueryInclude> extends SelectionInput, Cancellable {
  readonly queryEmbeddings?: readonly EmbeddingInput[] | undefined;
  /** Embedded by the collection's embedding function. */
  readonly queryTexts?: readonly string[] | undefined;
  /** How many neighbours for each query; default 10. */
  readonly nResults?: number | undefined;
  /** Columns to bring back; default `metadatas`, `documents` and `distances`. */
  readonly include?: Included | undefined;
  /** Asks for the exact answer; the same as `recall: 1`. */
  readonly exact?: boolean | undefined;
  /** Share of the exact answer to reach on average, above 0 and up to 1; by default the collection's. */
  readonly recall?: number | undefined;
  /** Whether `plans` of the result tells how each query was answered. */
  readonly explain?: boolean | undefined;
}

/** What `delete` takes. */
export interface DeleteInput extends SelectionInput, Cancellable {
  /** How many of the matching records at most, first in insertion order; only with a filter. */
  readonly limit?: number | undefined;
}

/** What `modify` takes; what is left out stays as it is. */
export interface ModifyInput extends Cancellable {
  readonly name?: string | undefined;
  /** Replaces the whole metadata. */
  readonly metadata?: MetadataChanges | undefined;
  readonly configuration?: ConfigurationChanges | undefined;
}

/** What `fork` and `salvage` take. */
export interface ForkInput extends Cancellable {
  /** Name of the copy. */
  readonly name: string;
}

/** The members of `RecordsInput` and `UpdateInput`. */
export const RECORDS_MEMBERS: readonly string[] = membersOf<RecordsInput>({
  ids: true,
  embeddings: true,
  documents: true,
  metadatas: true,
  uris: true,
  signal: true,
});
/** The members of `GetInput`. */
export const GET_MEMBERS: readonly string[] = membersOf<GetInput<GetInclude>>({
  ...SELECTION_MEMBERS,
  limit: true,
  offset: true,
  include: true,
});
/** The members of `QueryInput`. */
export const QUERY_MEMBERS: readonly string[] = membersOf<QueryInput<QueryInclude>>({
  queryEmbeddings: true,
  queryTexts: true,
  nResults: true,
  ...SELECTION_MEMBERS,
  include: true,
  exact: true,
  recall: true,
  explain: true,
});
/** The members of `DeleteInput`. */
export const DELETE_MEMBERS: readonly string[] = membersOf<DeleteInput>({
  ...SELECTION_MEMBERS,
  limit: true,
});
/** The members of `ForkInput`. */
export const FORK_MEMBERS: readonly string[] = membersOf<ForkInput>({ name: true, signal: true });
/** The members of what `peek` takes. */
export const PEEK_MEMBERS: readonly string[] = ['limit', 'signal'];
/** The members of `ModifyInput`. */
export const MODIFY_MEMBERS: readonly string[] = membersOf<ModifyInput>({
  name: true,
  metadata: true,
  configuration: true,
  signal: true,
});
