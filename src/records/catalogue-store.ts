/**
 * The catalogue: which tenants, databases and collections exist. Its file opens with the directory and stays
 * open.
 *
 * Collections' rows are small texts, read one at a time; a cache of parsed rows belongs to the engine, which
 * asks `version()` before it believes it.
 */

import { DEFAULT_DATABASE, DEFAULT_DATABASE_ID, DEFAULT_TENANT, isUuid } from '../api/index.ts';
import { DatabaseError } from '../base/index.ts';
import { checksum, systemFiles } from '../io/index.ts';
import type { SqlDatabase, SqlRow } from '../sqlite/index.ts';
import { CATALOGUE_MIGRATIONS, FORKS_SQL } from './format.ts';
import { type OpenFileOptions, openFile } from './open-file.ts';
import { openedReadOnly } from './refusals.ts';
import { isCurrent } from './unwritable.ts';

/** A collection's row; the texts are JSON. */
export interface CatalogueEntry {
  readonly id: string;
  readonly databaseId: string;
  readonly name: string;
  readonly metadata: string | null;
  readonly configuration: string;
  readonly schema: string;
  /** A copy of the dimension in the collection's own file, for listings. */
  readonly dimension: number | null;
}

/** A database's row. */
export interface DatabaseEntry {
  readonly id: string;
  readonly name: string;
  readonly tenant: string;
}

/** A collection with the names that lead to it. */
export interface ListedCollection {
  readonly id: string;
  readonly name: string;
  readonly database: string;
  readonly tenant: string;
  readonly dimension: number | null;
}

const ENTRY_COLUMNS = 'id, database_id, name, metadata, configuration, schema, dimension';

/** See the top of this file. */
export class CatalogueStore {
  readonly #database: SqlDatabase;
  readonly #isReadOnly: boolean;
  readonly #path: string | null;
  /** Which file is open; `null` in memory. */
  readonly #fileIdentity: string | null;

  private constructor(database: SqlDatabase, { path, readOnly }: Omit<OpenFileOptions, 'migrations'>) {
    this.#database = database;
    this.#isReadOnly = readOnly;
    this.#path = path;
    this.#fileIdentity = path === null ? null : systemFiles.identity(path);
  }

  /** Opens or creates the catalogue, with the default tenant and database. Errors: those of `openFile`. */
  static open(options: Omit<OpenFileOptions, 'migrations'>): CatalogueStore {
    const database = openFile({ ...options, migrations: CATALOGUE_MIGRATIONS });
    const store = new CatalogueStore(database, options);
    const isNew = !options.readOnly && database.prepare('SELECT 1 FROM tenants LIMIT 1').get() === undefined;
    if (isNew) store.write(() => store.addDefaults());
    return store;
  }

  close(): void {
    this.#database.close();
  }

  /** Empties the write-ahead log, unless another connection is at work. Returns whether it did. */
  foldLog(): boolean {
    return this.#database.foldLog();
  }

  /**
   * A number that changes when another connection has changed the catalogue. Errors: `TESSERA_IO` where its
   * file is not in its place any more.
   */
  version(): number {
    this.#checkPlace();
    return this.#database.prepare('PRAGMA data_version').get()![0] as number;
  }

  /** Runs `work` in a write transaction. Errors: `TESSERA_READ_ONLY`, and as `version`. */
  write<T>(work: () => T): T {
    if (this.#isReadOnly) throw openedReadOnly();
    this.#checkPlace();
    return this.#database.write(work);
  }

  /** Makes the default tenant and database where they are missing. */
  addDefaults(): void {
    this.#database.prepare('INSERT OR IGNORE INTO tenants (name) VALUES (?)').run(DEFAULT_TENANT);
    this.#database
      .prepare('INSERT OR IGNORE INTO databases (id, name, tenant) VALUES (?, ?, ?)')
      .run(DEFAULT_DATABASE_ID, DEFAULT_DATABASE, DEFAULT_TENANT);
  }

  /** Returns whether the tenant was new. */
  addTenant(name: string): boolean {
    return this.#database.prepare('INSERT OR IGNORE INTO tenants (name) VALUES (?)').run(name) === 1;
  }

  tenant(name: string): { name: string; resourceName: string | null } | undefined {
    const row = this.#database.prepare('SELECT name, resource_name FROM tenants WHERE name = ?').get(name);
    return row && { name: row[0] as string, resourceName: row[1] as string | null };
  }

  /** Returns whether the database was new. */
  addDatabase(entry: DatabaseEntry): boolean {
    const statement = this.#database.prepare(
      'INSERT OR IGNORE INTO databases (id, name, tenant) VALUES (?, ?, ?)',
    );
    return statement.run(entry.id, entry.name, entry.tenant) === 1;
  }

