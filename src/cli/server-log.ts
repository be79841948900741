/** The log of `tessera run`: JSON, one entry a line, on standard error. */
import { systemClock } from '../base/index.ts';
import type { LogEntry } from '../server/index.ts';

/** What is written: the more the later. */
export type LogLevel = 'quiet' | 'info' | 'debug';

/**
 * Faults of the server and refused credentials are always written: a server that is quiet about the first
 * cannot be mended, and one that is quiet about the others not be defended.
 */
const SHOWN: { readonly [Level in LogLevel]: readonly LogEntry['level'][] } = {
  quiet: ['error', 'warn'],
  info: ['error', 'warn', 'info'],
  debug: ['error', 'warn', 'info', 'debug'],
};

/** Writes the entries that a level shows, with the time. */
export function serverLog(level: LogLevel, write: (line: string) => void): (entry: LogEntry) => void {
  const shown = SHOWN[level];
  return (entry) => {
    if (!shown.includes(entry.level)) return;
    const time = new Date(Number(systemClock.nowNs() / 1_000_000n)).toISOString();
    write(JSON.stringify({ time, ...entry }));
  };
}
