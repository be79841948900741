/** Long work on the caller's thread, in slices between which the event loop turns. */
import { throwIfAborted } from '../base/index.ts';

/** How long the loop may stand still: as for the slices of the engine. */
const TURN_MS = 4;

/** Runs `work` to its end. Errors: those of the work, `TESSERA_ABORTED`; either lets the work clean up. */
export async function inSlices<T>(
  work: Generator<void, T>,
  nowMs: () => number,
  signal: AbortSignal | undefined,
): Promise<T> {
  try {
    for (;;) {
      throwIfAborted(signal, 'undone');
      const endMs = nowMs() + TURN_MS;
      do {
        const slice = work.next();
        if (slice.done === true) return slice.value;
      } while (nowMs() < endMs);
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    work.return(undefined as never);
  }
}