  database(tenant: string, name: string): DatabaseEntry | undefined {
    const statement = this.#database.prepare(
      'SELECT id, name, tenant FROM databases WHERE tenant = ? AND name = ?',
    );
    const row = statement.get(tenant, name);
    return row && toDatabase(row);
  }

  databaseById(id: string): DatabaseEntry | undefined {
    const row = this.#database.prepare('SELECT id, name, tenant FROM databases WHERE id = ?').get(id);
    return row && toDatabase(row);
  }

  /** Databases of a tenant, by name. */
  databases(tenant: string, limit: number | null, offset: number): DatabaseEntry[] {
    const statement = this.#database.prepare(
      'SELECT id, name, tenant FROM databases WHERE tenant = ? ORDER BY name LIMIT ? OFFSET ?',
    );
    return statement.all(tenant, limit ?? -1, offset).map(toDatabase);
  }

  removeDatabase(id: string): void {
    this.#database.prepare('DELETE FROM databases WHERE id = ?').run(id);
  }

  /** Adds a collection or updates its row. The caller has made sure that its name is free. */
  putCollection(entry: CatalogueEntry): void {
    this.#database
      .prepare(
        `INSERT INTO collections (${ENTRY_COLUMNS}, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, metadata = excluded.metadata,
           configuration = excluded.configuration, schema = excluded.schema, dimension = excluded.dimension,
           checksum = excluded.checksum`,
      )
      .run(...entryColumns(entry), entryChecksum(entry));
  }

  collection(id: string): CatalogueEntry | undefined {
    const row = this.#database
      .prepare(`SELECT ${ENTRY_COLUMNS}, checksum FROM collections WHERE id = ?`)
      .get(id);
    return row && toEntry(row);
  }

  collectionNamed(databaseId: string, name: string): CatalogueEntry | undefined {
    const statement = this.#database.prepare(
      `SELECT ${ENTRY_COLUMNS}, checksum FROM collections WHERE database_id = ? AND name = ?`,
    );
    const row = statement.get(databaseId, name);
    return row && toEntry(row);
  }

  /** Collections of a database, by identifier. */
  collections(databaseId: string, limit: number | null, offset: number): CatalogueEntry[] {
    const statement = this.#database.prepare(
      `SELECT ${ENTRY_COLUMNS}, checksum FROM collections WHERE database_id = ? ORDER BY id LIMIT ? OFFSET ?`,
    );
    return statement.all(databaseId, limit ?? -1, offset).map(toEntry);
  }

  /**
   * Every collection that there is, with the names that lead to it. Its row is not looked at: a damaged one
   * keeps nobody from the records.
   */
  directory(): ListedCollection[] {
    const statement = this.#database.prepare(
      `SELECT collections.id, collections.name, databases.name, tenant, dimension FROM collections
       JOIN databases ON databases.id = database_id ORDER BY collections.id`,
    );
    return statement.all().map(([id, name, database, tenant, dimension]) => {
      return { id, name, database, tenant, dimension } as ListedCollection;
    });
  }

  /** Whether there is a collection of this identifier, however its row is. */
  lists(id: string): boolean {
    return this.#database.prepare('SELECT 1 FROM collections WHERE id = ?').get(id) !== undefined;
  }

  /** Copies the catalogue as it is now into a file, which must not be there. */
  copyTo(path: string): void {
    this.#database.prepare('VACUUM INTO ?').run(path);
  }

  /** Forgets all collections but these, and every file that has to go: for a copy of a catalogue. */
  keepOnly(ids: ReadonlySet<string>): void {
    this.write(() => {
      for (const { id } of this.directory()) if (!ids.has(id)) this.removeCollection(id);
      this.#database.exec('DELETE FROM deleted_collections');
    });
  }

  countCollections(databaseId: string): number {
    const statement = this.#database.prepare('SELECT count(*) FROM collections WHERE database_id = ?');
    return statement.get(databaseId)![0] as number;
  }

  /** Takes a collection out and notes that its file has to go; `fileRemoved` strikes the note. */
  removeCollection(id: string): void {
    this.#database.prepare('DELETE FROM collections WHERE id = ?').run(id);
    if (this.#database.hasTable('forks')) this.#database.prepare('DELETE FROM forks WHERE id = ?').run(id);
    this.noteFile(id);
  }

  /** Notes that a collection was made as a copy of another. */
  addFork(id: string, sourceId: string): void {
    this.#database.exec(FORKS_SQL);
    const root = this.#rootOf(sourceId);
    const statement = this.#database.prepare('INSERT INTO forks (id, source_id, root_id) VALUES (?, ?, ?)');
    statement.run(id, sourceId, root);
  }

  /** The collection that one was made of, which may be gone by now; `null` for one that is no fork. */
  sourceOf(id: string): string | null {
    if (!this.#database.hasTable('forks')) return null;
    const row = this.#database.prepare('SELECT source_id FROM forks WHERE id = ?').get(id);
    return (row?.[0] ?? null) as string | null;
  }

  /** Forks that there are of a collection's first ancestor: its own, its forks' and its relatives'. */
  countForks(id: string): number {
    if (!this.#database.hasTable('forks')) return 0;
    const statement = this.#database.prepare('SELECT count(*) FROM forks WHERE root_id = ?');
    return statement.get(this.#rootOf(id))![0] as number;
  }

  /** A file that was removed, or moved, can still be written to, and is lost with what was written. */
  #checkPlace(): void {
    const path = this.#path;
    if (path === null) return;
    if (this.#fileIdentity === systemFiles.identity(path) && isCurrent(this.#database)) return;
    const message = `The database was moved, removed or replaced while it was open: ${path} is not what was opened. Open a new client.`;
    throw new DatabaseError('TESSERA_IO', message, { details: { path } });
  }

  #rootOf(id: string): string {
    const row = this.#database.prepare('SELECT root_id FROM forks WHERE id = ?').get(id);
    return (row?.[0] ?? id) as string;
  }

  /**
   * Identifiers of deleted collections whose files may still be there. Damage that makes one of a live
   * collection, or of nothing, must remove nothing.
   */
  deletedCollections(): string[] {
    return this.#database
      .prepare('SELECT id FROM deleted_collections')
      .all()
      .map(([id]) => String(id))
      .filter((id) => isUuid(id))
      .filter((id) => this.isToBeRemoved(id));
  }

  /** Whether the file of an identifier has to go: that of a deleted collection, or of a copy under way. */
  isToBeRemoved(id: string): boolean {
    const noted = this.#database.prepare('SELECT 1 FROM deleted_collections WHERE id = ?').get(id);
    const live = this.#database.prepare('SELECT 1 FROM collections WHERE id = ?').get(id);
    return noted !== undefined && live === undefined;
  }

  /** Notes that a file has to go unless `fileRemoved` strikes the note: for one that is only being made. */
  noteFile(id: string): void {
    this.#database.prepare('INSERT OR IGNORE INTO deleted_collections (id) VALUES (?)').run(id);
  }

  fileRemoved(id: string): void {
    this.#database.prepare('DELETE FROM deleted_collections WHERE id = ?').run(id);
  }

  /**
   * Empties the catalogue: every tenant, database and collection. Returns the identifiers of the collections.
   */
  clear(): string[] {
    const ids = this.#database
      .prepare('SELECT id FROM collections')
      .all()
      .map(([id]) => id as string);
    for (const id of ids) this.removeCollection(id);
    this.#database.exec('DELETE FROM databases; DELETE FROM tenants;');
    this.addDefaults();
    return ids;
  }
}

function toDatabase(row: SqlRow): DatabaseEntry {
  return { id: row[0] as string, name: row[1] as string, tenant: row[2] as string };
}

type EntryColumns = [string, string, string, string | null, string, string, number | null];

function entryColumns(entry: CatalogueEntry): EntryColumns {
  const { id, databaseId, name, metadata, configuration, schema, dimension } = entry;
  return [id, databaseId, name, metadata, configuration, schema, dimension];
}

function entryChecksum(entry: CatalogueEntry): number {
  return checksum(JSON.stringify(entryColumns(entry)));
}

function toEntry(row: SqlRow): CatalogueEntry {
  const [id, databaseId, name, metadata, configuration, schema, dimension] = row as EntryColumns;
  const entry: CatalogueEntry = { id, databaseId, name, metadata, configuration, schema, dimension };
  if (entryChecksum(entry) === row[7]) return entry;
  const message = `The catalogue's row of collection ${id} is damaged: its checksum does not agree. Restore catalogue.sqlite3 from a copy.`;
  throw new DatabaseError('TESSERA_CORRUPT', message, { details: { collectionId: id } });
}
