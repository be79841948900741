/**
 * Every setting of `tessera run`: one table for the command line, the environment, the file and the help.
 *
 * A setting has its name in the file (`limits.call_ms`); in the environment that name in capitals with dots
 * as `__` after `TESSERA_` or `CHROMA_`; on the command line its own option. Names are Chroma's where Chroma
 * has the setting.
 */
import { DEFAULT_SETTINGS, type Durability, LIMITS } from '../../api/index.ts';
import {
  DEFAULT_HOST,
  DEFAULT_PATIENCE,
  DEFAULT_PORT,
  DEFAULT_SERVER_LIMITS,
  GRACE_MS,
  type ListenOptions,
  type ServerLimits,
} from '../../server/index.ts';
import type { LogLevel } from '../server-log.ts';
import { flag, integer, integerOrNone, type Kind, list, memory, oneOf, text } from './kinds.ts';

/** One setting. */
export interface Setting<T> {
  /** Its name in the file. */
  readonly key: string;
  readonly option: string;
  readonly kind: Kind<T>;
  readonly fallback: T;
  /** The default in words, where the value itself does not say it. */
  readonly fallbackText?: string;
  readonly summary: string;
  /** Further variables, of Chroma's and of others. */
  readonly variables?: readonly string[];
}

function setting<T>(
  key: string,
  option: string,
  kind: Kind<T>,
  fallback: T,
  summary: string,
  more: Pick<Setting<T>, 'variables' | 'fallbackText'> = {},
): Setting<T> {
  return { key, option, kind, fallback, summary, ...more };
}

/** A setting that may be left unset. */
function perhaps<T>(kind: Kind<T>): Kind<T | null> {
  return { ...kind, read: (value) => (value === null ? null : kind.read(value)) };
}

const file = perhaps(text('FILE', 'the path of a file'));
const { bodyBytesMax, bodiesBytesMax, requestsMax, resultsMax, answerBytesMax, callMs } =
  DEFAULT_SERVER_LIMITS;
const { headersMs, requestMs, stallMs, connectionsMax } = DEFAULT_PATIENCE;

/** The value of every setting, by the names that the program has for them. */
export interface ServerSettings extends ServerLimits, Required<ListenOptions> {
  readonly path: string;
  readonly insecure: boolean;
  readonly keysFile: string | null;
  readonly htpasswdFile: string | null;
  readonly allowReset: boolean;
  readonly readOnly: boolean;
  readonly corsAllowOrigins: readonly string[];
  readonly logLevel: LogLevel;
  readonly memory: number | string | null;
  readonly threads: number;
  readonly durability: Durability;
  readonly graceMs: number;
  readonly traceEndpoint: string | null;
  readonly traceService: string;
}

type Table = { readonly [Name in keyof ServerSettings]: Setting<ServerSettings[Name]> };

