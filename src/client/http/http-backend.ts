/**
 * `Backend` over HTTP: speaks version 2 of Chroma's protocol, to a Tessera server or to Chroma's own.
 *
 * A Tessera server adds the member `code` to its errors, from which they are rebuilt; with Chroma's, the
 * status decides.
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
  type ConfigurationUpdate,
  type DatabaseInfo,
  type DatabaseScope,
  type DeleteRequest,
  type DeleteResult,
  embeddingCount,
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
  type WriteVerb,
} from '../../api/index.ts';
import { DatabaseError, formatJson, type JsonValue } from '../../base/index.ts';
import { snakeCaseMembers } from '../configuration.ts';
import {
  readPlan,
  readRepairReport,
  readSalvageReport,
  readStatistics,
  readVerifyReport,
} from './reports.ts';
import { Transport, type TransportOptions } from './transport.ts';
import {
  readAnswer,
  readCollection,
  readColumns,
  readDistances,
  readMembers,
  readNumber,
  readText,
  unreadable,
  writeBatch,
  writeCollectionInput,
  writeEmbeddings,
  writeMembers,
  writeRecallSettings,
  writeSelection,
} from './wire.ts';

interface Preflight {
  readonly batchSizeMax: number;
  readonly isBase64: boolean;
}

/** See the top of this file. */
export class HttpBackend implements Backend {
  readonly #transport: Transport;
  #preflight: Preflight | null = null;

  constructor(options: TransportOptions) {
    this.#transport = new Transport(options);
  }

