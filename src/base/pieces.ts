/**
 * Long computations in pieces of a few milliseconds, between which whoever runs them may let other work go
 * first.
 */

/** A computation that pauses after each piece and returns its result with the last. */
export type Pieces<T> = Generator<undefined, T, undefined>;

/** Runs all pieces one after the other. */
export function finish<T>(pieces: Pieces<T>): T {
  let step = pieces.next();
  while (step.done !== true) step = pieces.next();
  return step.value;
}

/** Runs a computation, letting the event loop come round after each piece. */
export async function inTurns<T>(pieces: Pieces<T>): Promise<T> {
  let step = pieces.next();
  while (step.done !== true) {
    await nextTurn();
    step = pieces.next();
  }
  return step.value;
}

/** Browsers have no `setImmediate`, and round a row of timers up to 4 ms each, but no messages. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') return void setImmediate(resolve);
    if (typeof MessageChannel !== 'function') return void setTimeout(resolve);
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener('message', () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(null);
  });
}
