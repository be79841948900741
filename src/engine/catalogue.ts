/**
 * Tenants, databases and collections, with the parsed rows of recently used collections kept in memory.
 *
 * Every call first compares the catalogue's version, which another process's commit changes; then the rows in
 * memory are forgotten. So a collection that another process deleted, renamed or reconfigured is seen at the
 * next call.
 */

import {
  applyConfigurationUpdate,
  type CollectionChanges,
  type CollectionInfo,
  type CollectionInput,
  type CollectionSchema,
  type CollectionScope,
  type DatabaseInfo,
  type DatabaseScope,
  growSchema,
  type MetadataKey,
  type Page,
  type TenantInfo,
  updateSchema,
} from '../api/index.ts';
import { DatabaseError, formatJson, type JsonValue, LruMap, parseJson, type Random } from '../base/index.ts';
import type { CatalogueEntry, CatalogueStore } from '../records/index.ts';

/** Parsed rows kept in memory; one takes some 3 KB. */
const CACHED_COLLECTIONS_MAX = 2_048;

interface CachedCollection {
  readonly info: CollectionInfo;
  readonly databaseId: string;
}

/** See the top of this file. */
export class Catalogue {
  readonly #store: CatalogueStore;
  readonly #random: Random;
  #version = -1;
  #isUnfolded = false;
  #cache = new LruMap<string, CachedCollection>(CACHED_COLLECTIONS_MAX, () => {});

  constructor(store: CatalogueStore, random: Random) {
    this.#store = store;
    this.#random = random;
  }

