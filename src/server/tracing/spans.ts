/**
 * The spans of a request, and the message that carries them: OTLP's `ExportTraceServiceRequest` in its JSON
 * form, in which identifiers are hexadecimal, times are nanoseconds in strings and kinds are numbers.
 */
import { randomBytes } from 'node:crypto';
import { RELEASE_VERSION } from '../../api/index.ts';
import type { Answered } from '../route-server.ts';

/** A span on its way to a collector. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  /** 1 within the server, 2 a request that it answers. */
  readonly kind: 1 | 2;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  /** 0 not told, 2 an error of the server. */
  readonly status: { readonly code: 0 | 2 };
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue: string } | { readonly intValue: string };
}

const INTERNAL = 1;
const SERVER = 2;

/**
 * The request itself with the reading of its body and the call below it. `nowNs` is the wall clock at
 * `endedMs`.
 */
export function spansOf(answered: Answered, nowNs: bigint): Span[] {
  const { trace, method, route, path, status, beganMs, readMs, endedMs, caller } = answered;
  if (trace === null || !trace.isSampled) return [];
  const at = (ms: number): string => String(nowNs - BigInt(Math.round((endedMs - ms) * 1e6)));
  const spanId = newSpanId();
  const { traceId } = trace;
  const within = (name: string, from: number, to: number): Span => ({
    traceId,
    spanId: newSpanId(),
    parentSpanId: spanId,
    name,
    kind: INTERNAL,
    startTimeUnixNano: at(from),
    endTimeUnixNano: at(to),
    attributes: [],
    status: { code: 0 },
  });
  const request: Span = {
    traceId,
    spanId,
    ...(trace.parentId === null ? {} : { parentSpanId: trace.parentId }),
    name: `${method} ${route.path}`,
    kind: SERVER,
    startTimeUnixNano: at(beganMs),
    endTimeUnixNano: at(endedMs),
    attributes: [
      text('http.request.method', method),
      text('http.route', route.path),
      text('url.path', path),
      { key: 'http.response.status_code', value: { intValue: String(status) } },
      text('tessera.operation', route.operation),
      ...(caller === null ? [] : [text('enduser.id', caller)]),
    ],
    status: { code: status >= 500 ? 2 : 0 },
  };
  if (route.body === null) return [request];
  return [request, within('read body', beganMs, readMs), within(route.operation, readMs, endedMs)];
}

function newSpanId(): string {
  return randomBytes(8).toString('hex');
}

function text(key: string, stringValue: string): Attribute {
  return { key, value: { stringValue } };
}

/** The message for a batch of spans. */
export function spansMessage(service: string, spans: readonly Span[]): object {
  const attributes = [text('service.name', service), text('service.version', RELEASE_VERSION)];
  const scopeSpans = [{ scope: { name: 'tesseradb', version: RELEASE_VERSION }, spans }];
  return { resourceSpans: [{ resource: { attributes }, scopeSpans }] };
}
