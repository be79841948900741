/** What the machine has to offer. */
import { availableParallelism, totalmem } from 'node:os';

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
