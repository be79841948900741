/** A collection as programs use it: the shape of the `chromadb` client's, over any `Backend`. */
import {
  type Backend,
  type CollectionConfiguration,
  type CollectionInfo,
  type CollectionSchema,
  type CollectionScope,
  type CollectionStatistics,
  checkName,
  type DeleteResult,
  decodeMetadata,
  type EmbeddingBatch,
  encodeCollectionMetadata,
  type Metadata,
  type MetadataChanges,
  packEmbeddings,
  parseBatchInPieces,
  parseColumnsInPieces,
  parseEmbeddingsInPieces,
  type RecordBatch,
  type RepairReport,
  type SalvageReport,
  type VerifyReport,
  type WriteVerb,
} from '../api/index.ts';
import { DatabaseError, inTurns, type Pieces } from '../base/index.ts';
import type { EmbeddingFunction, EmbeddingModels } from '../embed/index.ts';
import {
  checkIntegers,
  checkMembers,
  checkWriteIds,
  invalidArgument,
  parseCount,
  parseFlag,
  parseInclude,
  parseRecall,
  parseSelection,
  parseText,
  SIGNAL_MEMBERS,
} from './arguments.ts';
import {
  DELETE_MEMBERS,
  type DeleteInput,
  FORK_MEMBERS,
  type ForkInput,
  GET_MEMBERS,
  type GetInput,
  MODIFY_MEMBERS,
  type ModifyInput,
  PEEK_MEMBERS,
  QUERY_MEMBERS,
  type QueryInput,
  RECORDS_MEMBERS,
  type RecordsInput,
  type UpdateInput,
} from './collection-input.ts';
import { updateConfiguration } from './configuration.ts';
import { type Cancellable, type Connection, checkSignal, isSuperseded } from './connection.ts';
import { checkExchange, Embedder } from './embedder.ts';
import type { DefaultGetInclude, DefaultQueryInclude, GetInclude, QueryInclude } from './include.ts';
import { findLongTexts, type LongText, type WriteReport, warnOfLongTexts } from './long-texts.ts';
import { REEMBED_MEMBERS, Reembedding, type ReembedInput, type ReembedResult } from './reembed.ts';
import { GetResult, QueryResult } from './results.ts';

/** What a collection shows of itself. */
export type CollectionSummary = Pick<
  Collection,
  'id' | 'name' | 'tenant' | 'database' | 'metadata' | 'configuration'
>;

const GET_INCLUDE: DefaultGetInclude = ['documents', 'metadatas'];
const QUERY_INCLUDE: DefaultQueryInclude = ['metadatas', 'documents', 'distances'];
const GET_COLUMNS = ['documents', 'embeddings', 'metadatas', 'uris'] as const;
const QUERY_COLUMNS = [...GET_COLUMNS, 'distances'] as const;

/**
 * Records that are searched together. Made by a client's `createCollection`, `getCollection` and their like.
 */
export class Collection {
  readonly #connection: Connection;
  #info: CollectionInfo;
  readonly #models: EmbeddingModels | null;
  #embedder: Embedder;
  #isWarned = false;

  /** Not for users: clients make collections. */
  constructor(
    connection: Connection,
    info: CollectionInfo,
    passed: EmbeddingFunction | null | undefined,
    models: EmbeddingModels | null,
  ) {
    this.#connection = connection;
    this.#info = info;
    this.#models = models;
    this.#embedder = new Embedder(passed, info, models);
  }

  /** UUID. */
  get id(): string {
    return this.#info.id;
  }

  get name(): string {
    return this.#info.name;
  }

  get tenant(): string {
    return this.#info.tenant;
  }

  get database(): string {
    return this.#info.database;
  }

  /** As of when this object was made, or of its last `modify`; `undefined` for none. */
  get metadata(): Metadata | undefined {
    return this.#info.metadata === null ? undefined : decodeMetadata(this.#info.metadata);
  }

  /** As of when this object was made, or of its last `modify`. */
  get configuration(): CollectionConfiguration {
    return this.#info.configuration;
  }

  /** As of when this object was made, or of its last `modify`; the wire's JSON. */
  get schema(): CollectionSchema {
    return this.#info.schema;
  }

  /** The function that embeds texts, `undefined` when there is none. */
  get embeddingFunction(): EmbeddingFunction | undefined {
    return this.#embedder.embeddingFunction;
  }

