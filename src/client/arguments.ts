/**
 * The checks that the facade makes before anything is embedded, sent or stored: those of the `chromadb`
 * client.
 *
 * What a column may hold is checked by the parsers in `api`, which the server uses too. Here stands what only
 * a caller in the same process should be told: duplicates, empty batches, unknown columns, counts out of
 * range.
 */
import {
  type Include,
  LIMITS,
  parseIds,
  parseWhere,
  parseWhereDocument,
  type RecordSelection,
} from '../api/index.ts';
import { DatabaseError, nearestOf, show } from '../base/index.ts';

/** Filters and ids as `get`, `query` and `delete` take them. */
export interface SelectionInput {
  /** Only these records; unknown ids are passed over. */
  readonly ids?: string | readonly string[] | undefined;
  /** Only records whose metadata matches. */
  readonly where?: Where | undefined;
  /** Only records whose document matches. */
  readonly whereDocument?: WhereDocument | undefined;
}

/** A value that metadata is compared with. */
export type WhereScalar = string | number | boolean | bigint;

/** A condition on one metadata key; a bare value is short for `$eq`. */
export type WhereCondition =
  | WhereScalar
  | { readonly $eq: WhereScalar }
  | { readonly $ne: WhereScalar }
  | { readonly $gt: number | bigint }
  | { readonly $gte: number | bigint }
  | { readonly $lt: number | bigint }
  | { readonly $lte: number | bigint }
  | { readonly $in: readonly WhereScalar[] }
  | { readonly $nin: readonly WhereScalar[] }
  | { readonly $contains: WhereScalar }
  | { readonly $not_contains: WhereScalar }
  | { readonly $regex: string }
  | { readonly $not_regex: string };

/** A filter on metadata: one condition, or several joined by `$and` or `$or`. */
export type Where =
  | { readonly $and: readonly Where[] }
  | { readonly $or: readonly Where[] }
  | { readonly [key: string]: WhereCondition };

/** A filter on documents. */
export type WhereDocument =
  | { readonly $contains: string }
  | { readonly $not_contains: string }
  | { readonly $regex: string }
  | { readonly $not_regex: string }
  | { readonly $and: readonly WhereDocument[] }
  | { readonly $or: readonly WhereDocument[] };

/** The names of a type's members as data; the compiler sees to it that none is missing. */
export function membersOf<T>(names: { readonly [Name in keyof Required<T>]: true }): readonly string[] {
  return Object.keys(names);
}

/**
 * Refuses what is no object, and members that nobody reads.
 *
 * A misspelt filter that was passed over would widen a `delete` instead of failing. `call` names what was
 * called, for the message. Errors: `TESSERA_INVALID_ARGUMENT`.
 */
export function checkMembers(input: unknown, call: string, known: readonly string[]): void {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    const name = typeof input === 'string' && known.includes('name') ? show(input) : null;
    const remedy =
      name === null ? `Its members can be ${known.join(', ')}.` : `Pass { name: ${name} } instead.`;
    const message = `Expected the argument of ${call} to be an object, got ${show(input)}. ${remedy}`;
    throw new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { argument: call } });
  }
  for (const name of Object.keys(input)) {
    if (known.includes(name)) continue;
    const camelCase = name.replace(/_+([a-zA-Z])/g, (_match, letter: string) => letter.toUpperCase());
    const nearest = nearestOf(camelCase, known);
    const remedy = nearest === null ? `Its members can be ${known.join(', ')}.` : `Did you mean ${nearest}?`;
    const message = `Unknown member ${show(name)} in the argument of ${call}. ${remedy}`;
    throw new DatabaseError('TESSERA_INVALID_ARGUMENT', message, {
      details: { argument: call, member: name },
    });
  }
}

/** Checks a switch; `undefined` counts as off. Errors: `TESSERA_INVALID_ARGUMENT`. */
export function parseFlag(value: unknown, name: string): boolean {
  if (value === undefined || typeof value === 'boolean') return value === true;
  throw invalidArgument(name, 'true or false', value);
}

/** The members of what takes nothing but a signal. */
export const SIGNAL_MEMBERS: readonly string[] = ['signal'];

/** The members by which records are chosen. */
export const SELECTION_MEMBERS = {
  ids: true,
  where: true,
  whereDocument: true,
  signal: true,
} as const;

/** Parses ids and filters. Errors: `TESSERA_INVALID_ID`, `TESSERA_INVALID_FILTER`. */
export function parseSelection(input: SelectionInput): RecordSelection {
  const { ids, where, whereDocument } = input;
  return {
    ids: ids === undefined || ids === null ? null : parseIds(typeof ids === 'string' ? [ids] : ids),
    where: where === undefined || where === null ? null : parseWhere(where),
    whereDocument:
      whereDocument === undefined || whereDocument === null ? null : parseWhereDocument(whereDocument),
  };
}

