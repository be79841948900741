/** The program of the worker thread: a `LocalBackend` behind a message port. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Settings } from '../api/index.ts';
import { assert } from '../base/index.ts';
import { SYSTEM_COMPONENTS } from './components.ts';
import { LocalBackend } from './local-backend.ts';
import { packError, type WorkerRequest, type WorkerResponse } from './worker-protocol.ts';

const port = parentPort;
assert(port !== null, 'The worker program was started outside a worker thread.');

/** A call under way: how to give it up, and when it was answered. */
interface RunningCall {
  readonly controller: AbortController;
  readonly answered: Promise<void>;
}

const running = new Map<number, RunningCall>();
const respond = (response: WorkerResponse): void => port.postMessage(response);

/** Starts a call; the last argument of every method but `close` is its options. */
function start(backend: LocalBackend, request: WorkerRequest & { kind: 'call' }): void {
  const { callId, method } = request;
  const others = [...running.values()].map(({ answered }) => answered);
  const controller = new AbortController();
  const call = backend[method] as (...parameters: unknown[]) => Promise<unknown>;
  const answered = call
    .apply(backend, [...request.arguments, { signal: controller.signal }])
    // The other side ends this thread when it hears that it is closed: what was called before is answered
    // first.
    .finally(() => (method === 'close' ? Promise.all(others) : undefined))
    .then(
      (value) => respond({ kind: 'result', callId, value }),
      (error: unknown) => respond({ kind: 'error', callId, error: packError(error) }),
    )
    .finally(() => running.delete(callId));
  running.set(callId, { controller, answered });
}

try {
  const backend = new LocalBackend(workerData as Settings, SYSTEM_COMPONENTS);
  port.on('message', (request: WorkerRequest) => {
    if (request.kind === 'abort') running.get(request.callId)?.controller.abort();
    else start(backend, request);
  });
  respond({ kind: 'opened' });
} catch (error) {
  respond({ kind: 'failed', error: packError(error) });
}
