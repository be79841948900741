/**
 * The settings of a server from its three sources: the command line before the environment before the file
 * before the defaults.
 *
 * A key of the file that nobody knows is a mistake, and so is a value of the wrong kind anywhere; Chroma's
 * own keys without a meaning here are taken with a notice. Variables are not ours alone (an orchestrator sets
 * `TESSERA_PORT=tcp://…` for a service of that name), so one that nobody knows is a notice, if it looks as if
 * somebody had meant another.
 */
import { nearestOf, show } from '../../base/index.ts';
import { readTextFile } from '../../io/index.ts';
import type { Terminal } from '../command.ts';
import { type OptionSpec, type OptionValues, UsageError } from '../options.ts';
import { IGNORED_KEYS, SERVER_SETTINGS, type ServerSettings, type Setting } from './server-settings.ts';

const SETTINGS: readonly (readonly [string, Setting<unknown>])[] = Object.entries(SERVER_SETTINGS);
const KEYS = SETTINGS.map(([, { key }]) => key);

/** Where the file may be named beside the command line; Chroma's image has the first. */
const FILE_VARIABLES = ['CONFIG_PATH', 'TESSERA_CONFIG'];
/** Variables of ours and of Chroma's that other parts read. */
const OTHER_VARIABLES =
  /^(?:TESSERA_(?:CONFIG|KEYS|BENCH_.*)|CHROMA_(?:SERVER_AUTH.*|AUTH_.*|CLIENT_.*|API_KEY|.*_API_KEY))$/;

/** The settings, and what there is to say about how they were given. */
export interface ReadSettings {
  readonly settings: ServerSettings;
  readonly notices: readonly string[];
}

/** The options of the command line that stand for settings. */
export const SETTING_OPTIONS: readonly OptionSpec[] = SETTINGS.map(
  ([, { key, option, kind, fallback, fallbackText, summary }]) => ({
    name: option,
    value: kind.placeholder,
    fallback: `${fallbackText ?? showDefault(fallback)}; ${key}`,
    summary,
  }),
);

function showDefault(value: unknown): string {
  if (value === null) return 'none';
  return value === false ? 'off' : String(value);
}

/** Reads all three sources. Errors: `UsageError` naming the source, the value and what was expected. */
export async function readSettings(values: OptionValues, env: Terminal['env']): Promise<ReadSettings> {
  const notices: string[] = [];
  const variable = FILE_VARIABLES.map((name) => env[name]).find((path) => path !== undefined && path !== '');
  const path = values['config'] ?? values['CONFIG'] ?? variable;
  const fromFile = path === undefined ? new Map() : await readFile(String(path), notices);
  const settings: { [name: string]: unknown } = {};
  for (const [name, setting] of SETTINGS) {
    const given = [
      readOption(setting, values),
      readVariable(setting, env, notices),
      fromFile.has(setting.key)
        ? checked(setting, fromFile.get(setting.key), `${setting.key} in ${String(path)}`)
        : undefined,
    ];
    // `null` is a value: it says "none" where a later source says something.
    settings[name] = [...given, setting.fallback].find((value) => value !== undefined);
  }
  noticeUnknownVariables(env, notices);
  return { settings: settings as unknown as ServerSettings, notices };
}

function checked<T>({ kind }: Setting<T>, value: unknown, where: string): T {
  const read = kind.read(value);
  if (read !== undefined) return read;
  const shown = typeof value === 'string' ? value : show(value);
  throw new UsageError(`Expected ${where} to be ${kind.expected}, got ${shown}.`);
}

function readOption<T>(setting: Setting<T>, values: OptionValues): T | undefined {
  const value = values[setting.option];
  return value === undefined ? undefined : checked(setting, value, `--${setting.option}`);
}

/** Names of variables that stand for a setting; the first that is set counts. */
function variablesOf({ key, variables = [] }: Setting<unknown>): string[] {
  const name = key.toUpperCase().replaceAll('.', '__');
  return [`TESSERA_${name}`, `CHROMA_${name}`, ...variables];
}

function readVariable<T>(setting: Setting<T>, env: Terminal['env'], notices: string[]): T | undefined {
  for (const name of variablesOf(setting as Setting<unknown>)) {
    const value = env[name];
    if (value === undefined || value === '') continue;
    if (setting.key === 'port' && value.startsWith('tcp://')) {
      notices.push(`${name} is the address of a service and no port; it is left aside.`);
      continue;
    }
    return checked(setting, value, name);
  }
  return undefined;
}

function noticeUnknownVariables(env: Terminal['env'], notices: string[]): void {
  const known = SETTINGS.flatMap(([, setting]) => variablesOf(setting));
  const ignored = IGNORED_KEYS.map((key) => `CHROMA_${key.toUpperCase().replaceAll('.', '__')}`);
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !/^(?:CHROMA|TESSERA)_/.test(name)) continue;
    if (known.includes(name) || OTHER_VARIABLES.test(name)) continue;
    if (ignored.some((prefix) => name === prefix || name.startsWith(`${prefix}__`))) {
      notices.push(`${name} has no meaning here.`);
      continue;
    }
    const nearest = nearestOf(name, known);
    if (nearest !== null) notices.push(`${name} is no setting. Did you mean ${nearest}?`);
  }
}

async function readFile(path: string, notices: string[]): Promise<Map<string, unknown>> {
  // Loaded when a file is named, since most servers have none.
  const { parseDocument } = await import('yaml');
  let root: unknown;
  try {
    const document = parseDocument(readTextFile(path));
    // A warning is told of tags and the like, which mean nothing in a file of settings.
    const [flaw] = [...document.errors, ...document.warnings];
    if (flaw !== undefined) throw flaw;
    root = document.toJS();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`Cannot read the configuration ${path}: ${reason}`, { cause });
  }
  const found = new Map<string, unknown>();
  if (root === null || root === undefined) return found;
  if (typeof root !== 'object' || Array.isArray(root)) {
    throw new UsageError(`Expected ${path} to hold settings by their names, got ${show(root)}.`);
  }
  flatten(root, '', path, found, notices);
  return found;
}

function flatten(
  node: object,
  prefix: string,
  path: string,
  found: Map<string, unknown>,
  notices: string[],
): void {
  for (const [name, value] of Object.entries(node)) {
    const key = prefix + name;
    const isGroup = KEYS.some((known) => known.startsWith(`${key}.`));
    if (KEYS.includes(key)) found.set(key, value);
    else if (IGNORED_KEYS.includes(key)) notices.push(`${key} in ${path} has no meaning here.`);
    else if (isGroup && value === null) continue;
    else if (isGroup && typeof value === 'object' && !Array.isArray(value)) {
      flatten(value as object, `${key}.`, path, found, notices);
    } else throw unknownKey(key, isGroup, path);
  }
}

function unknownKey(key: string, isGroup: boolean, path: string): UsageError {
  if (isGroup) return new UsageError(`Expected ${key} in ${path} to hold settings by their names.`);
  const nearest = nearestOf(key, [...KEYS, ...IGNORED_KEYS]);
  const hint = nearest === null ? 'tessera run --help lists all.' : `Did you mean ${nearest}?`;
  return new UsageError(`Unknown setting ${key} in ${path}. ${hint}`);
}
