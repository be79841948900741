/** `tessera run`: a database on a socket, until a signal comes. */
import { resolve } from 'node:path';
import { DatabaseError } from '../base/index.ts';
import { openDatabase } from '../engine/index.ts';
import {
  type Authenticator,
  createServer,
  DEFAULT_HOST,
  type LogEntry,
  listen,
  parseTraceHeaders,
  TraceExporter,
} from '../server/index.ts';
import { keepAccess } from './access-keeper.ts';
import type { Command, Terminal } from './command.ts';
import type { OptionValues } from './options.ts';
import { serverLog } from './server-log.ts';
import { readSettings, SETTING_OPTIONS } from './settings/read-settings.ts';
import type { ServerSettings } from './settings/server-settings.ts';

/** The command. */
export const runCommand: Command = {
  name: 'run',
  summary: 'Serves a database over HTTP',
  description:
    "Serves the database in a directory to Chroma's clients and to tesseradb's HttpClient.\n" +
    'Without keys, everybody who reaches the port may read and delete everything.\n\n' +
    'Every setting can be given as an option, as a variable, or in a YAML file (CONFIG, --config or\n' +
    'CONFIG_PATH), in this order of precedence. Its name in the file stands last in its line; limits.call_ms\n' +
    'is TESSERA_LIMITS__CALL_MS in the environment. CHROMA_ is as good as TESSERA_.',
  operands: ['[CONFIG]'],
  options: [
    { name: 'config', value: 'FILE', fallback: 'none', summary: 'The YAML file' },
    ...SETTING_OPTIONS,
    { name: 'help', value: null, fallback: null, summary: 'Shows this text' },
  ],
  run,
};

async function run(values: OptionValues, terminal: Terminal): Promise<number> {
  const { settings, notices } = await readSettings(values, terminal.env);
  const log = serverLog(settings.logLevel, terminal.err);
  for (const message of notices) log({ level: 'warn', event: 'setting', message });
  const kept = keepAccess(settings, terminal, log);
  const traces = openTraces(settings, terminal.env, log);
  try {
    if (kept === null) checkReach(settings);
    await serve(settings, { access: kept?.access, traces }, terminal, log);
  } finally {
    await traces?.close();
    await kept?.close();
  }
  return 0;
}

function openTraces(
  { traceEndpoint: endpoint, traceService: service }: ServerSettings,
  env: Terminal['env'],
  log: (entry: LogEntry) => void,
): TraceExporter | undefined {
  if (endpoint === null) return undefined;
  if (/:4317\/*$/.test(endpoint)) {
    const message = `${endpoint} has the port of gRPC. Spans are sent by HTTP, to which collectors listen at 4318.`;
    log({ level: 'warn', event: 'setting', message });
  }
  const headers = parseTraceHeaders(env['OTEL_EXPORTER_OTLP_HEADERS'] ?? '');
  return new TraceExporter({ endpoint, service, headers, log });
}

async function serve(
  settings: ServerSettings,
  { access, traces }: { access: Authenticator | undefined; traces: TraceExporter | undefined },
  terminal: Terminal,
  log: (entry: LogEntry) => void,
): Promise<void> {
  const path = resolve(settings.path);
  const { allowReset, readOnly, memory, threads, durability, corsAllowOrigins } = settings;
  const backend = await openDatabase({ path, allowReset, readOnly, memory, threads, durability });
  try {
    const server = createServer(backend, {
      log,
      limits: settings,
      corsAllowOrigins,
      ...(access === undefined ? {} : { access }),
      ...(traces === undefined ? {} : { traces }),
    });
    const listener = await listen(server, settings);
    terminal.out(`Saving data to: ${path}`);
    terminal.out(`Listening at: ${listener.url}`);
    log({ level: 'info', event: 'start', url: listener.url, path });
    const signal = await terminal.stopped;
    log({ level: 'info', event: 'stop', signal });
    await listener.close(settings.graceMs);
  } finally {
    await backend.close();
  }
}

/** Without keys, only this machine may reach the server, unless that is what somebody wants. */
function checkReach({ host, insecure }: ServerSettings): void {
  if (insecure || isLoopback(host)) return;
  throw new DatabaseError(
    'TESSERA_FORBIDDEN',
    `Refusing to listen on ${host}, which other machines can reach: the server has no authentication, so ` +
      'whoever reaches the port can read and delete everything. Make a key with `tessera key create` and name ' +
      `its file with --keys-file, or listen on ${DEFAULT_HOST} behind a proxy that authenticates, or say ` +
      '--insecure if the network itself is trusted.',
  );
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}
