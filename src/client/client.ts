/// <reference lib="esnext.disposable" preserve="true" />
/** The client: collections of one database, over any `Backend`. */
import {
  type Backend,
  type CollectionInfo,
  checkName,
  type DatabaseScope,
  DEFAULT_DATABASE,
  DEFAULT_TENANT,
  type Identity,
  isUuid,
  type MetadataInput,
} from '../api/index.ts';
import type { EmbeddingFunction, EmbeddingModels } from '../embed/index.ts';
import {
  checkMembers,
  invalidArgument,
  membersOf,
  parseCount,
  parseText,
  SIGNAL_MEMBERS,
} from './arguments.ts';
import { Collection } from './collection.ts';
import {
  type ConfigurationInput,
  checkEmbeddingFunction,
  designCollection,
  passedEmbeddingFunction,
  type SchemaInput,
} from './configuration.ts';
import { type Cancellable, Connection } from './connection.ts';

/** Names the database that a client works in. */
export interface ClientScope {
  /** Default `default_tenant`. */
  readonly tenant?: string | undefined;
  /** Default `default_database`. */
  readonly database?: string | undefined;
}

/** What `createCollection` and `getOrCreateCollection` take. */
export interface CreateCollectionInput extends Cancellable {
  readonly name: string;
  /** Scalars only. */
  readonly metadata?: MetadataInput | null | undefined;
  readonly configuration?: ConfigurationInput | undefined;
  readonly schema?: SchemaInput | undefined;
  /**
   * Embeds texts; `null` says that the collection takes embeddings only. Where it is left out, the default
   * function does, if the client has one.
   */
  readonly embeddingFunction?: EmbeddingFunction | null | undefined;
}

/** What `getCollection` takes. */
export interface GetCollectionInput extends Cancellable {
  readonly name: string;
  /** Needed only where the collection's own function cannot be built again. */
  readonly embeddingFunction?: EmbeddingFunction | null | undefined;
}

/** The part of a list that is wanted; all of it if left out. */
export interface ListInput extends Cancellable {
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
}

const CREATE_MEMBERS = membersOf<CreateCollectionInput>({
  name: true,
  metadata: true,
  configuration: true,
  schema: true,
  embeddingFunction: true,
  signal: true,
});
const OPEN_MEMBERS = membersOf<GetCollectionInput>({ name: true, embeddingFunction: true, signal: true });
const NAME_MEMBERS: readonly string[] = ['name', 'signal'];

/** The members of `ListInput`. */
export const LIST_MEMBERS: readonly string[] = membersOf<ListInput>({
  limit: true,
  offset: true,
  signal: true,
});

/**
 * What all clients can do. Made as `EphemeralClient`, `PersistentClient`, `HttpClient` or `Client`.
 *
 * Nothing is opened before the first call. Every method rejects with `TESSERA_CLOSED` after `close`, with
 * `TESSERA_ABORTED` when its signal has fired, and with the errors of opening the database, which are listed
 * there.
 */
export class DatabaseClient {
  readonly #connection: Connection;
  readonly #scope: DatabaseScope;
  readonly #models: EmbeddingModels | null;