  createTenant(name: string): void {
    if (!this.#store.write(() => this.#store.addTenant(name))) throw alreadyExists('Tenant', name);
  }

  tenant(name: string): TenantInfo {
    const tenant = this.#store.tenant(name);
    if (tenant !== undefined) return tenant;
    throw notFound('TESSERA_TENANT_NOT_FOUND', `Tenant [${name}] not found`, name);
  }

  createDatabase({ tenant, database }: DatabaseScope): void {
    const entry = { id: this.#random.uuid(), name: database, tenant };
    if (!this.#store.write(() => this.#store.addDatabase(entry))) throw alreadyExists('Database', database);
  }

  database({ tenant, database }: DatabaseScope): DatabaseInfo {
    const entry = this.#store.database(tenant, database);
    if (entry !== undefined) return entry;
    const message = `Database [${database}] not found. Are you sure it exists?`;
    throw notFound('TESSERA_DATABASE_NOT_FOUND', message, database);
  }

  databases(tenant: string, page: Page): DatabaseInfo[] {
    return this.#store.databases(tenant, page.limit, page.offset);
  }

  /** Removes a database and returns the identifiers of its collections, whose files have to go. */
  removeDatabase({ tenant, database }: DatabaseScope): string[] {
    return this.#store.write(() => {
      const entry = this.#store.database(tenant, database);
      if (entry === undefined) {
        throw notFound('TESSERA_DATABASE_NOT_FOUND', `Database [${database}] not found`, database);
      }
      const ids = this.#store.collections(entry.id, null, 0).map(({ id }) => id);
      for (const id of ids) this.#remove(id);
      this.#store.removeDatabase(entry.id);
      return ids;
    });
  }

  createCollection(scope: DatabaseScope, input: CollectionInput): CollectionInfo {
    return this.#store.write(() => {
      const database = this.#store.database(scope.tenant, scope.database);
      if (database === undefined) {
        const message = `Database [${scope.database}] does not exist`;
        throw new DatabaseError('TESSERA_DATABASE_MISSING', message, {
          details: { database: scope.database },
        });
      }
      const existing = this.#store.collectionNamed(database.id, input.name);
      if (existing !== undefined) {
        if (input.getOrCreate) return toInfo(existing, database);
        throw alreadyExists('Collection', input.name);
      }
      const { name, metadata, configuration, schema } = input;
      const info: CollectionInfo = {
        id: this.#random.uuid(),
        name,
        tenant: database.tenant,
        database: database.name,
        metadata,
        configuration,
        schema,
        dimension: null,
      };
      this.#put(info, database.id);
      return info;
    });
  }

  collectionNamed(scope: DatabaseScope, name: string): CollectionInfo {
    return this.#named(scope, name).info;
  }

  /** Errors: `TESSERA_COLLECTION_NOT_FOUND`, also for one of another database. */
  collection(scope: CollectionScope): CollectionInfo {
    return this.#byId(scope).info;
  }

  /** Errors: `TESSERA_COLLECTION_NOT_FOUND`. */
  findCollection(id: string): CollectionInfo {
    const cached = this.#freshCache().get(id);
    if (cached !== undefined) return cached.info;
    const entry = this.#store.collection(id);
    const database = entry && this.#store.databaseById(entry.databaseId);
    if (entry === undefined || database === undefined) throw collectionNotFound(id);
    this.#cache.set(id, { info: toInfo(entry, database), databaseId: database.id });
    return this.#cache.get(id)!.info;
  }

  /** Errors: `TESSERA_ALREADY_EXISTS` where a collection has the name. */
  checkFree(scope: DatabaseScope, name: string): void {
    const database = this.#store.database(scope.tenant, scope.database);
    if (database === undefined || this.#store.collectionNamed(database.id, name) === undefined) return;
    throw alreadyExists('Collection', name);
  }

  /** Whether there is a collection of this identifier, by the file alone. */
  has(id: string): boolean {
    return this.#store.collection(id) !== undefined;
  }

  collections(scope: DatabaseScope, page: Page): CollectionInfo[] {
    const database = this.#store.database(scope.tenant, scope.database);
    if (database === undefined) return [];
    return this.#store
      .collections(database.id, page.limit, page.offset)
      .map((entry) => toInfo(entry, database));
  }

  countCollections(scope: DatabaseScope): number {
    const database = this.#store.database(scope.tenant, scope.database);
    return database === undefined ? 0 : this.#store.countCollections(database.id);
  }

  updateCollection(scope: CollectionScope, changes: CollectionChanges): void {
    this.#store.write(() => {
      const { info, databaseId } = this.#byId(scope);
      checkCurrent(info);
      const name = changes.name ?? info.name;
      const holder = this.#store.collectionNamed(databaseId, name);
      if (holder !== undefined && holder.id !== info.id) throw alreadyExists('Collection', name);
      const metadata = changes.metadata === undefined ? info.metadata : changes.metadata;
      const update = changes.configuration;
      const configuration = update
        ? applyConfigurationUpdate(info.configuration, update)
        : info.configuration;
      const schema = update ? updateSchema(info.schema, configuration) : info.schema;
      this.#put({ ...info, name, metadata, configuration, schema }, databaseId);
    });
  }

  /**
   * Gives an identifier to a copy that is to be made, with a note that its file has to go until
   * `finishCopy`. Errors: `TESSERA_ALREADY_EXISTS`.
   */
  prepareCopy(source: CollectionInfo, name: string): string {
    return this.#store.write(() => {
      const { databaseId } = this.#byId({ ...source, collectionId: source.id });
      if (this.#store.collectionNamed(databaseId, name) !== undefined)
        throw alreadyExists('Collection', name);
      const id = this.#random.uuid();
      this.#store.noteFile(id);
      return id;
    });
  }

  /**
   * Takes a finished copy in, under a name, with what the catalogue says of its source by now; `isThere` is
   * asked for the file once nobody can remove it any more. Errors: `TESSERA_ALREADY_EXISTS`,
   * `TESSERA_COLLECTION_NOT_FOUND` where the source is gone, `TESSERA_BUSY` where the file is.
   */
  finishCopy(
    { id, name, sourceId }: { readonly id: string; readonly name: string; readonly sourceId: string },
    scope: DatabaseScope,
    isThere: () => boolean,
  ): CollectionInfo {
    return this.#store.write(() => {
      const { info, databaseId } = this.#byId({ ...scope, collectionId: sourceId });
      if (this.#store.collectionNamed(databaseId, name) !== undefined)
        throw alreadyExists('Collection', name);
      if (!isThere()) {
        const message = 'Another process took the unfinished copy for a leftover and removed it. Try again.';
        throw new DatabaseError('TESSERA_BUSY', message, { details: { collectionId: id } });
      }
      this.#store.fileRemoved(id);
      const { successorId: _, ...configuration } = info.configuration;
      const copy: CollectionInfo = { ...info, configuration, id, name };
      this.#put(copy, databaseId);
      this.#store.addFork(id, sourceId);
      return copy;
    });
  }

  /** How many forks a collection's family has. Errors: `TESSERA_COLLECTION_NOT_FOUND`. */
  countForks(scope: CollectionScope): number {
    return this.#store.countForks(this.#byId(scope).info.id);
  }

  /** The identifier of the collection that one is a fork of. Errors: `TESSERA_COLLECTION_NOT_FOUND`. */
  sourceOf(scope: CollectionScope): string | null {
    return this.#store.sourceOf(this.#byId(scope).info.id);
  }

  /**
   * Gives name, metadata and settings of a collection to its successor, which keeps its space and its
   * embedding function; the collection goes on under another name. Errors: `TESSERA_ALREADY_EXISTS`,
   * `TESSERA_COLLECTION_NOT_FOUND`, `TESSERA_SUPERSEDED` where it has a successor already.
   */
  succeed(scope: CollectionScope, successorId: string, formerName: string): CollectionInfo {
    return this.#store.write(() => {
      const { info, databaseId } = this.#byId(scope);
      checkCurrent(info);
      const { info: successor } = this.#byId({ ...scope, collectionId: successorId });
      this.checkFree(scope, formerName);
      const { name, metadata } = info;
      const { hnsw, embeddingFunction } = successor.configuration;
      const configuration = {
        ...info.configuration,
        hnsw: { ...info.configuration.hnsw, space: hnsw.space },
        embeddingFunction,
      };
      const schema = updateSchema(successor.schema, configuration);
      this.#put(
        { ...info, name: formerName, configuration: { ...info.configuration, successorId } },
        databaseId,
      );
      const heir: CollectionInfo = { ...successor, name, metadata, configuration, schema };
      this.#put(heir, databaseId);
      return heir;
    });
  }

  /** Removes a collection and returns its identifier, whose file has to go. */
  removeCollection(scope: DatabaseScope, name: string): string {
    return this.#store.write(() => {
      const { id } = this.#named(scope, name).info;
      this.#remove(id);
      return id;
    });
  }

  /**
   * Notes what a write has shown of a collection: its dimension (`null` where the write saw none, which says
   * nothing of what others saw since), and metadata keys of types not seen before.
   */
  learn(scope: CollectionScope, dimension: number | null, keys: readonly MetadataKey[]): void {
    const { info } = this.#byId(scope);
    const isKnown = dimension === null || info.dimension === dimension;
    if (isKnown && growSchema(info.schema, keys) === null) return;
    this.#store.write(() => {
      // Another process may have noted something else meanwhile: look again under the lock.
      const { info: latest, databaseId } = this.#byId(scope);
      const schema = growSchema(latest.schema, keys) ?? latest.schema;
      this.#put({ ...latest, dimension: dimension ?? latest.dimension, schema }, databaseId);
    });
  }

  /** Removes everything and returns the identifiers of the collections, whose files have to go. */
  clear(): string[] {
    this.#version = -1;
    this.#isUnfolded = true;
    return this.#store.write(() => this.#store.clear());
  }

  /**
   * Removes what is left of deleted collections and of copies that were cut short, each under the write lock,
   * so that no copy is taken in meanwhile. `remove` says whether a file is gone.
   */
  clearLeftovers(remove: (id: string) => boolean): void {
    for (const id of this.#store.deletedCollections()) {
      this.#store.write(() => {
        if (this.#store.isToBeRemoved(id) && remove(id)) this.#store.fileRemoved(id);
      });
    }
  }

  finishDeletions(ids: readonly string[]): void {
    if (ids.length === 0) return;
    this.#store.write(() => {
      for (const id of ids) this.#store.fileRemoved(id);
    });
  }

  /** Whether what was removed or replaced may still be in its write-ahead log. */
  get isUnfolded(): boolean {
    return this.#isUnfolded;
  }

  /** Empties its write-ahead log, where there is reason to and nobody is at work there. */
  fold(): void {
    if (this.#isUnfolded) this.#isUnfolded = !this.#store.foldLog();
  }

  close(): void {
    this.#store.close();
  }

  #byId(scope: CollectionScope): CachedCollection {
    const cache = this.#freshCache();
    let cached = cache.get(scope.collectionId);
    if (cached === undefined) {
      const entry = this.#store.collection(scope.collectionId);
      const database = entry && this.#store.database(scope.tenant, scope.database);
      if (entry !== undefined && database?.id === entry.databaseId) {
        cached = { info: toInfo(entry, database), databaseId: database.id };
        cache.set(entry.id, cached);
      }
    }
    if (
      cached !== undefined &&
      cached.info.tenant === scope.tenant &&
      cached.info.database === scope.database
    ) {
      return cached;
    }
    throw collectionNotFound(scope.collectionId);
  }

  #named(scope: DatabaseScope, name: string): CachedCollection {
    const database = this.#store.database(scope.tenant, scope.database);
    const entry = database && this.#store.collectionNamed(database.id, name);
    if (entry !== undefined) return { info: toInfo(entry, database!), databaseId: database!.id };
    throw notFound('TESSERA_COLLECTION_NOT_FOUND', `Collection [${name}] does not exist`, name);
  }

  #put(info: CollectionInfo, databaseId: string): void {
    this.#isUnfolded = true;
    // Written, not yet committed: the row is cached again when it is next read.
    this.#cache.take(info.id);
    this.#store.putCollection(toEntry(info, databaseId));
  }

  #remove(id: string): void {
    this.#isUnfolded = true;
    this.#cache.take(id);
    this.#store.removeCollection(id);
  }

  #freshCache(): LruMap<string, CachedCollection> {
    const version = this.#store.version();
    if (version !== this.#version) {
      this.#version = version;
      this.#cache = new LruMap(CACHED_COLLECTIONS_MAX, () => {});
    }
    return this.#cache;
  }
}

