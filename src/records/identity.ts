/**
 * Which collection a file belongs to: its own word for it, so that a file that was put in another's place is
 * noticed.
 *
 * A table of one row, `identity`, that comes with the file; a file of an earlier release gets it when it is
 * next opened for writing. Without it a file is taken for what its name says.
 */
import { DatabaseError } from '../base/index.ts';
import type { SqlDatabase } from '../sqlite/index.ts';
import { IDENTITY_SQL } from './format.ts';

/** What a file says of itself. */
export interface Identity {
  readonly collectionId: string;
  /**
   * Which life of the collection this is: another one begins where a copy is restored, for the same positions
   * then stand for other changes.
   */
  readonly life: string;
}

/** Writes whose file this is, and begins a life. Belongs inside a write transaction. */
export function addIdentity(database: SqlDatabase, collectionId: string): void {
  database.exec(IDENTITY_SQL);
  const sql = 'INSERT OR REPLACE INTO identity (id, collection_id, life) VALUES (1, ?, hex(randomblob(12)))';
  database.prepare(sql).run(collectionId);
}

/** The same with the life of another file, whose copy this is. */
export function copyIdentity(database: SqlDatabase, { collectionId, life }: Identity): void {
  database.exec(IDENTITY_SQL);
  const sql = 'INSERT OR REPLACE INTO identity (id, collection_id, life) VALUES (1, ?, ?)';
  database.prepare(sql).run(collectionId, life);
}

/** What a file says of itself; `null` where it says nothing. Belongs inside a transaction. */
export function readIdentity(database: SqlDatabase): Identity | null {
  if (!database.hasTable('identity')) return null;
  const [collectionId, life] = database.prepare('SELECT collection_id, life FROM identity').get() ?? [];
  return typeof collectionId === 'string' && typeof life === 'string' ? { collectionId, life } : null;
}

/** Makes sure that a file is that of a collection. Errors: `TESSERA_CORRUPT`. */
export function checkIdentity(database: SqlDatabase, collectionId: string, isReadOnly: boolean): void {
  const found = database.read(() => readIdentity(database))?.collectionId ?? null;
  if (found === collectionId) return;
  if (found === null) {
    if (!isReadOnly) database.write(() => addIdentity(database, collectionId));
    return;
  }
  const { path } = database;
  const message = `${path} is the file of another collection, ${found}. Put the file of this one back, or restore it from a copy.`;
  throw new DatabaseError('TESSERA_CORRUPT', message, { details: { path, collectionId, found } });
}
