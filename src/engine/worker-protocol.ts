/**
 * What the calling thread and the worker thread say to each other. Everything is plain data that can be
 * cloned.
 */

import type { BackendMethod } from '../api/index.ts';
import { AssertionError, DatabaseError, type ErrorData } from '../base/index.ts';

/** To the worker: make a call, or give one up. */
export type WorkerRequest =
  | {
      readonly kind: 'call';
      readonly callId: number;
      readonly method: BackendMethod | 'close';
      readonly arguments: readonly unknown[];
    }
  | { readonly kind: 'abort'; readonly callId: number };

/** How an error crosses threads: ours as data, a fault of ours by name, message and stack. */
export type WorkerError =
  | { readonly kind: 'database'; readonly data: ErrorData }
  | { readonly kind: 'fault'; readonly message: string; readonly stack: string };

/** From the worker: it is open (or why it is not), or what became of a call. */
export type WorkerResponse =
  | { readonly kind: 'opened' }
  | { readonly kind: 'failed'; readonly error: WorkerError }
  | { readonly kind: 'result'; readonly callId: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly callId: number; readonly error: WorkerError };

/** Takes an error apart for the journey. */
export function packError(error: unknown): WorkerError {
  if (error instanceof DatabaseError) return { kind: 'database', data: error.toData() };
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { kind: 'fault', message, stack: stack ?? message };
}

/** Puts an error together again; a fault keeps the worker's stack. */
export function unpackError(error: WorkerError): Error {
  if (error.kind === 'database') return DatabaseError.fromData(error.data);
  const fault = new AssertionError(error.message);
  fault.stack = error.stack;
  return fault;
}
