/**
 * The trace that a request belongs to, as the W3C's Trace Context hands it on:
 *
 *   traceparent: 00-TRACE(32 hex)-PARENT(16 hex)-FLAGS(2 hex)
 *
 * Neither identifier is all zeros. A header that is not of this form is no trace.
 */

import { randomBytes } from 'node:crypto';

/** Where a request stands in a trace. */
export interface TraceContext {
  readonly traceId: string;
  /** The caller's span; `null` where the trace begins here. */
  readonly parentId: string | null;
  readonly isSampled: boolean;
}

const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(?:-.*)?$/;

/** Reads the header; `null` where it names no trace. */
export function parseTraceparent(header: string | null): TraceContext | null {
  const [, traceId, parentId, flags] = TRACEPARENT.exec(header?.trim() ?? '') ?? [];
  if (traceId === undefined) return null;
  return { traceId, parentId: parentId!, isSampled: (Number.parseInt(flags!, 16) & 1) === 1 };
}

/** A trace that begins here. */
export function beginTrace(): TraceContext {
  return { traceId: randomBytes(16).toString('hex'), parentId: null, isSampled: true };
}
