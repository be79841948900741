/**
 * Who may come in, from files and the environment, kept up to date while the server runs.
 *
 * Files are looked at every two seconds and at SIGHUP. What they say then counts at once, also for
 * credentials that were verified before. A file that cannot be read, or says something else, changes nothing
 * but the log: neither locking everybody out nor letting anybody in is what a slip of an editor should do.
 *
 * Variables of Chroma's servers of 2023 and 2024 are understood, or refused where they ask for what is not
 * there: whoever set them must not find the server open.
 */
import { DatabaseError } from '../base/index.ts';
import { readTextFile, watchTextFile } from '../io/index.ts';
import {
  Authenticator,
  type GrantLine,
  hashKey,
  type LogEntry,
  parseGrantLines,
  parseHtpasswd,
} from '../server/index.ts';
import type { Terminal } from './command.ts';
import { UsageError } from './options.ts';

const LOOK_EVERY_MS = 2_000;

/** Where grants come from. */
interface Source {
  readonly path: string | null;
  read(): GrantLine[];
}

/** Files of keys and of users; `null` where there is none. */
export interface AccessFiles {
  readonly keysFile: string | null;
  readonly htpasswdFile: string | null;
}

/**
 * Opens the lists, and watches them; `null` where nothing says who may come in. Errors: `UsageError`,
 * `TESSERA_INVALID_ARGUMENT`, those of files.
 */
export function keepAccess(
  files: AccessFiles,
  { env, onHangup }: Terminal,
  log: (entry: LogEntry) => void,
): { readonly access: Authenticator; close(): Promise<void> } | null {
  const sources = sourcesOf(files, env);
  if (sources.length === 0) return null;
  const access = new Authenticator();
  access.replace(readAll(sources));
  const reload = (): void => {
    try {
      const lines = readAll(sources);
      access.replace(lines);
      log({ level: 'info', event: 'keys', count: lines.length });
    } catch (error) {
      if (!(error instanceof DatabaseError) && !(error instanceof UsageError)) throw error;
      log({ level: 'error', event: 'keys', kept: true, message: error.message });
    }
  };
  const paths = sources.flatMap(({ path }) => (path === null ? [] : [path]));
  const stops = paths.map((path) => watchTextFile(path, LOOK_EVERY_MS, reload));
  onHangup?.(reload);
  return {
    access,
    close: () => {
      for (const stop of stops) stop();
      return access.close();
    },
  };
}

function readAll(sources: readonly Source[]): GrantLine[] {
  const lines = sources.flatMap((source) => source.read());
  const names = new Set<string>();
  for (const { grant } of lines) {
    if (names.has(grant.name)) {
      const message = `Two keys or users are called ${grant.name}, in different places. Rename one.`;
      throw new DatabaseError('TESSERA_INVALID_ARGUMENT', message);
    }
    names.add(grant.name);
  }
  if (lines.length === 0) {
    // Also what an editor leaves for a moment that writes a file anew.
    const remedy = 'See tessera key create --help.';
    throw new UsageError(`There is no key and no user, so nobody could come in. ${remedy}`);
  }
  return lines;
}

function sourcesOf({ keysFile, htpasswdFile }: AccessFiles, env: Terminal['env']): Source[] {
  const sources: Source[] = [];
  const inEnvironment = env['TESSERA_KEYS'];
  if (inEnvironment !== undefined && inEnvironment !== '') {
    const text = inEnvironment.replaceAll(';', '\n');
    sources.push({ path: null, read: () => parseGrantLines(text, 'TESSERA_KEYS') });
  }
  if (keysFile !== null) {
    sources.push({ path: keysFile, read: () => parseGrantLines(readTextFile(keysFile), keysFile) });
  }
  if (htpasswdFile !== null) sources.push(htpasswdSource(htpasswdFile));
  return [...sources, ...chromaSources(env)];
}

function htpasswdSource(path: string): Source {
  return { path, read: () => parseHtpasswd(readTextFile(path), path) };
}

/** What `CHROMA_SERVER_AUTHN_*`, and `CHROMA_SERVER_AUTH_*` before it, say. */
function chromaSources(env: Terminal['env']): Source[] {
  const variable = (name: string): string => {
    return env[`CHROMA_SERVER_AUTHN_${name}`] || env[`CHROMA_SERVER_AUTH_${name}`] || '';
  };
  const rules = [
    'CHROMA_SERVER_AUTHZ_PROVIDER',
    'CHROMA_SERVER_AUTHZ_CONFIG',
    'CHROMA_SERVER_AUTHZ_CONFIG_FILE',
  ];
  const rule = rules.find((name) => (env[name] ?? '') !== '');
  if (rule !== undefined) {
    throw new UsageError(
      `${rule} is not understood: say in a key file who may do what, with tenant= and access= (tessera key create --help).`,
    );
  }
  const [provider, credentials, file] = ['PROVIDER', 'CREDENTIALS', 'CREDENTIALS_FILE'].map(variable);
  if (provider === '' && credentials === '' && file === '') return [];
  if (credentials === '' && file === '') {
    throw new UsageError(`CHROMA_SERVER_AUTHN_PROVIDER is set to ${provider}, and no credentials are.`);
  }
  if (/basic/i.test(provider!)) {
    if (file !== '') return [htpasswdSource(file!)];
    return [{ path: null, read: () => parseHtpasswd(credentials!, 'CHROMA_SERVER_AUTHN_CREDENTIALS') }];
  }
  if (credentials === '') {
    const remedy = 'Make keys with tessera key create, and name their file with --keys-file.';
    throw new UsageError(`CHROMA_SERVER_AUTHN_CREDENTIALS_FILE holds tokens in the clear. ${remedy}`);
  }
  const grant = {
    name: 'chroma-token',
    tenant: null,
    databases: null,
    collections: null,
    access: 'write',
  } as const;
  return [{ path: null, read: () => [{ grant, hash: hashKey(credentials!) }] }];
}
