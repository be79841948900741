/** What the machine has to offer. */
import { availableParallelism, getPriority, setPriority, totalmem } from 'node:os';
import { isMainThread } from 'node:worker_threads';

/** The least share of a core that Linux lets a thread ask for. */
const NICENESS_MAX = 19;

/** Bytes of memory that this process may use: the machine's, or less where a container limits it. */
export function machineMemoryBytes(): number {
  const total = totalmem();
  // 0, or more than there is, where nothing limits the process.
  const constrained = process.constrainedMemory?.() ?? 0;
  return constrained > 0 ? Math.min(total, constrained) : total;
}

/** Threads that the machine runs at a time, or fewer where the process may not use all of it. */
export function machineThreads(): number {
  return availableParallelism();
}

/**
 * Lets the other threads of this process, and other processes, go first where there is more work than cores.
 *
 * `niceness` is added to the calling thread's own; the sum is 19 at most. For a thread of our own alone, not
 * the main one: it cannot be taken back. Linux counts niceness by thread; elsewhere it would meet the whole
 * process, and nothing is done; nor where the system refuses.
 */
export function makeThreadNice(niceness: number): void {
  if (process.platform !== 'linux' || isMainThread) return;
  // 0 is the calling thread.
  try {
    setPriority(0, Math.min(NICENESS_MAX, getPriority(0) + niceness));
  } catch {
    // A sandbox may forbid the call. Nothing but speed depends on it.
  }
}
