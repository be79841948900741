/** The built server, in a process of its own. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';

const COMMAND = new URL('../../dist/cli.js', import.meta.url).pathname;
const WATCH = new URL('memory-watch.cjs', import.meta.url).pathname;

export interface ServerProcess {
  readonly url: string;
  readonly pid: number;
  /** Bytes that are reachable in all threads, where memory is watched, else 0. */
  reachable(): number;
  stop(): Promise<unknown>;
}

/**
 * Starts a server of a directory; it is killed after the test, if it was not stopped. Where its memory is
 * watched, garbage is collected every ten seconds (see memory-watch.cjs).
 */
export async function startServer(path: string, isWatched = false): Promise<ServerProcess> {
  const options = isWatched ? ['--expose-gc'] : [];
  const env = isWatched ? { ...process.env, NODE_OPTIONS: `--require ${WATCH}` } : process.env;
  const child = spawn(process.execPath, [...options, COMMAND, 'run', '--path', path, '--port', '0'], {
    env,
    stdio: ['ignore', 'pipe', isWatched ? 'pipe' : 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const reachable = new Map<string, number>();
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      const [, thread, bytes] = /^memory (\d+) (\d+)$/.exec(line) ?? [];
      if (thread === undefined) console.error(line);
      else reachable.set(thread, Number(bytes));
    });
  }
  const url = await new Promise<string>((resolve) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const found = /Listening at: (\S+)/.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
  });
  return {
    url,
    pid: child.pid!,
    reachable: () => [...reachable.values()].reduce((sum, bytes) => sum + bytes, 0),
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}
