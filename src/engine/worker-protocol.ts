/**
 * What the calling thread and the worker threads say to each other. Everything is plain data that can be
 * cloned.
 */

import type { BackendMethod, CollectionScope, EmbeddingBatch } from '../api/index.ts';
import { AssertionError, DatabaseError, type ErrorData } from '../base/index.ts';
import type { EngineRole } from './components.ts';
import type { EngineSettings } from './settings.ts';

/** What a worker is started with. */
export interface WorkerData {
  readonly settings: EngineSettings;
  readonly role: EngineRole;
  /** Those of the pool's `ReadTraffic`, and which of the readers this is, if it is one. */
  readonly readCounts: Int32Array;
  readonly reader: number | null;
}

/** To the worker: make a call, give one up, or a notice, which has no answer. */
export type WorkerRequest =
  | {
      readonly kind: 'call';
      readonly callId: number;
      readonly method: BackendMethod | 'close';
      readonly arguments: readonly unknown[];
      /** Whether it may be given up. */
      readonly isAbortable: boolean;
    }
  | { readonly kind: 'abort'; readonly callId: number }
  | WorkerNotice;

/**
 * What other threads have done, or want: records of a collection have changed, so many since the database was
 * opened; collections have been deleted;
 * a query would have used a text index.
 */
export type WorkerNotice =
  | { readonly kind: 'changed'; readonly scope: CollectionScope; readonly writtenCount: number }
  | { readonly kind: 'deleted' }
  | { readonly kind: 'textIndexWanted'; readonly scope: CollectionScope };

/** How an error crosses threads: ours as data, a fault of ours by name, message and stack. */
export type WorkerError =
  | { readonly kind: 'database'; readonly data: ErrorData }
  | { readonly kind: 'fault'; readonly message: string; readonly stack: string };

/**
 * From the worker: it is open (or why it is not), what became of a call, what it wants of the writer, or that
 * it has had nothing to do for a while.
 */
export type WorkerResponse =
  | { readonly kind: 'opened' }
  | { readonly kind: 'failed'; readonly error: WorkerError }
  | { readonly kind: 'result'; readonly callId: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly callId: number; readonly error: WorkerError }
  | { readonly kind: 'textIndexWanted'; readonly scope: CollectionScope }
  | { readonly kind: 'idle' };

/**
 * The blocks of embeddings in records that are handed over for good: moved and not copied, which saves both
 * threads the time in which the pages of a copy are made.
 */
export function blocksOf(...records: { readonly embeddings: EmbeddingBatch | null }[]): ArrayBuffer[] {
  return records.flatMap(({ embeddings }) => {
    const buffer = embeddings?.values.buffer;
    return buffer instanceof ArrayBuffer && buffer.byteLength === embeddings!.values.byteLength
      ? [buffer]
      : [];
  });
}

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
