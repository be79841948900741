/**
 * What a process did to the files of a directory, in order and with the bytes, as `strace` saw it; and when
 * it acknowledged what.
 *
 * Only the first thread of the process is watched: everything below the engine is synchronous, so that with
 * `threads: 0` all file operations are made there. Shared memory (`-shm`) does not survive a power cut and
 * is left out.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** One thing that happened. */
export type Event =
  | { readonly kind: 'unlink' | 'mkdir' | 'sync'; readonly path: string }
  /** For writing; makes a file that is not there. */
  | { readonly kind: 'open'; readonly path: string; readonly isEmptied: boolean }
  | { readonly kind: 'write'; readonly path: string; readonly offset: number; readonly data: Buffer }
  /** From one file to another. */
  | {
      readonly kind: 'copy';
      readonly path: string;
      readonly offset: number;
      readonly source: string;
      readonly sourceOffset: number;
      readonly length: number;
    }
  | { readonly kind: 'truncate'; readonly path: string; readonly size: number }
  | { readonly kind: 'rename'; readonly path: string; readonly target: string }
  | { readonly kind: 'say'; readonly text: string };

const CALLS =
  'open,openat,creat,write,pwrite64,writev,pwritev,fsync,fdatasync,ftruncate,truncate,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir,copy_file_range,sendfile,lseek';

/** Put before a command, it records what the command does. */
export function recording(log: string): string[] {
  return ['strace', '-y', '-xx', '-s', '100000000', '-e', `trace=${CALLS}`, '-o', log];
}

/** Why nothing can be recorded here, or `null` if it can. */
export function recorderFault(): string | null {
  const { error, status, stderr } = spawnSync('strace', ['-e', 'trace=none', 'true'], { encoding: 'utf8' });
  if (error !== undefined) return `strace does not run here (${error.message}); install the package strace`;
  return status === 0 ? null : `strace may not watch processes here (${stderr.trim()})`;
}

const unhexed = (hex: string): Buffer => Buffer.from(hex.replaceAll('\\x', ''), 'hex');

/** Parameters of a call: text in quotes, a descriptor with its path, or a bare word. */
const PARAMETER = /"((?:\\x[0-9a-f]{2})*)"|(-?\w+)<((?:\\x[0-9a-f]{2})*)>|([^,\s"<>]+)/g;

interface Parameter {
  readonly word: string;
  readonly bytes: Buffer;
}

function parametersOf(text: string): Parameter[] {
  return [...text.matchAll(PARAMETER)].map(([, quoted, descriptor, path, word]) => ({
    word: descriptor ?? word ?? '',
    bytes: unhexed(quoted ?? path ?? ''),
  }));
}

/** Reads a log; what happens outside of `root` is left out. */
export function eventsOf(log: string, root: string): Event[] {
  const events: Event[] = [];
  /** Where the next `write` of an open file goes. */
  const positions = new Map<string, number>();
  for (const line of readFileSync(log, 'latin1').split('\n')) {
    const [, name, text, result] = /^(\w+)\((.*)\)\s+= (-?\d+)/.exec(line) ?? [];
    if (name === undefined || Number(result) < 0) continue;
    const parameters = parametersOf(text!);
    const paths = pathsOf(name, parameters);
    if (name === 'write' && parameters[0]!.word === '1') {
      events.push({ kind: 'say', text: paths[1]! });
      continue;
    }
    // The directory that names `root` is synced, too.
    const isInside = (path: string): boolean =>
      [root, dirname(root)].includes(path) || path.startsWith(`${root}/`);
    const path = paths.find(isInside);
    if (path === undefined || path.endsWith('-shm')) continue;
    const event = eventOf(name, parameters, Number(result), { path, paths, positions });
    if (event !== null) events.push(event);
  }
  return events;
}

/** The paths among the parameters; a name that is meant within an open directory becomes a whole path. */
function pathsOf(name: string, parameters: readonly Parameter[]): string[] {
  const paths = parameters.map(({ bytes }) => bytes.toString('utf8'));
  const [directory, inside] = paths;
  const isWithin = /^(?:open|unlink|mkdir)at$/.test(name) && inside !== undefined;
  return isWithin ? [resolve(directory!, inside)] : paths;
}

interface Place {
  /** The first of its paths that is watched. */
  readonly path: string;
  readonly paths: readonly string[];
  readonly positions: Map<string, number>;
}

function eventOf(
  name: string,
  parameters: readonly Parameter[],
  result: number,
  { path, paths, positions }: Place,
): Event | null {
  switch (name) {
    case 'open':
    case 'openat': {
      const flags = parameters.map(({ word }) => word).find((word) => /^O_/.test(word)) ?? '';
      if (flags.includes('O_DIRECTORY') || !/O_RDWR|O_WRONLY/.test(flags)) return null;
      positions.set(path, 0);
      return { kind: 'open', path, isEmptied: flags.includes('O_TRUNC') };
    }
    case 'pwrite64': {
      const offset = Number(parameters.at(-1)!.word);
      return { kind: 'write', path, offset, data: parameters[1]!.bytes.subarray(0, result) };
    }
    case 'write': {
      const offset = positions.get(path) ?? 0;
      positions.set(path, offset + result);
      return { kind: 'write', path, offset, data: parameters[1]!.bytes.subarray(0, result) };
    }
    case 'copy_file_range':
    case 'sendfile': {
      // Node copies files from their beginning, piece by piece.
      const [source, target] = name === 'sendfile' ? paths.filter(Boolean).reverse() : paths.filter(Boolean);
      const offset = positions.get(target!) ?? 0;
      positions.set(target!, offset + result);
      const piece = { source: source!, sourceOffset: offset, length: result };
      return { kind: 'copy', path: target!, offset, ...piece };
    }
    case 'lseek':
      positions.set(path, result);
      return null;
    case 'fsync':
    case 'fdatasync':
      return { kind: 'sync', path };
    case 'ftruncate':
      return { kind: 'truncate', path, size: Number(parameters.at(-1)!.word) };
    case 'unlink':
    case 'unlinkat':
    case 'rmdir':
      return { kind: 'unlink', path };
    case 'mkdir':
    case 'mkdirat':
      return { kind: 'mkdir', path };
    case 'rename':
    case 'renameat':
    case 'renameat2': {
      const [, target] = paths.filter((text) => text.startsWith('/'));
      return { kind: 'rename', path, target: target! };
    }
    default:
      throw new Error(`The recorder does not know what ${name} does to ${path}.`);
  }
}
