/** The program of a thread that embeds: the model behind a message port. */
import { parentPort, workerData } from 'node:worker_threads';
import { assert, DatabaseError, finish } from '../../base/index.ts';
import { OnnxEmbedder } from './onnx/onnx-embedder.ts';
import { Session } from './session.ts';
import type { ThreadAnswer, ThreadPlace } from './thread.ts';

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

/** Opens the model; returns what embeds. */
async function open(place: ThreadPlace): Promise<(texts: readonly string[]) => Promise<Float32Array>> {
  if (place.runtime === 'onnx') {
    const embedder = await OnnxEmbedder.open(place.folder);
    return (texts) => embedder.embed(texts);
  }
  const session = finish(Session.open(place));
  return async (texts) => finish(session.embed(texts));
}

try {
  const embed = await open(workerData as ThreadPlace);
  port.on('message', (texts: readonly string[]) => {
    embed(texts).then(
      (embeddings) => answer({ kind: 'embeddings', embeddings }, [embeddings.buffer as ArrayBuffer]),
      refuse,
    );
  });
  answer({ kind: 'ready' });
} catch (error) {
  refuse(error);
}