/** Every setting. */
export const SERVER_SETTINGS: Table = {
  path: setting('persist_path', 'path', text('DIR', 'a directory'), './data', 'Directory of the database', {
    variables: ['PERSIST_DIRECTORY'],
  }),
  host: setting(
    'listen_address',
    'host',
    text('ADDRESS', 'an address'),
    DEFAULT_HOST,
    'Address to listen on',
    { variables: ['CHROMA_HOST'] },
  ),
  port: setting('port', 'port', integer(0, 65_535), DEFAULT_PORT, 'Port to listen on; 0 takes a free one', {
    variables: ['CHROMA_SERVER_HTTP_PORT'],
  }),
  insecure: setting('insecure', 'insecure', flag, false, 'Lets everybody in on addresses that others reach'),
  keysFile: setting(
    'auth.keys_file',
    'keys-file',
    file,
    null,
    'Who may come in; `tessera key create` writes its lines',
  ),
  htpasswdFile: setting(
    'auth.htpasswd_file',
    'htpasswd-file',
    file,
    null,
    'Users who may do everything, as `htpasswd -B` writes them',
  ),
  allowReset: setting(
    'allow_reset',
    'allow-reset',
    flag,
    false,
    'Lets clients delete everything with reset()',
    {
      variables: ['ALLOW_RESET'],
    },
  ),
  readOnly: setting('read_only', 'read-only', flag, false, 'Writes nothing, and refuses every write'),
  corsAllowOrigins: setting(
    'cors_allow_origins',
    'cors-allow-origins',
    list,
    [],
    'Origins whose web pages may ask; * for all',
    {
      variables: ['CHROMA_SERVER_CORS_ALLOW_ORIGINS'],
      fallbackText: 'none',
    },
  ),
  logLevel: setting(
    'log_level',
    'log',
    oneOf('quiet', 'info', 'debug'),
    'quiet',
    'quiet: faults and refused credentials; info: failed requests too; debug: every request',
  ),
  memory: setting(
    'memory',
    'memory',
    perhaps(memory),
    DEFAULT_SETTINGS.memory,
    'Memory that the process may take',
    {
      fallbackText: "half of the machine's",
    },
  ),
  threads: setting(
    'threads',
    'threads',
    integer(0, LIMITS.threadsMax),
    DEFAULT_SETTINGS.threads,
    'Worker threads',
  ),
  durability: setting(
    'durability',
    'durability',
    oneOf('full', 'relaxed'),
    DEFAULT_SETTINGS.durability,
    'full: acknowledged means on the disk; relaxed: handed to the system',
  ),
  bodyBytesMax: setting(
    'max_payload_size_bytes',
    'max-payload-size-bytes',
    integer(1),
    bodyBytesMax,
    'Bytes of one request body',
  ),
  bodiesBytesMax: setting(
    'limits.bodies_bytes_max',
    'bodies-bytes-max',
    integer(1),
    bodiesBytesMax,
    'Bytes of all bodies under way',
  ),
  requestsMax: setting('limits.requests_max', 'requests-max', integer(1), requestsMax, 'Requests under way'),
  batchSizeMax: setting(
    'limits.batch_size_max',
    'batch-size-max',
    integerOrNone(1),
    null,
    'Records of one write',
  ),
  resultsMax: setting('limits.results_max', 'results-max', integer(1), resultsMax, 'Records of one answer'),
  answerBytesMax: setting(
    'limits.answer_bytes_max',
    'answer-bytes-max',
    integer(1),
    answerBytesMax,
    'Bytes of one answer',
  ),
  callMs: setting('limits.call_ms', 'call-ms', integer(0), callMs, 'Time of one call; 0 for any'),
  headersMs: setting(
    'limits.headers_ms',
    'headers-ms',
    integer(1),
    headersMs,
    'Time for the headers of a request',
  ),
  requestMs: setting('limits.request_ms', 'request-ms', integer(1), requestMs, 'Time for a whole request'),
  stallMs: setting(
    'limits.stall_ms',
    'stall-ms',
    integer(1),
    stallMs,
    'Time until who does not read an answer is cut off',
  ),
  connectionsMax: setting(
    'limits.connections_max',
    'connections-max',
    integer(1),
    connectionsMax,
    'Connections at once',
  ),
  graceMs: setting(
    'limits.grace_ms',
    'grace-ms',
    integer(0),
    GRACE_MS,
    'Time for running requests at the end',
  ),
  traceEndpoint: setting(
    'open_telemetry.endpoint',
    'otel-endpoint',
    perhaps(text('URL', 'a URL')),
    null,
    'Where traces are sent, by OTLP over HTTP',
    { variables: ['OTEL_EXPORTER_OTLP_ENDPOINT'] },
  ),
  traceService: setting(
    'open_telemetry.service_name',
    'otel-service-name',
    text('NAME', 'a name'),
    'tessera',
    'What traces call this server',
    { variables: ['OTEL_SERVICE_NAME'] },
  ),
};

/**
 * Settings of Chroma's that mean nothing here, with all that is below them: one file a collection, no log
 * that has to be purged, no migrations, no cache of graphs.
 */
export const IGNORED_KEYS: readonly string[] = [
  'sqlite_filename',
  'sqlitedb',
  'segment_manager',
  'sysdb',
  'circuit_breaker',
  'scorecard',
  'scorecard_enabled',
  'default_knn_index',
  'enable_schema',
  'enable_transactions',
  'open_telemetry.filters',
];