  /**
   * `open` is called once, by the first call that needs it; `models` are what collections embed with that
   * were given no function, or have stored one of these.
   */
  constructor(open: () => Promise<Backend>, scope: ClientScope = {}, models: EmbeddingModels | null = null) {
    this.#connection = new Connection(open);
    this.#models = models;
    this.#scope = {
      tenant: parseText(scope.tenant ?? DEFAULT_TENANT, 'tenant'),
      database: parseText(scope.database ?? DEFAULT_DATABASE, 'database'),
    };
  }

  get tenant(): string {
    return this.#scope.tenant;
  }

  get database(): string {
    return this.#scope.database;
  }

  /**
   * The port under this client, for whoever serves it: `createServer(await client.backend())`.
   *
   * It belongs to the client, which closes it.
   */
  async backend(options: Cancellable = {}): Promise<Backend> {
    checkMembers(options, 'backend', SIGNAL_MEMBERS);
    return this.#connection.backend(options);
  }

  /** Nanoseconds since 1970; a number, and so exact to 256 ns. */
  async heartbeat(options: Cancellable = {}): Promise<number> {
    checkMembers(options, 'heartbeat', SIGNAL_MEMBERS);
    const backend = await this.#connection.backend(options);
    return Number(await backend.heartbeat({ signal: options.signal }));
  }

  /** Version of the database, or of the protocol where the database is a server. */
  async version(options: Cancellable = {}): Promise<string> {
    checkMembers(options, 'version', SIGNAL_MEMBERS);
    const backend = await this.#connection.backend(options);
    return backend.version({ signal: options.signal });
  }

  /**
   * Deletes every collection, database and tenant. Errors: `TESSERA_FORBIDDEN` unless the settings allow it.
   */
  async reset(options: Cancellable = {}): Promise<void> {
    checkMembers(options, 'reset', SIGNAL_MEMBERS);
    const backend = await this.#connection.backend(options);
    await backend.reset({ signal: options.signal });
  }

  /** Who the caller is to the database. */
  async getUserIdentity(options: Cancellable = {}): Promise<Identity> {
    checkMembers(options, 'getUserIdentity', SIGNAL_MEMBERS);
    const backend = await this.#connection.backend(options);
    return backend.identity({ signal: options.signal });
  }

  /** Records that one write may hold, as servers tell it; a local database takes more. */
  async getMaxBatchSize(options: Cancellable = {}): Promise<number> {
    checkMembers(options, 'getMaxBatchSize', SIGNAL_MEMBERS);
    const backend = await this.#connection.backend(options);
    return (await backend.limits({ signal: options.signal })).batchSizeMax;
  }

  /** How many collections there are. */
  async countCollections(options: Cancellable = {}): Promise<number> {
    checkMembers(options, 'countCollections', SIGNAL_MEMBERS);
    const backend = await this.#connection.backend(options);
    return backend.countCollections(this.#scope, { signal: options.signal });
  }

  /** Collections in the order of their UUIDs. */
  async listCollections(input: ListInput = {}): Promise<Collection[]> {
    checkMembers(input, 'listCollections', LIST_MEMBERS);
    const page = {
      limit: parseCount(input.limit, 'limit', 0, null),
      offset: parseCount(input.offset, 'offset', 0, 0),
    };
    const backend = await this.#connection.backend(input);
    const infos = await backend.listCollections(this.#scope, page, { signal: input.signal });
    return infos.map((info) => this.#collection(info, undefined));
  }

  /**
   * Creates a collection.
   *
   * Errors: `TESSERA_ALREADY_EXISTS`, `TESSERA_INVALID_NAME`, `TESSERA_INVALID_METADATA`,
   * `TESSERA_INVALID_CONFIGURATION`, `TESSERA_DATABASE_MISSING`.
   */
  createCollection(input: CreateCollectionInput): Promise<Collection> {
    return this.#create(input, 'createCollection');
  }

  /**
   * Opens a collection, and creates it first where there is none. An existing one stays as it is.
   *
   * Errors: those of `createCollection` but `TESSERA_ALREADY_EXISTS`, and `TESSERA_EMBEDDING_FUNCTION` as
   * `getCollection`.
   */
  getOrCreateCollection(input: CreateCollectionInput): Promise<Collection> {
    return this.#create(input, 'getOrCreateCollection');
  }

  /**
   * Opens a collection by name.
   *
   * Errors: `TESSERA_COLLECTION_NOT_FOUND`; `TESSERA_EMBEDDING_FUNCTION` when it was made with another
   * function.
   */
  async getCollection(input: GetCollectionInput): Promise<Collection> {
    checkMembers(input, 'getCollection', OPEN_MEMBERS);
    const name = parseText(input.name, 'name');
    checkEmbeddingFunction(input.embeddingFunction, 'embeddingFunction');
    const backend = await this.#connection.backend(input);
    const info = await backend.getCollection(this.#scope, name, { signal: input.signal });
    return this.#collection(info, input.embeddingFunction);
  }

  /**
   * Opens a collection by UUID. Errors: as `getCollection`; `TESSERA_INVALID_ARGUMENT` for what is no UUID.
   */
  async getCollectionById(id: string, options: Cancellable = {}): Promise<Collection> {
    checkMembers(options, 'getCollectionById', SIGNAL_MEMBERS);
    if (!isUuid(parseText(id, 'id'))) throw invalidArgument('id', 'a UUID', id);
    const backend = await this.#connection.backend(options);
    const scope = { ...this.#scope, collectionId: id.toLowerCase() };
    const info = await backend.getCollectionById(scope, { signal: options.signal });
    return this.#collection(info, undefined);
  }

  /** Opens several collections by name. Errors: as `getCollection`. */
  async getCollections(
    items: readonly (string | GetCollectionInput)[],
    options: Cancellable = {},
  ): Promise<Collection[]> {
    checkMembers(options, 'getCollections', SIGNAL_MEMBERS);
    if (!Array.isArray(items)) throw invalidArgument('items', 'an array of names', items);
    const inputs: GetCollectionInput[] = items.map((item) =>
      typeof item === 'string' ? { name: item } : item,
    );
    for (const input of inputs) checkMembers(input, 'getCollections', OPEN_MEMBERS);
    return Promise.all(inputs.map((input) => this.getCollection({ ...options, ...input })));
  }

  /** Deletes a collection with its records and its file. Errors: `TESSERA_COLLECTION_NOT_FOUND`. */
  async deleteCollection(input: { readonly name: string } & Cancellable): Promise<void> {
    checkMembers(input, 'deleteCollection', NAME_MEMBERS);
    const name = parseText(input.name, 'name');
    const backend = await this.#connection.backend(input);
    await backend.deleteCollection(this.#scope, name, { signal: input.signal });
  }

  /** Finishes what has begun, then releases files, threads and connections. Idempotent. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #create(
    input: CreateCollectionInput,
    call: 'createCollection' | 'getOrCreateCollection',
  ): Promise<Collection> {
    checkMembers(input, call, CREATE_MEMBERS);
    const name = parseText(input.name, 'name');
    checkName(name);
    const passed = passedEmbeddingFunction(input);
    const design = designCollection(input);
    const backend = await this.#connection.backend(input);
    const info = await backend.createCollection(
      this.#scope,
      { name, ...design, getOrCreate: call === 'getOrCreateCollection' },
      { signal: input.signal },
    );
    return this.#collection(info, passed);
  }

  #collection(info: CollectionInfo, passed: EmbeddingFunction | null | undefined): Collection {
    return new Collection(this.#connection, info, passed, this.#models);
  }
}