/** Refuses a write without ids or with one id twice. Errors: `TESSERA_INVALID_ID`, `TESSERA_DUPLICATE_ID`. */
export function checkWriteIds(ids: unknown): void {
  if (!Array.isArray(ids)) return; // `parseBatch` says what it is instead.
  if (ids.length === 0) throw new DatabaseError('TESSERA_INVALID_ID', 'Expected at least one id, got none.');
  const seen = new Set<unknown>(ids);
  if (seen.size === ids.length) return;
  const duplicates = new Set<unknown>();
  for (const id of ids) if (!seen.delete(id)) duplicates.add(id);
  const names = [...duplicates].slice(0, 5).map(show).join(', ');
  const rest = duplicates.size > 5 ? ` and ${duplicates.size - 5} more` : '';
  throw new DatabaseError(
    'TESSERA_DUPLICATE_ID',
    `Expected every id once, got ${names}${rest} more than once.`,
    { details: { duplicateCount: duplicates.size, first: String([...duplicates][0]) } },
  );
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/**
 * Refuses integers of more than 64 bits in a column of metadata: a bigint says that the number is meant
 * exactly. JSON cannot say so, and there such an integer is a float, as in Chroma; hence the check stands
 * here. Everything else about the column is checked by `parseBatch`. Errors: `TESSERA_INVALID_METADATA`.
 */
export function checkIntegers(metadatas: unknown): void {
  if (!Array.isArray(metadatas)) return;
  for (let i = 0; i < metadatas.length; i++) {
    const row: unknown = metadatas[i];
    if (typeof row !== 'object' || row === null) continue;
    for (const key of Object.keys(row)) {
      const member = (row as Record<string, unknown>)[key];
      if (typeof member !== 'bigint' && !Array.isArray(member)) continue;
      for (const value of Array.isArray(member) ? member : [member]) {
        if (typeof value !== 'bigint' || (value >= INT64_MIN && value <= INT64_MAX)) continue;
        throw new DatabaseError(
          'TESSERA_INVALID_METADATA',
          `Expected metadatas[${i}][${show(key)}] to be an integer of 64 bits, got ${show(value)}. Write it as a ` +
            'number, which becomes a float.',
          { details: { field: 'metadatas', index: i } },
        );
      }
    }
  }
}

/** Checks an `include` list. Errors: `TESSERA_INVALID_ARGUMENT`. */
export function parseInclude<Included extends readonly Include[]>(
  include: Included | undefined,
  fallback: readonly Include[],
  known: readonly Include[],
): Included {
  // The type parameter has the same default as the list; the compiler cannot know that they go together.
  if (include === undefined) return fallback as unknown as Included;
  const columns: unknown = include;
  if (!Array.isArray(columns)) throw invalidArgument('include', 'an array of columns', columns);
  for (const column of columns) {
    if (!known.includes(column as Include))
      throw invalidArgument('include', `columns among ${known.join(', ')}`, column);
  }
  return include;
}

/**
 * Checks a count from `minimum`; `undefined` and `null` give the fallback. Errors:
 * `TESSERA_INVALID_ARGUMENT`.
 */
export function parseCount<Fallback extends number | null>(
  value: number | undefined | null,
  name: string,
  minimum: 0 | 1,
  fallback: Fallback,
): number | Fallback {
  if (value === undefined || value === null) return fallback;
  if (Number.isInteger(value) && value >= minimum && value <= LIMITS.unsignedMax) return value;
  throw invalidArgument(name, `an integer from ${minimum} to ${LIMITS.unsignedMax}`, value);
}

/** Checks a text argument such as a name. Errors: `TESSERA_INVALID_ARGUMENT`. */
export function parseText(value: unknown, name: string): string {
  if (typeof value === 'string') return value;
  throw invalidArgument(name, 'a string', value);
}

/** An error that names an argument, what was expected of it and what was given. */
export function invalidArgument(name: string, expectation: string, value: unknown): DatabaseError {
  return new DatabaseError(
    'TESSERA_INVALID_ARGUMENT',
    `Expected ${name} to be ${expectation}, got ${show(value)}.`,
    {
      details: { argument: name },
    },
  );
}

/**
 * Checks `recall`, which `exact` overrides; `null` where neither says anything. Errors:
 * `TESSERA_INVALID_ARGUMENT`.
 */
export function parseRecall(recall: unknown, exact: unknown): number | null {
  if (parseFlag(exact, 'exact')) return 1;
  if (recall === undefined) return null;
  if (typeof recall === 'number' && recall > 0 && recall <= 1) return recall;
  const message = `Expected recall to be a number above 0 and up to 1, got ${show(recall)}. Leave it out for the collection's own.`;
  throw new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { field: 'recall' } });
}
