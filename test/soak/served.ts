/** The built server, in a process of its own. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';

const COMMAND = new URL('../../dist/cli.js', import.meta.url).pathname;

/** Starts a server of a directory; it is killed after the test, if it was not stopped. */
export async function startServer(
  path: string,
): Promise<{ url: string; pid: number; stop(): Promise<unknown> }> {
  const child = spawn(process.execPath, [COMMAND, 'run', '--path', path, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const url = await new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /Listening at: (\S+)/.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
  });
  const stop = (): Promise<unknown> => {
    child.kill('SIGTERM');
    return ended;
  };
  return { url, pid: child.pid!, stop };
}
