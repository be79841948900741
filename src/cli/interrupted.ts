/** Commands that are interrupted and go on when they are called again. */
import type { Terminal } from './command.ts';

/** Says how to go on after an interruption; returns the exit status. Throws `error` where it is another. */
export function tellInterrupted(error: unknown, signal: AbortSignal, terminal: Terminal): number {
  if (!signal.aborted) throw error;
  terminal.err('Interrupted. What was embedded and stored is kept: the same command goes on from there.');
  return 1;
}
