/** The command `tessera` as a process of the build that `npm test` makes first. */
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const COMMAND = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** A process that was started. */
export interface Run {
  readonly child: ChildProcess;
  readonly exited: Promise<{ code: number | null; out: string; err: string }>;
  /** The URL that the process says it listens on. */
  readonly listening: Promise<string>;
}

/** Starts the command, with options for Node itself; it ends with the test. */
export function run(
  args: readonly string[],
  env: Record<string, string> = {},
  nodeOptions: readonly string[] = [],
): Run {
  const words = [...nodeOptions, COMMAND, ...args];
  return watch(spawn(process.execPath, words, { env: { ...process.env, ...env } }));
}

/** Follows a process that was started. */
export function watch(child: ChildProcessWithoutNullStreams): Run {
  onTestFinished(() => void child.kill('SIGKILL'));
  let out = '';
  let err = '';
  const listening = new Promise<string>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      const url = /Listening at: (\S+)/.exec(out)?.[1];
      if (url !== undefined) resolve(url);
    });
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const exited = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }));
  return { child, exited, listening };
}

/** A directory that goes with the test. */
export async function makeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tessera-command-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