  async heartbeat(options?: CallOptions): Promise<bigint> {
    const answer = readMembers(await this.#get('/heartbeat', options));
    const beat = answer['nanosecond heartbeat'];
    if (typeof beat !== 'bigint' && typeof beat !== 'number') throw unreadable('a heartbeat');
    return BigInt(beat);
  }

  async version(options?: CallOptions): Promise<string> {
    return String(await this.#get('/version', options));
  }

  async limits(options?: CallOptions): Promise<BackendLimits> {
    return { batchSizeMax: (await this.#check(options)).batchSizeMax };
  }

  async identity(options?: CallOptions): Promise<Identity> {
    const answer = readMembers(await this.#get('/auth/identity', options));
    const { databases } = answer;
    return {
      userId: readText(answer, 'user_id'),
      tenant: readText(answer, 'tenant'),
      databases: Array.isArray(databases) ? databases.map(String) : [],
    };
  }

  async reset(options?: CallOptions): Promise<void> {
    await this.#send('POST', '/reset', null, options);
  }

  async createTenant(name: string, options?: CallOptions): Promise<void> {
    await this.#send('POST', '/tenants', writeMembers({ name: JSON.stringify(name) }), options);
  }

  async getTenant(name: string, options?: CallOptions): Promise<TenantInfo> {
    const answer = readMembers(await this.#get(`/tenants/${encodeURIComponent(name)}`, options));
    const resourceName = answer['resource_name'];
    return {
      name: readText(answer, 'name'),
      resourceName: typeof resourceName === 'string' ? resourceName : null,
    };
  }

  async createDatabase(scope: DatabaseScope, options?: CallOptions): Promise<void> {
    const body = writeMembers({ name: JSON.stringify(scope.database) });
    await this.#send('POST', databasesPath(scope.tenant), body, options);
  }

  async getDatabase(scope: DatabaseScope, options?: CallOptions): Promise<DatabaseInfo> {
    return readDatabase(await this.#get(databasePath(scope), options));
  }

  async listDatabases(tenant: string, page: Page, options?: CallOptions): Promise<DatabaseInfo[]> {
    return readList(await this.#get(`${databasesPath(tenant)}${pageQuery(page)}`, options)).map(readDatabase);
  }

  async deleteDatabase(scope: DatabaseScope, options?: CallOptions): Promise<void> {
    await this.#send('DELETE', databasePath(scope), null, options);
  }

  async createCollection(
    scope: DatabaseScope,
    input: CollectionInput,
    options?: CallOptions,
  ): Promise<CollectionInfo> {
    const path = `${databasePath(scope)}/collections`;
    return readCollection(readAnswer(await this.#send('POST', path, writeCollectionInput(input), options)));
  }

  async getCollection(scope: DatabaseScope, name: string, options?: CallOptions): Promise<CollectionInfo> {
    const path = `${databasePath(scope)}/collections/${encodeURIComponent(name)}`;
    return readCollection(await this.#get(path, options));
  }

  async getCollectionById(scope: CollectionScope, options?: CallOptions): Promise<CollectionInfo> {
    const path = `${databasePath(scope)}/collections/by-id/${scope.collectionId}`;
    return readCollection(await this.#get(path, options));
  }

  async findCollection(collectionId: string, options?: CallOptions): Promise<CollectionInfo> {
    const path = `/collections/by-id/${encodeURIComponent(collectionId)}`;
    return readCollection(await this.#extension('GET', path, options));
  }

  async listCollections(scope: DatabaseScope, page: Page, options?: CallOptions): Promise<CollectionInfo[]> {
    const path = `${databasePath(scope)}/collections${pageQuery(page)}`;
    return readList(await this.#get(path, options)).map(readCollection);
  }

  async countCollections(scope: DatabaseScope, options?: CallOptions): Promise<number> {
    return readNumber(await this.#get(`${databasePath(scope)}/collections_count`, options), 'count');
  }

  async updateCollection(
    scope: CollectionScope,
    changes: CollectionChanges,
    options?: CallOptions,
  ): Promise<void> {
    const { name, metadata, configuration } = changes;
    const body = writeMembers({
      new_name: name === undefined ? null : JSON.stringify(name),
      new_metadata: metadata ?? null,
      new_configuration: configuration === undefined ? null : writeConfigurationUpdate(configuration),
    });
    await this.#send('PUT', collectionPath(scope), body, options);
  }

  async deleteCollection(scope: DatabaseScope, name: string, options?: CallOptions): Promise<void> {
    const path = `${databasePath(scope)}/collections/${encodeURIComponent(name)}`;
    await this.#send('DELETE', path, null, options);
  }

  async fork(scope: CollectionScope, name: string, options?: CallOptions): Promise<CollectionInfo> {
    const body = writeMembers({ new_name: JSON.stringify(name) });
    return readCollection(
      readAnswer(await this.#send('POST', `${collectionPath(scope)}/fork`, body, options)),
    );
  }

  async countForks(scope: CollectionScope, options?: CallOptions): Promise<number> {
    const answer = readMembers(await this.#get(`${collectionPath(scope)}/fork_count`, options));
    return readNumber(answer['count'], 'count');
  }

  async changes(
    scope: CollectionScope,
    { after, afterRow, throughRow, limit }: ChangesRequest,
    options?: CallOptions,
  ): Promise<RecordChanges> {
    const body = writeMembers({
      after: `${after}`,
      after_row: `${afterRow}`,
      through_row: throughRow === null ? null : `${throughRow}`,
      limit: `${limit}`,
    });
    const text = await this.#send('POST', `${collectionPath(scope)}/changes`, body, options);
    const answer = readMembers(readAnswer(text));
    return {
      columns: readColumns(readMembers(answer['records'] ?? null), null),
      lastRow: answer['last_row'] === null ? null : readNumber(answer['last_row'], 'last_row'),
      sequence: readNumber(answer['sequence'], 'sequence'),
      endRow: readNumber(answer['end_row'], 'end_row'),
      recordCount: readNumber(answer['record_count'], 'record_count'),
      hasDeletions: answer['has_deletions'] === true,
    };
  }

  async succeed(
    scope: CollectionScope,
    { successorId, sequence, formerName }: SuccessionRequest,
    options?: CallOptions,
  ): Promise<CollectionInfo | null> {
    const body = writeMembers({
      successor_id: JSON.stringify(successorId),
      sequence: `${sequence}`,
      former_name: JSON.stringify(formerName),
    });
    const answer = readAnswer(await this.#send('POST', `${collectionPath(scope)}/succeed`, body, options));
    return answer === null ? null : readCollection(answer);
  }

  add(scope: CollectionScope, batch: RecordBatch, options?: CallOptions): Promise<void> {
    return this.#write('add', scope, batch, options);
  }

  upsert(scope: CollectionScope, batch: RecordBatch, options?: CallOptions): Promise<void> {
    return this.#write('upsert', scope, batch, options);
  }

  update(scope: CollectionScope, batch: RecordBatch, options?: CallOptions): Promise<void> {
    return this.#write('update', scope, batch, options);
  }

  async delete(scope: CollectionScope, request: DeleteRequest, options?: CallOptions): Promise<DeleteResult> {
    const { limit } = request;
    const body = writeMembers({
      ...writeSelection(request),
      limit: limit === null ? null : String(limit),
    });
    const answer = readMembers(
      readAnswer(await this.#send('POST', `${collectionPath(scope)}/delete`, body, options)),
    );
    return { deleted: readNumber(answer['deleted'], 'deleted') };
  }

  async get(scope: CollectionScope, request: GetRequest, options?: CallOptions): Promise<RecordColumns> {
    const { limit, offset, include } = request;
    const body = writeMembers({
      ...writeSelection(request),
      limit: limit === null ? null : String(limit),
      offset: offset === 0 ? null : String(offset),
      include: JSON.stringify(include),
    });
    const text = await this.#send('POST', `${collectionPath(scope)}/get`, body, options);
    return readColumns(readMembers(readAnswer(text, include.includes('metadatas'))), null);
  }

  async query(scope: CollectionScope, request: QueryRequest, options?: CallOptions): Promise<Neighbours[]> {
    const { embeddings, nResults, include, recall, explain } = request;
    const body = writeMembers({
      ...writeSelection(request),
      query_embeddings: writeEmbeddings(embeddings, embeddingCount(embeddings), false),
      n_results: String(nResults),
      include: JSON.stringify(include),
      recall: recall === null ? null : String(recall),
      explain: explain ? 'true' : null,
    });
    const text = await this.#send('POST', `${collectionPath(scope)}/query`, body, options);
    const answer = readMembers(readAnswer(text, include.includes('metadatas')));
    return readList(answer['ids'] ?? null).map((_, query) => ({
      ...readColumns(answer, query),
      distances: readDistances(answer, query),
      plan: explain ? readPlan(answer, query) : null,
    }));
  }

  async count(scope: CollectionScope, options?: CallOptions): Promise<number> {
    return readNumber(await this.#get(`${collectionPath(scope)}/count`, options), 'count');
  }

  async settle(scope: CollectionScope, options?: CallOptions): Promise<void> {
    await this.#extension('POST', `${collectionPath(scope)}/settle`, options);
  }

  async statistics(scope: CollectionScope, options?: CallOptions): Promise<CollectionStatistics> {
    return readStatistics(await this.#extension('GET', `${collectionPath(scope)}/stats`, options));
  }

  async verify(scope: CollectionScope, options?: CallOptions): Promise<VerifyReport> {
    return readVerifyReport(await this.#extension('POST', `${collectionPath(scope)}/verify`, options));
  }

  async repair(scope: CollectionScope, options?: CallOptions): Promise<RepairReport> {
    return readRepairReport(await this.#extension('POST', `${collectionPath(scope)}/repair`, options));
  }

  async salvage(scope: CollectionScope, name: string, options?: CallOptions): Promise<SalvageReport> {
    const body = writeMembers({ new_name: JSON.stringify(name) });
    const path = `${collectionPath(scope)}/salvage`;
    return readSalvageReport(await this.#extension('POST', path, options, body));
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async #write(
    verb: WriteVerb,
    scope: CollectionScope,
    batch: RecordBatch,
    options: CallOptions | undefined,
  ): Promise<void> {
    const { batchSizeMax, isBase64 } = await this.#check(options);
    if (batch.ids.length > batchSizeMax) {
      throw new DatabaseError(
        'TESSERA_LIMIT_EXCEEDED',
        `Expected at most ${batchSizeMax} records in one call, which is the server's limit, got ${batch.ids.length}. ` +
          'Split them into several calls; each is a transaction of its own.',
        { details: { limit: batchSizeMax, count: batch.ids.length } },
      );
    }
    await this.#send('POST', `${collectionPath(scope)}/${verb}`, writeBatch(batch, isBase64), options);
  }

  /** What the server can take, asked once. */
  async #check(options: CallOptions | undefined): Promise<Preflight> {
    if (this.#preflight === null) {
      const answer = readMembers(await this.#get('/pre-flight-checks', options));
      this.#preflight = {
        batchSizeMax: readNumber(answer['max_batch_size'], 'max_batch_size'),
        isBase64: answer['supports_base64_encoding'] === true,
      };
    }
    return this.#preflight;
  }

  /** Calls a route that Chroma's servers do not have. Errors: `TESSERA_UNSUPPORTED` where it is missing. */
  async #extension(
    method: 'GET' | 'POST',
    path: string,
    options: CallOptions | undefined,
    body: string | null = null,
  ): Promise<JsonValue> {
    try {
      return readAnswer(await this.#send(method, path, body, options), false);
    } catch (error) {
      throw isRouteMissing(error) ? notOffered(path, error) : error;
    }
  }

  async #get(path: string, options: CallOptions | undefined): Promise<JsonValue> {
    return readAnswer(await this.#send('GET', path, null, options));
  }

  #send(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    body: string | null,
    options: CallOptions | undefined,
  ): Promise<string> {
    return this.#transport.send(method, `/api/v2${path}`, body, options?.signal);
  }
}

function databasesPath(tenant: string): string {
  return `/tenants/${encodeURIComponent(tenant)}/databases`;
}

function databasePath({ tenant, database }: DatabaseScope): string {
  return `${databasesPath(tenant)}/${encodeURIComponent(database)}`;
}

function collectionPath(scope: CollectionScope): string {
  return `${databasePath(scope)}/collections/${scope.collectionId}`;
}

function pageQuery({ limit, offset }: Page): string {
  const parts = [
    ...(limit === null ? [] : [`limit=${limit}`]),
    ...(offset === 0 ? [] : [`offset=${offset}`]),
  ];
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

function readList(value: JsonValue): JsonValue[] {
  if (Array.isArray(value)) return value;
  throw unreadable('a list');
}

function readDatabase(value: JsonValue): DatabaseInfo {
  const members = readMembers(value, 'a database');
  return {
    id: readText(members, 'id'),
    name: readText(members, 'name'),
    tenant: readText(members, 'tenant'),
  };
}

/** Whether a server says that it has no such route, rather than that it has no such collection. */
function isRouteMissing(error: unknown): error is DatabaseError {
  if (!(error instanceof DatabaseError)) return false;
  const { code, details } = error;
  return code === 'TESSERA_NOT_FOUND' || code === 'TESSERA_UNSUPPORTED' || details['status'] === 405;
}

function notOffered(path: string, cause: DatabaseError): DatabaseError {
  const message = `This server does not offer ${path}, which Chroma's protocol does not have. Use a Tessera server of this release or later.`;
  return new DatabaseError('TESSERA_UNSUPPORTED', message, { details: { ...cause.details }, cause });
}

function writeConfigurationUpdate({ hnsw, embeddingFunction, ...rest }: ConfigurationUpdate): string {
  const recallSettings = Object.entries(writeRecallSettings(rest));
  return writeMembers({
    ...Object.fromEntries(recallSettings.map(([name, value]) => [name, formatJson(value)])),
    hnsw: hnsw === undefined ? null : JSON.stringify(snakeCaseMembers(hnsw, 'hnsw')),
    embedding_function: embeddingFunction === undefined ? null : formatJson(embeddingFunction),
  });
}
