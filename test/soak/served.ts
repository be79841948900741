/** The built server, in a process of its own. */
import { createInterface } from 'node:readline';
import { run } from '../support/command.ts';

const WATCH = new URL('memory-watch.cjs', import.meta.url).pathname;

export interface ServerProcess {
  readonly url: string;
  readonly pid: number;
  /** Bytes that are reachable in all threads, where memory is watched, else 0; and of those, of objects. */
  reachable(): { readonly all: number; readonly objects: number };
  stop(): Promise<unknown>;
}

/**
 * Starts a server of a directory; it is killed after the test, if it was not stopped. Where its memory is
 * watched, garbage is collected every ten seconds (see memory-watch.cjs).
 */
export async function startServer(path: string, isWatched = false): Promise<ServerProcess> {
  const args = ['run', '--path', path, '--port', '0'];
  const { child, exited, listening } = isWatched
    ? run(args, { NODE_OPTIONS: `--require ${WATCH}` }, ['--expose-gc'])
    : run(args);
  const reachable = new Map<string, { readonly objects: number; readonly others: number }>();
  createInterface({ input: child.stderr! }).on('line', (line) => {
    const [, thread, objects, others] = /^memory (\d+) (\d+) (\d+)$/.exec(line) ?? [];
    if (thread === undefined) console.error(line);
    else reachable.set(thread, { objects: Number(objects), others: Number(others) });
  });
  const url = await listening;
  return {
    url,
    pid: child.pid!,
    reachable: () => {
      let [all, ofObjects] = [0, 0];
      for (const { objects, others } of reachable.values()) {
        all += objects + others;
        ofObjects += objects;
      }
      return { all, objects: ofObjects };
    },
    stop: () => {
      child.kill('SIGTERM');
      return exited;
    },
  };
}
