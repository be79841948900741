/**
 * Entry `tesseradb`: the database in this process, and clients of servers.
 *
 * Everything for users of the library, and nothing but composition: the clients of `client/` over the backend
 * of `engine/`. Programs that talk to servers alone import `tesseradb/http`, which loads in a browser.
 */
import type { Backend, Settings } from './api/index.ts';
import {
  type ClientScope,
  checkMembers,
  DatabaseAdmin,
  DatabaseClient,
  type HttpSettings,
  invalidArgument,
  membersOf,
  HttpClient as RemoteClient,
} from './client/index.ts';
import { openDatabase } from './engine/index.ts';
import { LOCAL_MODELS } from './models/index.ts';

/** What `EphemeralClient` takes. */
export interface EphemeralSettings extends Partial<Omit<Settings, 'path'>>, ClientScope {}

/** What `PersistentClient` takes. */
export interface PersistentSettings extends EphemeralSettings {
  /** Directory of the database, which is made if there is none. */
  readonly path: string;
}

/** What `Client` and `AdminClient` take: settings of one of the three kinds of clients. */
export type ClientSettings = EphemeralSettings | PersistentSettings | (HttpSettings & ClientScope);

const EPHEMERAL_MEMBERS = membersOf<EphemeralSettings>({
  durability: true,
  threads: true,
  memory: true,
  allowReset: true,
  readOnly: true,
  openCollectionsMax: true,
  busyTimeoutMs: true,
  walPagesMax: true,
  tenant: true,
  database: true,
});
const PERSISTENT_MEMBERS = ['path', ...EPHEMERAL_MEMBERS];

/** A database in memory, gone when the client is closed. Each client has its own. */
export class EphemeralClient extends DatabaseClient {
  /** Errors: `TESSERA_INVALID_ARGUMENT` for an unknown setting, such as a `path`. */
  constructor(settings: EphemeralSettings = {}) {
    checkMembers(settings, 'EphemeralClient', EPHEMERAL_MEMBERS);
    const { tenant, database, ...rest } = settings;
    super(() => openDatabase({ ...rest, path: null }), { tenant, database }, LOCAL_MODELS);
  }
}

/**
 * A database in a directory. Several clients and processes may open one directory at a time.
 *
 * Errors of the first call: `TESSERA_NOT_A_DATABASE`, `TESSERA_NEWER_FORMAT`, `TESSERA_DRIVER_MISSING`,
 * `TESSERA_IO`.
 */
export class PersistentClient extends DatabaseClient {
  /** Errors: `TESSERA_INVALID_ARGUMENT` without a `path`, and for an unknown setting. */
  constructor(settings: PersistentSettings) {
    const { path, tenant, database, ...rest } = checkedPersistent(settings);
    super(() => openDatabase({ ...rest, path }), { tenant, database }, LOCAL_MODELS);
  }
}

/** A client of a Tessera or Chroma server. Errors besides those of every client: `TESSERA_CONNECTION`. */
export class HttpClient extends RemoteClient {
  constructor(settings: HttpSettings & ClientScope = {}) {
    super(settings, LOCAL_MODELS);
  }
}

/** A path that is missing, because a variable was not set, must never become a database in memory. */
function checkedPersistent(settings: PersistentSettings): PersistentSettings {
  const path: unknown = (settings as PersistentSettings | null | undefined)?.path;
  if (settings !== undefined) checkMembers(settings, 'PersistentClient', PERSISTENT_MEMBERS);
  if (typeof path === 'string' && path !== '') return settings;
  throw invalidArgument('path', 'a directory, as in { path: "./data" }', path);
}

/** The client that the settings ask for; any of them. */
export type Client = DatabaseClient;

/** Makes the client that the settings ask for; with or without `new`. */
interface ClientConstructor {
  new (settings?: ClientSettings): Client;
  (settings?: ClientSettings): Client;
}

/**
 * Chooses among the clients: an `HttpClient` for a `host`, `port` or URL, a `PersistentClient` for any other
 * `path`, and an `EphemeralClient` for neither.
 *
 * Errors: `TESSERA_INVALID_ARGUMENT` for a `path` or a `host` that is there and says nothing, and those of
 * the client that is chosen.
 */
// A function that returns an object may be called with `new` as well, and then gives that object.
export const Client: ClientConstructor = function makeClient(settings: ClientSettings = {}): Client {
  if (isHttp(settings)) return new HttpClient(settings);
  return isPersistent(settings) ? new PersistentClient(settings) : new EphemeralClient(settings);
} as ClientConstructor;

/** Tenants and databases: of the database that the settings name, or of the one that a client has open. */
export class AdminClient extends DatabaseAdmin {
  constructor(source: ClientSettings | DatabaseClient = {}) {
    super(source instanceof DatabaseClient ? source : borrowFrom(new Client(source)));
  }
}

