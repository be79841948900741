/** The driver over better-sqlite3: for Node versions without a usable `node:sqlite`. */
import { createRequire } from 'node:module';
import type BetterSqlite3 from 'better-sqlite3';
import type { SqlConnection, SqlConnectionOptions, SqlRow } from './driver.ts';

type Constructor = new (path: string, options: BetterSqlite3.Options) => BetterSqlite3.Database;

let packageClass: Constructor | null | undefined;
let loadFailure: unknown;

/** Whether the package is installed and its binary loads; the optional dependency may be missing. */
export function hasBetterSqlite3(): boolean {
  if (packageClass === undefined) {
    try {
      const loaded = createRequire(import.meta.url)('better-sqlite3') as Constructor;
      // The binary is loaded by the first connection, not by `require`.
      new loaded(':memory:', {}).close();
      packageClass = loaded;
    } catch (error) {
      packageClass = null;
      loadFailure = error;
    }
  }
  return packageClass !== null;
}

/** Why `hasBetterSqlite3` said no. */
export function betterSqlite3Failure(): unknown {
  return loadFailure;
}

/** Opens a connection. Call only when `hasBetterSqlite3()`. */
export function connectBetterSqlite3(options: SqlConnectionOptions): SqlConnection {
  const database = connect(options);
  return {
    exec: (sql) => database.exec(sql),
    prepare: (sql) => {
      const statement = database.prepare(sql);
      if (statement.reader) statement.raw(true);
      return {
        run: (...parameters) => statement.run(...parameters).changes,
        get: (...parameters) => statement.get(...parameters) as SqlRow | undefined,
        all: (...parameters) => statement.all(...parameters) as SqlRow[],
        iterate: (...parameters) => statement.iterate(...parameters) as Iterable<SqlRow>,
      };
    },
    close: () => database.close(),
  };
}

function connect({ path, readOnly, busyTimeoutMs }: SqlConnectionOptions): BetterSqlite3.Database {
  try {
    return new packageClass!(path, { readonly: readOnly, fileMustExist: readOnly, timeout: busyTimeoutMs });
  } catch (error) {
    // The package looks for the directory itself and says so without SQLite's code.
    const isMissing = error instanceof TypeError && error.message.includes('directory does not exist');
    throw isMissing ? Object.assign(error, { code: 'SQLITE_CANTOPEN' }) : error;
  }
}
