/** The program of a thread that embeds: a `Session` behind a message port. */
import { parentPort, workerData } from 'node:worker_threads';
import { assert, DatabaseError, finish } from '../../base/index.ts';
import { Session, type SessionPlace } from './session.ts';
import type { ThreadAnswer } from './thread.ts';

const port = parentPort;
assert(port !== null, 'The program of an embedding thread was started outside of one.');

function answer(value: ThreadAnswer, moved: readonly ArrayBuffer[] = []): void {
  port!.postMessage(value, moved);
}

/** A `DatabaseError` loses its class on the way; any other error is a fault of ours and goes as it is. */
function refuse(error: unknown): void {
  answer(
    error instanceof DatabaseError ? { kind: 'refused', error: error.toData() } : { kind: 'fault', error },
  );
}

try {
  const session = finish(Session.open(workerData as SessionPlace));
  port.on('message', (texts: readonly string[]) => {
    try {
      const embeddings = finish(session.embed(texts));
      answer({ kind: 'embeddings', embeddings }, [embeddings.buffer as ArrayBuffer]);
    } catch (error) {
      refuse(error);
    }
  });
  answer({ kind: 'ready' });
} catch (error) {
  refuse(error);
}