function borrowFrom(client: Client): () => Promise<Backend> {
  return () => client.backend();
}

const HTTP_SETTINGS = ['host', 'port', 'ssl', 'headers', 'fetch'];

function isHttp(settings: ClientSettings): settings is HttpSettings & ClientScope {
  const given = (settings ?? {}) as Readonly<Record<string, unknown>>;
  if (HTTP_SETTINGS.some((name) => given[name] !== undefined && given[name] !== null && given[name] !== '')) {
    return true;
  }
  if ('host' in given) throw invalidArgument('host', 'the name or URL of a server', given['host']);
  return typeof given['path'] === 'string' && /^https?:\/\//i.test(given['path']);
}

function isPersistent(settings: ClientSettings): settings is PersistentSettings {
  // By its presence: where it is there and says nothing, `PersistentClient` refuses it.
  return typeof settings === 'object' && settings !== null && 'path' in settings;
}

export {
  type Backend,
  type CollectionConfiguration,
  type CollectionSchema,
  type CollectionStatistics,
  type DatabaseInfo,
  DEFAULT_DATABASE,
  DEFAULT_SETTINGS,
  DEFAULT_TENANT,
  type DeleteResult,
  type Durability,
  type EmbeddingInput,
  type Fault,
  type FollowerStatistics,
  type HnswConfiguration,
  type Identity,
  type Include,
  type IncludeColumn,
  LIMITS,
  type Loss,
  type MemoryStatistics,
  type Metadata,
  type MetadataChanges,
  type MetadataInput,
  type MetadataInputValue,
  type MetadataValue,
  type QueryPlan,
  type QueryTimings,
  type RepairReport,
  type SalvageReport,
  type Settings,
  type Space,
  type TextStatistics,
  type VectorStatistics,
  type VerifyReport,
} from './api/index.ts';
export {
  DatabaseError,
  Double,
  ERROR_CODES,
  type ErrorCode,
  type ErrorDetails,
  type ErrorKind,
} from './base/index.ts';
export {
  type Cancellable,
  type ClientScope,
  Collection,
  type CollectionSummary,
  type ConfigurationChanges,
  type ConfigurationInput,
  type CreateCollectionInput,
  DatabaseAdmin,
  DatabaseClient,
  type DatabaseInput,
  type DefaultGetInclude,
  type DefaultQueryInclude,
  type DeleteInput,
  type Fetch,
  type ForkInput,
  type GetCollectionInput,
  type GetInclude,
  type GetInput,
  GetResult,
  type GetRow,
  type HttpSettings,
  type ListInput,
  type LongText,
  type ModifyInput,
  type QueryInclude,
  type QueryInput,
  QueryResult,
  type QueryRow,
  type RecordsInput,
  type ReembedInput,
  type ReembedProgress,
  type ReembedResult,
  type SelectionInput,
  type UpdateInput,
  type Where,
  type WhereDocument,
  type WriteReport,
} from './client/index.ts';
export {
  CohereEmbeddingFunction,
  type CohereOptions,
  type EmbeddingFunction,
  type EmbeddingFunctionClass,
  type EmbeddingFunctionConfig,
  type EmbedOptions,
  GoogleGeminiEmbeddingFunction,
  type GoogleGeminiOptions,
  HuggingFaceEmbeddingFunction,
  type HuggingFaceOptions,
  HuggingFaceServerEmbeddingFunction,
  type HuggingFaceServerOptions,
  JinaEmbeddingFunction,
  type JinaOptions,
  MistralEmbeddingFunction,
  type MistralOptions,
  OllamaEmbeddingFunction,
  type OllamaOptions,
  OpenAIEmbeddingFunction,
  type OpenAIOptions,
  type ProviderOptions,
  registerEmbeddingFunction,
  type SplitOptions,
  splitText,
  type TextPart,
  type TokenCounter,
  VoyageAIEmbeddingFunction,
  type VoyageAIOptions,
} from './embed/index.ts';
export {
  type IngestFailure,
  type IngestInput,
  type IngestProgress,
  type IngestReport,
  ingest,
} from './ingest/index.ts';
export {
  type DownloadMiniLMOptions,
  downloadMiniLM,
  type EmbeddingRuntime,
  MiniLMEmbeddingFunction,
  type MiniLMOptions,
  UseLiteEmbeddingFunction,
  type UseLiteOptions,
} from './models/index.ts';
export {
  type BackupEntry,
  type BackupInput,
  type BackupReport,
  backup,
  type RestoreInput,
  type RestoreReport,
  restore,
} from './transfer/index.ts';
