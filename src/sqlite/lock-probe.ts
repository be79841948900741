/**
 * Whether locks on files work: whether one process sees that another holds one.
 *
 * Some network file systems and shared folders grant every lock to everybody. Two processes then write to one
 * file at once, and destroy it. It takes a second process to notice, for SQLite knows of its own process's
 * locks without asking the system.
 */
import type * as ChildProcess from 'node:child_process';
import { createRequire } from 'node:module';
import { openSqlDatabase, sqlDriverName } from './database.ts';

/** How long the other process may take: it starts Node, on a busy machine. */
const TIMEOUT_MS = 30_000;

/** Tries to write to a file and says whether it may. */
const PROGRAM = `
const [path, driver] = process.argv.slice(1);
const execute = (() => {
  if (driver === 'node:sqlite') {
    const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
    const database = new DatabaseSync(path, { timeout: 0 });
    return (sql) => database.exec(sql);
  }
  const database = new (require(driver))(path, { timeout: 0 });
  return (sql) => database.exec(sql);
})();
try {
  execute('BEGIN IMMEDIATE');
  process.stdout.write('granted');
} catch (error) {
  process.stdout.write(/locked|busy/i.test(error.message) ? 'refused' : 'unknown');
}`;

/**
 * Whether another process is refused a lock that this one holds on a new file, which the caller removes
 * afterwards. `null` where that cannot be found out: no process can be started. Errors: those of the room.
 */
export function seesLocks(path: string): boolean | null {
  const holder = openSqlDatabase({ path, readOnly: false, busyTimeoutMs: 1 });
  try {
    holder.exec('BEGIN EXCLUSIVE');
    const name = sqlDriverName();
    const driver = name === 'node:sqlite' ? name : createRequire(import.meta.url).resolve(name);
    const args = ['--no-warnings', '-e', PROGRAM, path, driver];
    // Loaded where it is used: every thread would load it for nothing.
    const { spawnSync } = createRequire(import.meta.url)('node:child_process') as typeof ChildProcess;
    const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: TIMEOUT_MS });
    return stdout === 'refused' ? true : stdout === 'granted' ? false : null;
  } finally {
    holder.close();
  }
}