  /**
   * Inserts records. Ids that are stored already are passed over and their records stay as they are.
   *
   * All or nothing, and durable when the promise resolves. Errors: `TESSERA_DUPLICATE_ID`,
   * `TESSERA_INVALID_*`, `TESSERA_BATCH_MISMATCH`, `TESSERA_DIMENSION_MISMATCH`,
   * `TESSERA_EMBEDDING_FUNCTION`, `TESSERA_COLLECTION_NOT_FOUND`, `TESSERA_LIMIT_EXCEEDED`.
   */
  async add(input: RecordsInput): Promise<WriteReport> {
    return this.#write(input, 'add');
  }

  /**
   * Inserts records, or updates those whose id is stored; metadata is merged key by key. Otherwise as `add`.
   */
  async upsert(input: RecordsInput<MetadataChanges>): Promise<WriteReport> {
    return this.#write(input, 'upsert');
  }

  /**
   * Updates the given columns of stored records; unknown ids are passed over. Metadata is merged key by key,
   * and `null` deletes a key. Where documents come without embeddings, they are embedded anew. Otherwise as
   * `add`.
   */
  async update(input: UpdateInput): Promise<WriteReport> {
    return this.#write(input, 'update');
  }

  /**
   * Deletes the records that match all of ids and filters.
   *
   * Ids without a filter count as sent, whether stored or not. Errors: `TESSERA_INVALID_ARGUMENT` when
   * nothing says which records, `TESSERA_INVALID_FILTER`, `TESSERA_COLLECTION_NOT_FOUND`.
   */
  async delete(input: DeleteInput): Promise<DeleteResult> {
    checkMembers(input, 'delete', DELETE_MEMBERS);
    const selection = parseSelection(input);
    const limit = parseCount(input.limit, 'limit', 0, null);
    const hasFilter = selection.where !== null || selection.whereDocument !== null;
    if (!hasFilter && (selection.ids === null || selection.ids.length === 0)) {
      throw new DatabaseError(
        'TESSERA_INVALID_ARGUMENT',
        'Validation error: ids, where: Either ids or where must be specified. To delete every record, delete the ' +
          'collection and create it again.',
      );
    }
    if (!hasFilter && limit !== null) {
      throw new DatabaseError(
        'TESSERA_INVALID_ARGUMENT',
        'Validation error: limit: limit can only be specified when a where clause is provided',
      );
    }
    const request = { limit, ...selection };
    const options = { signal: input.signal };
    return this.#following(input, async () => {
      const scope = this.#scope;
      const held = this.#connection.heldBy(scope.collectionId);
      if (held !== undefined) await held;
      return this.#connection.write(input, nothing(), (backend) => backend.delete(scope, request, options));
    });
  }

  /**
   * Reads records in insertion order.
   *
   * Errors: `TESSERA_INVALID_ARGUMENT`, `TESSERA_INVALID_FILTER`, `TESSERA_INVALID_ID`,
   * `TESSERA_COLLECTION_NOT_FOUND`.
   */
  get<const Included extends GetInclude = DefaultGetInclude>(
    input?: GetInput<Included>,
  ): Promise<GetResult<Included>>;
  /** The same with a type for the metadata, which is not checked, and with the columns of the default. */
  get<TMeta extends object>(
    input?: GetInput<DefaultGetInclude> & { readonly include?: undefined },
  ): Promise<GetResult<DefaultGetInclude, TMeta>>;
  /**
   * The same with an `include` list, which the compiler does not infer beside a type that is given: each
   * column is there or `null`.
   */
  get<TMeta extends object>(input: GetInput<GetInclude>): Promise<GetResult<GetInclude, TMeta>>;
  /** The same with the type of the list given too, which decides the columns again. */
  get<TMeta extends object, const Included extends GetInclude>(
    input?: GetInput<Included>,
  ): Promise<GetResult<Included, TMeta>>;
  // What a list of columns leads to, the compiler cannot compare with the overloads.
  async get(input: GetInput<GetInclude> = {}): Promise<unknown> {
    checkMembers(input, 'get', GET_MEMBERS);
    const include = parseInclude(input.include, GET_INCLUDE, GET_COLUMNS) as GetInclude;
    const limit = parseCount(input.limit, 'limit', 0, null);
    const offset = parseCount(input.offset, 'offset', 0, 0);
    const selection = parseSelection(input);
    const backend = await this.#connection.backend(input);
    const request = { limit, offset, include, ...selection };
    return this.#following(input, async () => {
      return new GetResult(await backend.get(this.#scope, request, { signal: input.signal }), include);
    });
  }

  /** The first records. */
  async peek(input: { readonly limit?: number | undefined } & Cancellable = {}): Promise<GetResult> {
    checkMembers(input, 'peek', PEEK_MEMBERS);
    return this.get({ limit: input.limit ?? 10, signal: input.signal });
  }

  /**
   * Finds the nearest records to each query, nearest first; ties keep insertion order.
   *
   * Filters come first: `nResults` records are found whenever so many match. Errors:
   * `TESSERA_INVALID_ARGUMENT`, `TESSERA_INVALID_EMBEDDING`, `TESSERA_DIMENSION_MISMATCH`,
   * `TESSERA_INVALID_FILTER`, `TESSERA_EMBEDDING_FUNCTION`, `TESSERA_COLLECTION_NOT_FOUND`.
   */
  query<const Included extends QueryInclude = DefaultQueryInclude>(
    input: QueryInput<Included>,
  ): Promise<QueryResult<Included>>;
  /** The same with a type for the metadata, which is not checked, and with the columns of the default. */
  query<TMeta extends object>(
    input: QueryInput<DefaultQueryInclude> & { readonly include?: undefined },
  ): Promise<QueryResult<DefaultQueryInclude, TMeta>>;
  /**
   * The same with an `include` list, which the compiler does not infer beside a type that is given: each
   * column is there or `null`.
   */
  query<TMeta extends object>(input: QueryInput<QueryInclude>): Promise<QueryResult<QueryInclude, TMeta>>;
  /** The same with the type of the list given too, which decides the columns again. */
  query<TMeta extends object, const Included extends QueryInclude>(
    input: QueryInput<Included>,
  ): Promise<QueryResult<Included, TMeta>>;
  async query(input: QueryInput<QueryInclude>): Promise<unknown> {
    checkMembers(input, 'query', QUERY_MEMBERS);
    const include = parseInclude(input.include, QUERY_INCLUDE, QUERY_COLUMNS) as QueryInclude;
    const nResults = parseCount(input.nResults, 'nResults', 1, 10);
    const recall = parseRecall(input.recall, input.exact);
    const explain = parseFlag(input.explain, 'explain');
    const selection = parseSelection(input);
    checkSignal(input.signal);
    return this.#following(input, async () => {
      const scope = this.#scope;
      const embeddings = await this.#embedQueries(input);
      const backend = await this.#connection.backend(input);
      const request = { embeddings, nResults, include, recall, explain, ...selection };
      const neighbours = await backend.query(scope, request, { signal: input.signal });
      return new QueryResult(neighbours, include, explain);
    });
  }

  /**
   * Copies the collection as it is now under another name, with all that was acknowledged before the call.
   *
   * Each goes its own way from then on; calls go on meanwhile. The copy has the same embedding function.
   * Errors: `TESSERA_INVALID_NAME`, `TESSERA_ALREADY_EXISTS`, `TESSERA_COLLECTION_NOT_FOUND`,
   * `TESSERA_CORRUPT` where a record is damaged, `TESSERA_READ_ONLY`, `TESSERA_UNSUPPORTED` by a server of
   * Chroma's.
   */
  async fork(input: ForkInput): Promise<Collection> {
    checkMembers(input, 'fork', FORK_MEMBERS);
    const name = parseText(input.name, 'name');
    checkName(name);
    const backend = await this.#backendOfHeir(input);
    const info = await backend.fork(this.#scope, name, { signal: input.signal });
    return new Collection(this.#connection, info, this.#decidedFunction, this.#models);
  }

  /** How many forks there are of the collection, of its forks, and of what it is a fork of. */
  async forkCount(options: Cancellable = {}): Promise<number> {
    checkMembers(options, 'forkCount', SIGNAL_MEMBERS);
    const backend = await this.#connection.backend(options);
    return backend.countForks(this.#scope, { signal: options.signal });
  }

  /** How many records there are. */
  async count(options: Cancellable = {}): Promise<number> {
    checkMembers(options, 'count', SIGNAL_MEMBERS);
    const backend = await this.#connection.backend(options);
    return this.#following(options, () => backend.count(this.#scope, { signal: options.signal }));
  }

  /**
   * Resolves when every index has taken in all that was acknowledged before the call.
   *
   * Answers are complete without it, for queries look at what the indexes have not taken in yet; they are
   * faster afterwards. Other calls go on meanwhile. Errors: `TESSERA_COLLECTION_NOT_FOUND`, `TESSERA_CORRUPT`
   * where a damaged record keeps an index from being loaded, `TESSERA_UNSUPPORTED` by a server that is not
   * ours.
   */
  async settle(options: Cancellable = {}): Promise<void> {
    checkMembers(options, 'settle', SIGNAL_MEMBERS);
    const backend = await this.#backendOfHeir(options);
    await backend.settle(this.#scope, { signal: options.signal });
  }

  /**
   * How far the indexes have come, how well they find, and what they take.
   *
   * Nothing is loaded or brought up to date for it. Errors: `TESSERA_COLLECTION_NOT_FOUND`,
   * `TESSERA_UNSUPPORTED` by a server that is not ours.
   */
  async stats(options: Cancellable = {}): Promise<CollectionStatistics> {
    checkMembers(options, 'stats', SIGNAL_MEMBERS);
    const backend = await this.#backendOfHeir(options);
    return backend.statistics(this.#scope, { signal: options.signal });
  }

  /**
   * Compares every record with its checksums and with the indexes, and tells what differs.
   *
   * Other calls go on meanwhile. What is found is in the report, not an error. Errors:
   * `TESSERA_COLLECTION_NOT_FOUND`, `TESSERA_UNSUPPORTED` by a server that is not ours.
   */
  async verify(options: Cancellable = {}): Promise<VerifyReport> {
    checkMembers(options, 'verify', SIGNAL_MEMBERS);
    const backend = await this.#backendOfHeir(options);
    return backend.verify(this.#scope, { signal: options.signal });
  }

  /**
   * Verifies, and makes the indexes that differ anew from the records, which it never changes.
   *
   * Other calls go on meanwhile. What is left is damage of the records themselves: write those anew, or
   * restore the collection from a copy. Errors: as `verify`, and `TESSERA_READ_ONLY`.
   */
  async repair(options: Cancellable = {}): Promise<RepairReport> {
    checkMembers(options, 'repair', SIGNAL_MEMBERS);
    const backend = await this.#backendOfHeir(options);
    return backend.repair(this.#scope, { signal: options.signal });
  }

  /**
   * Copies what can be read of a damaged collection into one of another name, and tells what is lost.
   *
   * The damaged collection stays as it is. Nothing is taken that does not agree with its checksums. Errors:
   * `TESSERA_INVALID_NAME`, `TESSERA_ALREADY_EXISTS`, `TESSERA_COLLECTION_NOT_FOUND`, `TESSERA_CORRUPT` where
   * nothing can be read, `TESSERA_READ_ONLY`, `TESSERA_UNSUPPORTED` by a server that is not ours.
   */
  async salvage(input: ForkInput): Promise<SalvageReport> {
    checkMembers(input, 'salvage', FORK_MEMBERS);
    const name = parseText(input.name, 'name');
    checkName(name);
    const backend = await this.#backendOfHeir(input);
    return backend.salvage(this.#scope, name, { signal: input.signal });
  }

  /**
   * Changes the name, the metadata or the configuration.
   *
   * Errors: `TESSERA_INVALID_NAME`, `TESSERA_ALREADY_EXISTS` for a name that is taken,
   * `TESSERA_INVALID_METADATA`, `TESSERA_INVALID_CONFIGURATION`, `TESSERA_COLLECTION_NOT_FOUND`.
   */
  async modify(input: ModifyInput): Promise<void> {
    checkMembers(input, 'modify', MODIFY_MEMBERS);
    const { name, metadata, configuration } = input;
    if (name !== undefined) checkName(parseText(name, 'name'));
    const changes = {
      name,
      metadata: metadata === undefined ? undefined : encodeCollectionMetadata(metadata),
      configuration:
        configuration === undefined ? undefined : updateConfiguration(configuration, this.embeddingFunction),
    };
    const backend = await this.#connection.backend(input);
    const options = { signal: input.signal };
    const exchanged = configuration?.embeddingFunction;
    await this.#following(input, async () => {
      if (exchanged) checkExchange(exchanged, await backend.getCollectionById(this.#scope, options));
      await backend.updateCollection(this.#scope, changes, options);
    });
    this.#info = await backend.getCollectionById(this.#scope, options);
    const passed = exchanged ?? this.#decidedFunction;
    if (passed !== undefined) {
      this.#embedder = new Embedder(passed, this.#info, this.#models);
    }
  }

  /**
   * Embeds all documents anew with another function, which the collection has from then on, while calls to it
   * go on (see reembed.ts). Begins where an interrupted call has ended.
   *
   * The collection gets another id; the one that it had, with the embeddings as they were, is kept under
   * `formerName`. Objects that stand for it follow at their next call. Errors: `TESSERA_INVALID_DOCUMENT` for
   * a record without a document, `TESSERA_ALREADY_EXISTS`, `TESSERA_EMBEDDING_FUNCTION`,
   * `TESSERA_SUPERSEDED`, `TESSERA_INVALID_ARGUMENT`, `TESSERA_UNSUPPORTED` by a server that is not ours.
   */
  async reembed(input: ReembedInput): Promise<ReembedResult> {
    checkMembers(input, 'reembed', REEMBED_MEMBERS);
    const backend = await this.#backendOfHeir(input);
    const info = await backend.getCollectionById(this.#scope, { signal: input.signal });
    const hold = <T>(work: () => Promise<T>): Promise<T> => this.#connection.hold(info.id, work);
    const { result, heir } = await (await Reembedding.begin({ backend, info, input, hold })).run();
    this.#become(heir, input.embeddingFunction);
    return result;
  }

  /** What the collection is, for `JSON.stringify`; its records are not part of it. */
  toJSON(): CollectionSummary {
    const { id, name, tenant, database, metadata, configuration } = this;
    return { id, name, tenant, database, metadata, configuration };
  }

  /** The function, unless it is the default one for want of any other. */
  get #decidedFunction(): EmbeddingFunction | undefined {
    return this.#embedder.isUndecided ? undefined : this.#embedder.embeddingFunction;
  }

  get #scope(): CollectionScope {
    const { id, tenant, database } = this.#info;
    return { tenant, database, collectionId: id };
  }

  async #write(input: RecordsInput<MetadataChanges> | UpdateInput, verb: WriteVerb): Promise<WriteReport> {
    checkMembers(input, verb, RECORDS_MEMBERS);
    checkSignal(input.signal);
    checkWriteIds(input.ids);
    checkIntegers(input.metadatas);
    const { embeddings, documents, uris } = input;
    if (verb !== 'update' && !embeddings && !documents) {
      throw new DatabaseError(
        'TESSERA_INVALID_EMBEDDING',
        uris
          ? 'Expected embeddings along with uris: what a URI leads to is not embedded here.'
          : 'Expected embeddings, or documents to embed, got neither.',
      );
    }
    const options = { signal: input.signal, isBatchGivenAway: true };
    return this.#following(input, async () => {
      // As of now: a batch must not go to a successor whose function has not embedded it.
      const scope = this.#scope;
      const isEmbedded = Boolean(embeddings) || !Array.isArray(documents);
      const batch = isEmbedded
        ? parseBatchInPieces(input, verb)
        : await this.#embedded(input, documents!, verb);
      // Without a turn where nobody holds it: writes arrive in the order of their calls.
      const held = this.#connection.heldBy(scope.collectionId);
      if (held !== undefined) await held;
      await this.#connection.write(input, batch, (backend, value) => backend[verb](scope, value, options));
      return { longTexts: isEmbedded ? [] : await this.#longTexts(input.ids, documents!) };
    });
  }

  /**
   * Makes a call, and makes it once more where the collection was embedded anew meanwhile: then this object
   * stands for its successor from now on. Embeddings that the caller gave are of the former function, and
   * such a call is refused.
   */
  async #following<T>(input: FollowingInput, call: () => Promise<T>): Promise<T> {
    const { id } = this.#info;
    try {
      return await call();
    } catch (error) {
      if (!isSuperseded(error)) throw error;
      if (this.#info.id === id) {
        const { tenant, database, name } = this.#info;
        const backend = await this.#connection.backend(input);
        const info = await backend.getCollection({ tenant, database }, name, { signal: input.signal });
        if (info.id === id) throw error;
        this.#become(info, undefined);
      }
      if (isGiven(input.embeddings) || isGiven(input.queryEmbeddings)) throw error;
      return this.#following(input, call);
    }
  }

  /**
   * For calls that a former collection answers, too: an object that was opened before its collection was
   * embedded anew stands for the successor first, as it would in any other call.
   */
  async #backendOfHeir(input: Cancellable): Promise<Backend> {
    const backend = await this.#connection.backend(input);
    const ask = (): Promise<unknown> => backend.count(this.#scope, { signal: input.signal });
    // Whatever else is wrong, the call itself will say.
    const isFormer = await ask().then(() => false, isSuperseded);
    if (isFormer) {
      await this.#following(input, ask).catch((error: unknown) => {
        // Opened under the former collection's own name, which is then what is meant.
        if (!isSuperseded(error)) throw error;
      });
    }
    return backend;
  }

  #become(info: CollectionInfo, passed: EmbeddingFunction | undefined): void {
    this.#info = info;
    this.#embedder = new Embedder(passed, info, this.#models);
  }

  async #longTexts(ids: readonly string[], documents: readonly unknown[]): Promise<LongText[]> {
    const longTexts = await findLongTexts(this.embeddingFunction, ids, documents);
    if (!this.#isWarned) warnOfLongTexts(this.name, longTexts);
    this.#isWarned ||= longTexts.length > 0;
    return longTexts;
  }

  /** The batch with embeddings of its documents. */
  async #embedded(
    input: RecordsInput<MetadataChanges> | UpdateInput,
    documents: readonly (string | null)[],
    verb: WriteVerb,
  ): Promise<Pieces<RecordBatch>> {
    // Everything else is checked before texts are embedded, which may cost time and money.
    const columns = await inTurns(parseColumnsInPieces(input, verb));
    const embedder = await this.#decidedEmbedder(input, true);
    const embedded = await embedder.embedDocuments(documents, verb === 'update', input.signal);
    return withEmbeddings(columns, embedded, verb);
  }

  async #embedQueries(input: QueryInput<QueryInclude>): Promise<EmbeddingBatch> {
    const { queryEmbeddings, queryTexts } = input;
    if (isGiven(queryEmbeddings) === isGiven(queryTexts)) {
      const found = isGiven(queryTexts) ? 'both. Give one' : 'neither';
      const message = `Expected queryEmbeddings or queryTexts in a query, got ${found}.`;
      throw new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { argument: 'query' } });
    }
    if (isGiven(queryEmbeddings))
      return packEmbeddings(queryEmbeddings, { field: 'queryEmbeddings', allowNull: false });
    if (!Array.isArray(queryTexts)) throw invalidArgument('queryTexts', 'an array of strings', queryTexts);
    const embedder = await this.#decidedEmbedder(input, false);
    return embedder.embedQueries(queryTexts, input.signal);
  }

  /**
   * The embedder for texts. Where nobody has said which function the collection has, it is asked again
   * whether somebody has by now; if not, and it holds nothing, the default function is stored before
   * documents are.
   */
  async #decidedEmbedder(input: Cancellable, isWrite: boolean): Promise<Embedder> {
    if (!this.#embedder.isUndecided) return this.#embedder;
    const { signal } = input;
    const backend = await this.#connection.backend(input);
    this.#info = await backend.getCollectionById(this.#scope, { signal });
    this.#embedder = new Embedder(undefined, this.#info, this.#models);
    const { isUndecided, embeddingFunction } = this.#embedder;
    if (isWrite && isUndecided && embeddingFunction !== undefined) {
      await this.modify({ configuration: { embeddingFunction }, signal });
    }
    return this.#embedder;
  }
}

function* withEmbeddings(
  columns: Omit<RecordBatch, 'embeddings'>,
  embeddings: unknown,
  verb: WriteVerb,
): Pieces<RecordBatch> {
  return { ...columns, embeddings: yield* parseEmbeddingsInPieces(embeddings, verb) };
}

/** What a write computes that is told everything. */
function* nothing(): Pieces<undefined> {}

/**
 * What `console.log` shows in Node: `toJSON`, where the private fields alone would show nothing. Node's name
 * for the method is registered for all, so that it needs no import; it stays out of the declared type.
 */
Object.defineProperty(Collection.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value(this: Collection, _depth: number, options: object, inspect: (value: unknown, how: object) => string) {
    return `Collection ${inspect(this.toJSON(), options)}`;
  },
});

/** What decides whether a call can be made again at a successor. */
interface FollowingInput extends Cancellable {
  readonly embeddings?: unknown;
  readonly queryEmbeddings?: unknown;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}
