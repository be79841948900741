/**
 * The driver over `node:sqlite`, which needs no compiler and no download: first choice wherever Node has it
 * whole.
 */
import { pathToFileURL } from 'node:url';
import type { SqlConnection, SqlConnectionOptions, SqlRow } from './driver.ts';

/** The part of `node:sqlite` that we use; the types of Node 20 do not know the module. */
interface NodeSqlite {
  readonly DatabaseSync: new (
    path: string,
    options: { readOnly: boolean; timeout: number },
  ) => {
    exec(sql: string): void;
    prepare(sql: string): {
      setReturnArrays(isEnabled: boolean): void;
      run(...parameters: unknown[]): { changes: number | bigint };
      get(...parameters: unknown[]): unknown;
      all(...parameters: unknown[]): unknown[];
      iterate(...parameters: unknown[]): Iterable<unknown>;
    };
    close(): void;
  };
  readonly StatementSync: { readonly prototype: { readonly setReturnArrays?: unknown } };
}

/**
 * The module where it is whole: rows as arrays came with 22.16 and 24.0; older ones count as missing. Asking
 * for the builtin through `process` instead of importing it keeps Node 20 able to load this file.
 */
const nodeSqlite = ((): NodeSqlite | undefined => {
  const builtin = (process as { getBuiltinModule?: (name: string) => unknown }).getBuiltinModule;
  const loaded = builtin?.call(process, 'node:sqlite') as NodeSqlite | undefined;
  return typeof loaded?.StatementSync.prototype.setReturnArrays === 'function' ? loaded : undefined;
})();

/** Whether this Node has a usable `node:sqlite`. */
export function hasNodeSqlite(): boolean {
  return nodeSqlite !== undefined;
}

/** Opens a connection. Call only when `hasNodeSqlite()`. */
export function connectNodeSqlite(options: SqlConnectionOptions): SqlConnection {
  const location = options.isImmutable ? `${pathToFileURL(options.path)}?immutable=1` : options.path;
  const database = new nodeSqlite!.DatabaseSync(location, {
    readOnly: options.readOnly,
    timeout: options.busyTimeoutMs,
  });
  return {
    exec: (sql) => database.exec(sql),
    prepare: (sql) => {
      const statement = database.prepare(sql);
      statement.setReturnArrays(true);
      return {
        run: (...parameters) => Number(statement.run(...parameters).changes),
        get: (...parameters) => statement.get(...parameters) as SqlRow | undefined,
        all: (...parameters) => statement.all(...parameters) as SqlRow[],
        iterate: (...parameters) => statement.iterate(...parameters) as Iterable<SqlRow>,
      };
    },
    close: () => database.close(),
  };
}