/** Errors: `TESSERA_SUPERSEDED` where another collection has taken this one's place. */
export function checkCurrent({ name, configuration }: CollectionInfo): void {
  const { successorId } = configuration;
  if (successorId === undefined) return;
  throw new DatabaseError(
    'TESSERA_SUPERSEDED',
    `This collection was embedded anew, and its records are in collection ${successorId}. Open it again by its name. ` +
      `What is called ${name} now is its former self, which can be forked and deleted.`,
    { details: { successorId } },
  );
}

function toInfo(entry: CatalogueEntry, database: DatabaseInfo): CollectionInfo {
  return {
    id: entry.id,
    name: entry.name,
    tenant: database.tenant,
    database: database.name,
    metadata: entry.metadata,
    configuration: parseJson(entry.configuration) as unknown as CollectionInfo['configuration'],
    schema: parseJson(entry.schema) as unknown as CollectionSchema,
    dimension: entry.dimension,
  };
}

function toEntry(info: CollectionInfo, databaseId: string): CatalogueEntry {
  return {
    id: info.id,
    databaseId,
    name: info.name,
    metadata: info.metadata,
    configuration: formatJson(info.configuration as unknown as JsonValue),
    schema: formatJson(info.schema as unknown as JsonValue),
    dimension: info.dimension,
  };
}

function alreadyExists(what: string, name: string): DatabaseError {
  return new DatabaseError('TESSERA_ALREADY_EXISTS', `${what} [${name}] already exists`, {
    details: { name },
  });
}

function collectionNotFound(id: string): DatabaseError {
  return notFound('TESSERA_COLLECTION_NOT_FOUND', `Collection [${id}] does not exist.`, id);
}

function notFound(
  code: 'TESSERA_TENANT_NOT_FOUND' | 'TESSERA_DATABASE_NOT_FOUND' | 'TESSERA_COLLECTION_NOT_FOUND',
  message: string,
  name: string,
): DatabaseError {
  return new DatabaseError(code, message, { details: { name } });
}
