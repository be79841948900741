#!/usr/bin/env node
/** Entry of the command `tessera`: connects the command line to the process. */
import { main } from './cli/index.ts';

const stopped = new Promise<string>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal));
});

process.exitCode = await main(process.argv.slice(2), {
  env: process.env,
  out: (text) => process.stdout.write(`${text}\n`),
  err: (text) => process.stderr.write(`${text}\n`),
  ...(process.stderr.isTTY ? { status: (line: string) => process.stderr.write(`\r\x1b[K${line}`) } : {}),
  stopped,
  onHangup: (listener) => process.on('SIGHUP', listener),
});
