/** SQLite behind a seam: two drivers, one `SqlDatabase`. The only room that knows either driver. */
export {
  canOpenImmutable,
  openSqlDatabase,
  SqlDatabase,
  type SqlDriverName,
  sqlDriverName,
} from './database.ts';
export type { SqlRow, SqlStatement, SqlValue } from './driver.ts';
export { isSqlError } from './errors.ts';
export { giveBack } from './give-back.ts';
export {
  contentBytes,
  growth,
  isLeafPage,
  isWhole,
  type LeafPage,
  type LeafRow,
  readLeafPage,
} from './leaf-page.ts';
export { seesLocks } from './lock-probe.ts';
export { LogPages } from './log-pages.ts';
