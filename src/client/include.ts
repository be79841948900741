/**
 * Types that let the `include` list decide what a result holds.
 *
 * A column named in a literal list is there; one that is not named is `null`; with a list that the compiler
 * cannot see into (`IncludeColumn[]`), each column is there or `null`.
 */
import type { Include, IncludeColumn } from '../api/index.ts';

/** What `get` brings back when nothing is asked for. */
export type DefaultGetInclude = readonly ['documents', 'metadatas'];
/** What `query` brings back when nothing is asked for. */
export type DefaultQueryInclude = readonly ['metadatas', 'documents', 'distances'];

/** A list of columns for `get`. */
export type GetInclude = readonly IncludeColumn[];
/** A list of columns for `query`. */
export type QueryInclude = readonly Include[];

/** `Value` when the list `Included` names `Name`, `null` when it does not, either when it cannot be known. */
export type Column<Included extends QueryInclude, Name extends Include, Value> = Named<
  Included,
  Name,
  Value,
  null
>;

/** As `Column`, for one cell of a row: `undefined` stands for a column that was not asked for. */
export type Cell<Included extends QueryInclude, Name extends Include, Value> = Named<
  Included,
  Name,
  Value,
  undefined
>;

// Distributes over unions of lists, as `condition ? ['documents'] : []` has one.
type Named<Included extends QueryInclude, Name extends Include, Value, Absent> = Included extends QueryInclude
  ? Name extends Included[number]
    ? number extends Included['length']
      ? Value | Absent
      : Value
    : Absent
  : never;
