/** The program of the worker thread: a `LocalBackend` behind a message port. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Settings } from '../api/index.ts';
import { assert } from '../base/index.ts';
import { SYSTEM_COMPONENTS } from './components.ts';
import { LocalBackend } from './local-backend.ts';
import { packError, type WorkerRequest, type WorkerResponse } from './worker-protocol.ts';

const port = parentPort;
assert(port !== null, 'The worker program was started outside a worker thread.');

const controllers = new Map<number, AbortController>();
const respond = (response: WorkerResponse): void => port.postMessage(response);

/** Makes a call; the last argument of every method but `close` is its options. */
async function answer(backend: LocalBackend, request: WorkerRequest & { kind: 'call' }): Promise<void> {
  const { callId, method } = request;
  const controller = new AbortController();
  controllers.set(callId, controller);
  try {
    const call = backend[method] as (...parameters: unknown[]) => Promise<unknown>;
    const value = await call.apply(backend, [...request.arguments, { signal: controller.signal }]);
    respond({ kind: 'result', callId, value });
  } catch (error) {
    respond({ kind: 'error', callId, error: packError(error) });
  } finally {
    controllers.delete(callId);
  }
}

try {
  const backend = new LocalBackend(workerData as Settings, SYSTEM_COMPONENTS);
  port.on('message', (request: WorkerRequest) => {
    if (request.kind === 'abort') controllers.get(request.callId)?.abort();
    else void answer(backend, request);
  });
  respond({ kind: 'opened' });
} catch (error) {
  respond({ kind: 'failed', error: packError(error) });
}
