/**
 * A backend as the holder of a grant sees it: every method asks the grant first.
 *
 * Routes reach data through a backend alone, and the compiler wants every method of the port here. So no
 * route, of whatever version of the API, can forget to ask.
 *
 * What lies outside of a tenant, of databases or of named collections is refused in the same words whether it
 * exists or not. A collection that is named by its UUID, and is not among the grant's, is one that does not
 * exist.
 */
import {
  type Backend,
  type BackendLimits,
  type CallOptions,
  type ChangesRequest,
  type CollectionChanges,
  type CollectionInfo,
  type CollectionInput,
  type CollectionScope,
  type CollectionStatistics,
  type DatabaseInfo,
  type DatabaseScope,
  DEFAULT_DATABASE,
  DEFAULT_TENANT,
  type DeleteRequest,
  type DeleteResult,
  type GetRequest,
  type Identity,
  type Neighbours,
  type Page,
  type QueryRequest,
  type RecordBatch,
  type RecordChanges,
  type RecordColumns,
  type RepairReport,
  type SalvageReport,
  type SuccessionRequest,
  type TenantInfo,
  type VerifyReport,
} from '../../api/index.ts';
import { DatabaseError } from '../../base/index.ts';
import type { Grant } from './grant.ts';

const EVERYTHING: Page = { limit: null, offset: 0 };

/**
 * Whether a grant reaches a tenant, and a database of it where one is named. Errors: `TESSERA_FORBIDDEN`.
 */
export function checkReach(grant: Grant, tenant: string | null, database: string | null): void {
  if (grant.access === 'metrics') throw forbidden(grant, 'may read /metrics and nothing else');
  if (tenant !== null && grant.tenant !== null && grant.tenant !== tenant) {
    throw forbidden(grant, 'may not enter this tenant');
  }
  if (database !== null && grant.databases !== null && !grant.databases.includes(database)) {
    throw forbidden(grant, 'may not enter this database');
  }
}

/** Whether a grant is for the figures of the whole server. Errors: `TESSERA_FORBIDDEN`. */
export function checkOperator(grant: Grant): void {
  if ((grant.tenant ?? grant.databases ?? grant.collections) === null) return;
  throw forbidden(grant, 'may not read figures of the whole server');
}

/** An error that says what a holder may not do. */
function forbidden({ name }: Grant, what: string): DatabaseError {
  const message = `The key or user ${name} ${what}. Ask who runs the server for one that may.`;
  return new DatabaseError('TESSERA_FORBIDDEN', message, { details: { reason: 'access', name } });
}

/** See the top of this file. */
export class ScopedBackend implements Backend {
  readonly #backend: Backend;
  readonly #grant: Grant;

  constructor(backend: Backend, grant: Grant) {
    this.#backend = backend;
    this.#grant = grant;
  }

  heartbeat(options?: CallOptions): Promise<bigint> {
    return this.#backend.heartbeat(options);
  }

  version(options?: CallOptions): Promise<string> {
    return this.#backend.version(options);
  }

  limits(options?: CallOptions): Promise<BackendLimits> {
    return this.#backend.limits(options);
  }

  /** Chroma's clients take tenant and database from here; who may enter all is told the default ones. */
  async identity(options?: CallOptions): Promise<Identity> {
    const { name, tenant, databases } = this.#grant;
    if (tenant === null) {
      return { userId: name, tenant: DEFAULT_TENANT, databases: databases ?? [DEFAULT_DATABASE] };
    }
    if (databases !== null) return { userId: name, tenant, databases };
    const found = await this.#backend.listDatabases(tenant, EVERYTHING, options);
    return { userId: name, tenant, databases: found.map((database) => database.name) };
  }

