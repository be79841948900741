/**
 * The seam between the database and SQLite: the few operations that both drivers have, with the same meaning.
 *
 * Values: `null`, `string`, `number` (integers within ±2^53 and doubles) and `Uint8Array`. Rows come as
 * arrays in the order of the columns, since reading them so is the fastest form of both drivers and names no
 * column twice.
 */

/** What SQLite stores and gives back. */
export type SqlValue = null | string | number | Uint8Array;

/** One row: the selected columns in order. */
export type SqlRow = SqlValue[];

/** A prepared statement, owned by its database; parameters are positional. */
export interface SqlStatement {
  /** Executes and returns the number of rows changed. */
  run(...parameters: SqlValue[]): number;
  /** The first row, or `undefined`. */
  get(...parameters: SqlValue[]): SqlRow | undefined;
  all(...parameters: SqlValue[]): SqlRow[];
  /** Rows one at a time; the database must not be written to or closed before the iteration ends. */
  iterate(...parameters: SqlValue[]): Iterable<SqlRow>;
}

/** What a driver provides: an open connection that throws the driver's own errors. */
export interface SqlConnection {
  exec(sql: string): void;
  prepare(sql: string): SqlStatement;
  close(): void;
}

/** How to open a connection. */
export interface SqlConnectionOptions {
  /** A file's path, made when missing unless `readOnly`, or `:memory:`. */
  readonly path: string;
  readonly readOnly: boolean;
  /** Whether nobody writes to the file, so that SQLite needs no locks and makes no files beside it. */
  readonly isImmutable?: boolean | undefined;
  /** How long a statement waits for another connection's lock. */
  readonly busyTimeoutMs: number;
}
