/** The program of a worker thread: a `LocalBackend` behind a message port. */
import { parentPort, workerData } from 'node:worker_threads';
import type { RecordColumns } from '../api/index.ts';
import { assert } from '../base/index.ts';
import { makeThreadNice } from '../io/index.ts';
import { SYSTEM_COMPONENTS } from './components.ts';
import { LocalBackend } from './local-backend.ts';
import { CallWatch, NO_READS, ReadTraffic } from './read-traffic.ts';
import {
  blocksOf,
  packError,
  type WorkerData,
  type WorkerRequest,
  type WorkerResponse,
} from './worker-protocol.ts';

/**
 * Niceness of a thread that only writes: where cores are short, queries and the caller's loop go first. With
 * one core for all, 14,480 rows had to be ranked by a query at 0, 2,220 at 3 and 666 at 5 (docs/adr/0011,
 * 2026-11-29).
 */
const WRITER_NICENESS = 5;

/**
 * After how long without a call a thread that only writes offers to end: it holds 13 MB (docs/adr/0011,
 * 2026-11-30), and a new one takes 50 ms of a core when the next write comes.
 */
const IDLE_MS = 20_000;

const port = parentPort;
assert(port !== null, 'The worker program was started outside a worker thread.');

/** A call under way: how to give it up, and when it was answered. */
interface RunningCall {
  readonly controller: AbortController | undefined;
  readonly answered: Promise<void>;
}

/** In a reader. */
let calls: CallWatch | undefined;
const running = new Map<number, RunningCall>();
const respond = (response: WorkerResponse, moved: readonly ArrayBuffer[] = []): void => {
  port.postMessage(response, moved);
};

/** Starts a call; the last argument of every method but `close` is its options. */
function start(backend: LocalBackend, request: WorkerRequest & { kind: 'call' }): void {
  const { callId, method } = request;
  const others = [...running.values()].map(({ answered }) => answered);
  // In Node 20 a signal stays until the next collection of the whole heap.
  const controller = request.isAbortable ? new AbortController() : undefined;
  const call = backend[method] as (...parameters: unknown[]) => Promise<unknown>;
  const answered = call
    .apply(backend, [...request.arguments, { signal: controller?.signal }])
    // The other side ends this thread when it hears that it is closed: what was called before is answered
    // first.
    .finally(() => (method === 'close' ? Promise.all(others) : undefined))
    .then(
      // What was read for this answer belongs to nobody else.
      (value) =>
        respond({ kind: 'result', callId, value }, method === 'get' ? blocksOf(value as RecordColumns) : []),
      (error: unknown) => respond({ kind: 'error', callId, error: packError(error) }),
    )
    .finally(() => running.delete(callId));
  running.set(callId, { controller, answered });
}

function receive(backend: LocalBackend, request: WorkerRequest): void {
  switch (request.kind) {
    case 'call':
      calls?.noteReceived();
      start(backend, request);
      break;
    case 'abort':
      running.get(request.callId)?.controller?.abort();
      break;
    case 'changed':
      backend.noteChange(request.scope, request.writtenCount);
      break;
    case 'deleted':
      backend.noteDeletions();
      break;
    case 'textIndexWanted':
      backend.noteTextIndexWanted(request.scope);
      break;
  }
}

/** Tells the other side when there was nothing to do for a while. What it returns takes note of work. */
function watchIdleness(backend: LocalBackend): () => void {
  const timer = setTimeout(() => {
    if (running.size === 0 && backend.isAtRest) respond({ kind: 'idle' });
    timer.refresh();
  }, IDLE_MS).unref();
  return () => void timer.refresh();
}

try {
  const { settings, role, readCounts, reader } = workerData as WorkerData;
  const traffic = new ReadTraffic(readCounts);
  if (reader !== null) calls = new CallWatch(traffic, reader);
  if (role.kind === 'writer') makeThreadNice(WRITER_NICENESS);
  const backend = new LocalBackend(settings, {
    ...SYSTEM_COMPONENTS,
    role,
    isCalled: () => calls?.isCalled === true,
    readsElsewhere: () => (reader === null ? traffic.reads : NO_READS),
    notePending: (count) => {
      if (reader !== null) traffic.notePending(reader, count);
    },
    requestTextIndex: (scope) => respond({ kind: 'textIndexWanted', scope }),
  });
  const noteWork = role.kind === 'writer' ? watchIdleness(backend) : () => {};
  port.on('message', (request: WorkerRequest) => {
    noteWork();
    receive(backend, request);
  });
  respond({ kind: 'opened' });
} catch (error) {
  respond({ kind: 'failed', error: packError(error) });
}