  async reset(options?: CallOptions): Promise<void> {
    this.#checkWrite();
    const { tenant, databases, collections } = this.#grant;
    if ((tenant ?? databases ?? collections) !== null) {
      throw forbidden(this.#grant, 'may not delete what is outside of its reach');
    }
    return this.#backend.reset(options);
  }

  async createTenant(name: string, options?: CallOptions): Promise<void> {
    this.#checkWrite();
    checkReach(this.#grant, name, null);
    this.#checkWhole('databases', 'may not make tenants');
    return this.#backend.createTenant(name, options);
  }

  async getTenant(name: string, options?: CallOptions): Promise<TenantInfo> {
    checkReach(this.#grant, name, null);
    return this.#backend.getTenant(name, options);
  }

  async createDatabase(scope: DatabaseScope, options?: CallOptions): Promise<void> {
    this.#checkDatabase(scope);
    this.#checkWrite();
    this.#checkWhole('collections', 'may not make databases');
    return this.#backend.createDatabase(scope, options);
  }

  async getDatabase(scope: DatabaseScope, options?: CallOptions): Promise<DatabaseInfo> {
    this.#checkDatabase(scope);
    return this.#backend.getDatabase(scope, options);
  }

  async listDatabases(tenant: string, page: Page, options?: CallOptions): Promise<DatabaseInfo[]> {
    checkReach(this.#grant, tenant, null);
    const { databases } = this.#grant;
    if (databases === null) return this.#backend.listDatabases(tenant, page, options);
    const all = await this.#backend.listDatabases(tenant, EVERYTHING, options);
    return cut(
      all.filter(({ name }) => databases.includes(name)),
      page,
    );
  }

  async deleteDatabase(scope: DatabaseScope, options?: CallOptions): Promise<void> {
    this.#checkDatabase(scope);
    this.#checkWrite();
    this.#checkWhole('collections', 'may not delete databases');
    return this.#backend.deleteDatabase(scope, options);
  }

  async createCollection(
    scope: DatabaseScope,
    input: CollectionInput,
    options?: CallOptions,
  ): Promise<CollectionInfo> {
    this.#checkNamed(scope, input.name);
    // Clients open a collection by a call that would make it: who may not make one may still open it.
    if (this.#grant.access === 'read' && input.getOrCreate) {
      return this.#backend.getCollection(scope, input.name, options);
    }
    this.#checkWrite();
    return this.#backend.createCollection(scope, input, options);
  }

  async getCollection(scope: DatabaseScope, name: string, options?: CallOptions): Promise<CollectionInfo> {
    this.#checkDatabase(scope);
    const { collections } = this.#grant;
    if (collections === null || collections.includes(name)) {
      return this.#backend.getCollection(scope, name, options);
    }
    const info = await this.#backend.getCollection(scope, name, options).catch(() => null);
    if (info !== null && collections.includes(info.id)) return info;
    throw forbidden(this.#grant, 'may not enter this collection');
  }

  async getCollectionById(scope: CollectionScope, options?: CallOptions): Promise<CollectionInfo> {
    await this.#checkById(scope, options);
    return this.#backend.getCollectionById(scope, options);
  }

  async findCollection(collectionId: string, options?: CallOptions): Promise<CollectionInfo> {
    const info = await this.#backend.findCollection(collectionId, options);
    const { tenant, databases, collections } = this.#grant;
    const isReached =
      (tenant === null || tenant === info.tenant) &&
      (databases === null || databases.includes(info.database)) &&
      (collections === null || collections.includes(info.name) || collections.includes(info.id));
    if (!isReached) throw unknownCollection(collectionId);
    return info;
  }

  async listCollections(scope: DatabaseScope, page: Page, options?: CallOptions): Promise<CollectionInfo[]> {
    this.#checkDatabase(scope);
    if (this.#grant.collections === null) return this.#backend.listCollections(scope, page, options);
    return cut(await this.#visibleCollections(scope, options), page);
  }

  async countCollections(scope: DatabaseScope, options?: CallOptions): Promise<number> {
    this.#checkDatabase(scope);
    if (this.#grant.collections === null) return this.#backend.countCollections(scope, options);
    return (await this.#visibleCollections(scope, options)).length;
  }

  async updateCollection(
    scope: CollectionScope,
    changes: CollectionChanges,
    options?: CallOptions,
  ): Promise<void> {
    await this.#checkById(scope, options);
    this.#checkWrite();
    if (changes.name !== undefined) this.#checkNamed(scope, changes.name);
    return this.#backend.updateCollection(scope, changes, options);
  }

  async deleteCollection(scope: DatabaseScope, name: string, options?: CallOptions): Promise<void> {
    this.#checkNamed(scope, name);
    this.#checkWrite();
    return this.#backend.deleteCollection(scope, name, options);
  }

  async fork(scope: CollectionScope, name: string, options?: CallOptions): Promise<CollectionInfo> {
    await this.#checkById(scope, options);
    this.#checkNamed(scope, name);
    this.#checkWrite();
    return this.#backend.fork(scope, name, options);
  }

  async countForks(scope: CollectionScope, options?: CallOptions): Promise<number> {
    await this.#checkById(scope, options);
    return this.#backend.countForks(scope, options);
  }

  async changes(
    scope: CollectionScope,
    request: ChangesRequest,
    options?: CallOptions,
  ): Promise<RecordChanges> {
    await this.#checkById(scope, options);
    return this.#backend.changes(scope, request, options);
  }

  async succeed(
    scope: CollectionScope,
    request: SuccessionRequest,
    options?: CallOptions,
  ): Promise<CollectionInfo | null> {
    await this.#checkChange(scope, options);
    await this.#checkById({ ...scope, collectionId: request.successorId }, options);
    this.#checkNamed(scope, request.formerName);
    return this.#backend.succeed(scope, request, options);
  }

  async add(scope: CollectionScope, batch: RecordBatch, options?: CallOptions): Promise<void> {
    await this.#checkChange(scope, options);
    return this.#backend.add(scope, batch, options);
  }

  async upsert(scope: CollectionScope, batch: RecordBatch, options?: CallOptions): Promise<void> {
    await this.#checkChange(scope, options);
    return this.#backend.upsert(scope, batch, options);
  }

  async update(scope: CollectionScope, batch: RecordBatch, options?: CallOptions): Promise<void> {
    await this.#checkChange(scope, options);
    return this.#backend.update(scope, batch, options);
  }

  async delete(scope: CollectionScope, request: DeleteRequest, options?: CallOptions): Promise<DeleteResult> {
    await this.#checkChange(scope, options);
    return this.#backend.delete(scope, request, options);
  }

  async get(scope: CollectionScope, request: GetRequest, options?: CallOptions): Promise<RecordColumns> {
    await this.#checkById(scope, options);
    return this.#backend.get(scope, request, options);
  }

  async query(scope: CollectionScope, request: QueryRequest, options?: CallOptions): Promise<Neighbours[]> {
    await this.#checkById(scope, options);
    return this.#backend.query(scope, request, options);
  }

  async count(scope: CollectionScope, options?: CallOptions): Promise<number> {
    await this.#checkById(scope, options);
    return this.#backend.count(scope, options);
  }

  async settle(scope: CollectionScope, options?: CallOptions): Promise<void> {
    await this.#checkById(scope, options);
    return this.#backend.settle(scope, options);
  }

  async statistics(scope: CollectionScope, options?: CallOptions): Promise<CollectionStatistics> {
    await this.#checkById(scope, options);
    return this.#backend.statistics(scope, options);
  }

  async verify(scope: CollectionScope, options?: CallOptions): Promise<VerifyReport> {
    await this.#checkById(scope, options);
    return this.#backend.verify(scope, options);
  }

  async repair(scope: CollectionScope, options?: CallOptions): Promise<RepairReport> {
    await this.#checkChange(scope, options);
    return this.#backend.repair(scope, options);
  }

  async salvage(scope: CollectionScope, name: string, options?: CallOptions): Promise<SalvageReport> {
    await this.#checkById(scope, options);
    this.#checkNamed(scope, name);
    this.#checkWrite();
    return this.#backend.salvage(scope, name, options);
  }

  /** The backend is shared with others, and stays open. */
  async close(): Promise<void> {}

  #checkDatabase({ tenant, database }: DatabaseScope): void {
    checkReach(this.#grant, tenant, database);
  }

  #checkWrite(): void {
    if (this.#grant.access !== 'write') throw forbidden(this.#grant, 'may read and not change anything');
  }

  #checkWhole(part: 'databases' | 'collections', what: string): void {
    if ((this.#grant[part] ?? this.#grant.collections) !== null) throw forbidden(this.#grant, what);
  }

  #checkNamed(scope: DatabaseScope, name: string): void {
    this.#checkDatabase(scope);
    const { collections } = this.#grant;
    if (collections === null || collections.includes(name)) return;
    throw forbidden(this.#grant, 'may not enter this collection');
  }

  async #checkById(scope: CollectionScope, options: CallOptions | undefined): Promise<void> {
    this.#checkDatabase(scope);
    const { collections } = this.#grant;
    if (collections === null || collections.includes(scope.collectionId)) return;
    const { name } = await this.#backend.getCollectionById(scope, signalOf(options));
    if (collections.includes(name)) return;
    throw unknownCollection(scope.collectionId);
  }

  async #checkChange(scope: CollectionScope, options: CallOptions | undefined): Promise<void> {
    await this.#checkById(scope, options);
    this.#checkWrite();
  }

  async #visibleCollections(
    scope: DatabaseScope,
    options: CallOptions | undefined,
  ): Promise<CollectionInfo[]> {
    const visible = this.#grant.collections!;
    const all = await this.#backend.listCollections(scope, EVERYTHING, options);
    return all.filter(({ id, name }) => visible.includes(name) || visible.includes(id));
  }
}

function unknownCollection(id: string): DatabaseError {
  const message = `Collection [${id}] does not exist.`;
  return new DatabaseError('TESSERA_COLLECTION_NOT_FOUND', message, { details: { name: id } });
}

/** A question on the way of a write gives none of its batch away. */
function signalOf(options: CallOptions | undefined): CallOptions {
  return { signal: options?.signal };
}

function cut<T>(rows: readonly T[], { limit, offset }: Page): T[] {
  return rows.slice(offset, limit === null ? undefined : offset + limit);
}
