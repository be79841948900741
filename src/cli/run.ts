/** `tessera run`: a database on a socket, until a signal comes. */
import { resolve } from 'node:path';
import type { Backend } from '../api/index.ts';
import { DatabaseError, systemClock } from '../base/index.ts';
import { openDatabase } from '../engine/index.ts';
import {
  createServer,
  DEFAULT_HOST,
  DEFAULT_PORT,
  type Listener,
  type LogEntry,
  listen,
} from '../server/index.ts';
import type { Command, Terminal } from './command.ts';
import { type OptionValues, UsageError } from './options.ts';

const LOG_LEVELS = ['quiet', 'info', 'debug'] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

const DEFAULT_PATH = './data';

interface RunSettings {
  readonly path: string;
  readonly host: string;
  readonly port: number;
  readonly allowReset: boolean;
  readonly logLevel: LogLevel;
  readonly isInsecure: boolean;
}

/** The command. */
export const runCommand: Command = {
  name: 'run',
  summary: 'Serves a database over HTTP',
  description:
    "Serves the database in a directory to Chroma's clients and to tesseradb's HttpClient.\n" +
    'There is no authentication: whoever reaches the port can read and delete everything.',
  operands: [],
  options: [
    {
      name: 'path',
      value: 'DIR',
      fallback: DEFAULT_PATH,
      summary: 'Directory of the database, made if missing',
    },
    { name: 'host', value: 'ADDRESS', fallback: DEFAULT_HOST, summary: 'Address to listen on' },
    {
      name: 'port',
      value: 'PORT',
      fallback: String(DEFAULT_PORT),
      summary: 'Port to listen on; 0 takes a free one',
    },
    {
      name: 'allow-reset',
      value: null,
      fallback: 'off, or ALLOW_RESET=true',
      summary: 'Lets clients delete everything with reset()',
    },
    {
      name: 'log',
      value: 'LEVEL',
      fallback: 'quiet',
      summary: 'quiet: faults of the server; info: refused requests too; debug: every request',
    },
    {
      name: 'insecure',
      value: null,
      fallback: 'off',
      summary: 'Listens on addresses that other machines can reach',
    },
    { name: 'help', value: null, fallback: null, summary: 'Shows this text' },
  ],
  run,
};

async function run(values: OptionValues, terminal: Terminal): Promise<number> {
  const settings = readSettings(values, terminal.env);
  const log = logger(settings.logLevel, terminal);
  const backend = await openDatabase({ path: settings.path, allowReset: settings.allowReset });
  const listener = await startListening(backend, settings, log);
  terminal.out(`Saving data to: ${settings.path}`);
  terminal.out(`Listening at: ${listener.url}`);
  log({ level: 'info', event: 'start', url: listener.url, path: settings.path });
  const signal = await terminal.stopped;
  log({ level: 'info', event: 'stop', signal });
  await listener.close();
  await backend.close();
  return 0;
}

async function startListening(
  backend: Backend,
  settings: RunSettings,
  log: (entry: LogEntry) => void,
): Promise<Listener> {
  try {
    return await listen(createServer(backend, { log }), { host: settings.host, port: settings.port });
  } catch (error) {
    await backend.close();
    throw error;
  }
}

function readSettings(values: OptionValues, env: Terminal['env']): RunSettings {
  const port = Number(values['port'] ?? DEFAULT_PORT);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new UsageError(`Expected --port to be a number from 0 to 65535, got ${values['port']}.`);
  }
  const logLevel = LOG_LEVELS.find((level) => level === (values['log'] ?? 'quiet'));
  if (logLevel === undefined) {
    throw new UsageError(`Expected --log to be one of ${LOG_LEVELS.join(', ')}, got ${values['log']}.`);
  }
  const host = String(values['host'] ?? DEFAULT_HOST);
  const isInsecure = values['insecure'] === true;
  if (!isInsecure && !isLoopback(host)) {
    throw new DatabaseError(
      'TESSERA_FORBIDDEN',
      `Refusing to listen on ${host}, which other machines can reach: the server has no authentication, so ` +
        'whoever reaches the port can read and delete everything. Put a proxy that authenticates in front ' +
        `and listen on ${DEFAULT_HOST}, or say --insecure if the network itself is trusted.`,
    );
  }
  return {
    path: resolve(String(values['path'] ?? DEFAULT_PATH)),
    host,
    port,
    allowReset: values['allow-reset'] === true || env['ALLOW_RESET']?.toLowerCase() === 'true',
    logLevel,
    isInsecure,
  };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** Faults of the server are always logged: a server that is quiet about them cannot be mended. */
function logger(level: LogLevel, terminal: Terminal): (entry: LogEntry) => void {
  const rank = { error: 0, warn: 0, info: 1, debug: 2 };
  const bound = LOG_LEVELS.indexOf(level);
  return (entry) => {
    if (rank[entry.level] > bound) return;
    terminal.err(JSON.stringify({ time: timestamp(), ...entry }));
  };
}

function timestamp(): string {
  return new Date(Number(systemClock.nowNs() / 1_000_000n)).toISOString();
}
