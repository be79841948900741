/**
 * Comes between the built package and what it calls: the two SQLite drivers and the file functions of Node,
 * by replacing their methods in this process. So that crashes and faults can be put anywhere, and the
 * product knows nothing of it.
 */
import fs from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';

const FILE_FUNCTIONS = ['mkdirSync', 'rmSync', 'fsyncSync', 'copyFileSync', 'renameSync', 'unlinkSync'];
const STATEMENT_METHODS = ['run', 'get', 'all', 'iterate'];
const CONNECTION_METHODS = ['exec', 'prepare', 'close'];

/** SQLite's result codes by name, and what the system says in their place. */
const RESULT_CODES = { FULL: [13, 'ENOSPC'], IOERR: [10, 'EIO'], NOMEM: [7, 'ENOMEM'] };

/** An error as the SQLite driver or Node throws it, for a call described by `what`. */
export function faultOf(what, name) {
  const [errcode, code] = RESULT_CODES[name];
  const message = `planted in place of: ${what}`;
  if (FILE_FUNCTIONS.includes(what.split(' ')[0])) return Object.assign(new Error(message), { code });
  if (nodeSqlite() !== undefined) {
    return Object.assign(new Error(message), { code: 'ERR_SQLITE_ERROR', errcode, errstr: name });
  }
  const { SqliteError } = createRequire(import.meta.url)('better-sqlite3');
  return new SqliteError(message, `SQLITE_${name}`);
}

function nodeSqlite() {
  const builtin = process.getBuiltinModule?.('node:sqlite');
  return builtin?.StatementSync.prototype.setReturnArrays === undefined ? undefined : builtin;
}

/** Prototypes of connections and statements of a driver, and where a statement keeps its text. */
function prototypes() {
  const builtin = nodeSqlite();
  if (builtin !== undefined) {
    const { DatabaseSync, StatementSync } = builtin;
    return [DatabaseSync.prototype, StatementSync.prototype, 'sourceSQL'];
  }
  const Database = createRequire(import.meta.url)('better-sqlite3');
  const database = new Database(':memory:');
  const statement = database.prepare('SELECT 1');
  const found = [Database.prototype, Object.getPrototypeOf(statement), 'source'];
  database.close();
  return found;
}

/**
 * Calls `hook(what, run)` in place of each call to SQLite or the file system; it calls `run` for what is to
 * be done. What the hook itself does is not interposed.
 */
export function interpose(hook) {
  let isInside = false;
  const wrap = (object, name, describe) => {
    const original = object[name];
    object[name] = function (...parameters) {
      const run = () => original.apply(this, parameters);
      if (isInside) return run();
      isInside = true;
      try {
        return hook(`${name} ${describe(this, parameters)}`, () => {
          isInside = false;
          try {
            return run();
          } finally {
            isInside = true;
          }
        });
      } finally {
        isInside = false;
      }
    };
  };
  const [connection, statement, text] = prototypes();
  for (const name of CONNECTION_METHODS) wrap(connection, name, (_, [sql]) => sql ?? '');
  for (const name of STATEMENT_METHODS) wrap(statement, name, (self) => self[text]);
  for (const name of FILE_FUNCTIONS) wrap(fs, name, (_, [path]) => String(path));
  syncBuiltinESMExports();
}
