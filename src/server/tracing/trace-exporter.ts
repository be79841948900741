/**
 * Spans to an OpenTelemetry collector: OTLP over HTTP in JSON, `POST …/v1/traces`.
 *
 * Spans wait in memory until a batch is full or a few seconds have gone by. Where the collector does not take
 * them, or more come than it takes, they are dropped and the log says how many: tracing must not cost the
 * traced anything but time.
 */
import { DatabaseError } from '../../base/index.ts';
import type { LogEntry } from '../log-entry.ts';
import { type Span, spansMessage } from './spans.ts';

/** Where spans go. */
export interface TraceOptions {
  /** Base URL of the collector, `http://localhost:4318`, or its whole address ending in `/v1/traces`. */
  readonly endpoint: string;
  readonly service: string;
  /** Headers of every batch, such as a key. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly log?: (entry: LogEntry) => void;
  /** How long a span waits at most. Default 5,000 ms. */
  readonly delayMs?: number;
}

/** The defaults of OpenTelemetry's batch processor. */
const QUEUE_MAX = 2_048;
const BATCH_MAX = 512;
const DELAY_MS = 5_000;
/** Shorter than theirs, so that the end of a server waits for no collector. */
const SEND_MS = 2_000;

/** See the top of this file. */
export class TraceExporter {
  readonly #url: string;
  readonly #options: TraceOptions;
  #queue: Span[] = [];
  #droppedCount = 0;
  #timer: NodeJS.Timeout | null = null;
  #sending: Promise<void> = Promise.resolve();
  #isSending = false;

  /** Errors: `TESSERA_INVALID_ARGUMENT` for what is no URL. */
  constructor(options: TraceOptions) {
    this.#options = options;
    this.#url = addressOf(options.endpoint);
  }

  /** Takes spans to be sent. */
  take(spans: readonly Span[]): void {
    if (this.#queue.length + spans.length > QUEUE_MAX) {
      this.#droppedCount += spans.length;
      return;
    }
    this.#queue.push(...spans);
    if (this.#queue.length >= BATCH_MAX) this.#send();
    else this.#schedule();
  }

  /** Sends what waits, and ends. */
  async close(): Promise<void> {
    await this.#sending;
    this.#send();
    await this.#sending;
  }

  #schedule(): void {
    if (this.#queue.length === 0) return;
    this.#timer ??= setTimeout(() => this.#send(), this.#options.delayMs ?? DELAY_MS).unref();
  }

  #send(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#isSending || this.#queue.length === 0) return;
    this.#isSending = true;
    const spans = this.#queue;
    this.#queue = [];
    this.#sending = this.#post(spans).then((failure) => {
      this.#isSending = false;
      if (failure !== null) this.#droppedCount += spans.length;
      this.#report(failure);
      this.#schedule();
    });
  }

  async #post(spans: readonly Span[]): Promise<string | null> {
    const { service, headers = {} } = this.#options;
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify(spansMessage(service, spans)),
        signal: AbortSignal.timeout(SEND_MS),
      });
      await response.arrayBuffer();
      return response.ok ? null : `status ${response.status}`;
    } catch (error) {
      const { cause, message } = error as Error & { cause?: { code?: string } };
      return cause?.code ?? message;
    }
  }

  #report(failure: string | null): void {
    if (this.#droppedCount === 0) return;
    const dropped = this.#droppedCount;
    this.#droppedCount = 0;
    const reason = failure ?? 'more spans than the collector takes';
    this.#options.log?.({ level: 'info', event: 'traces', dropped, url: this.#url, reason });
  }
}

function addressOf(endpoint: string): string {
  if (!URL.canParse(endpoint) || !/^https?:/i.test(endpoint)) {
    const message = `Expected the endpoint of traces to be a URL such as http://localhost:4318, got ${endpoint}.`;
    throw new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { endpoint } });
  }
  const url = endpoint.replace(/\/+$/, '');
  return url.endsWith('/v1/traces') ? url : `${url}/v1/traces`;
}

/**
 * Headers as the variable `OTEL_EXPORTER_OTLP_HEADERS` has them: `name=value,name=value`, values
 * percent-encoded. What is not of this form is left out.
 */
export function parseTraceHeaders(text: string): Record<string, string> {
  const pairs = text.split(',').flatMap((pair) => {
    const at = pair.indexOf('=');
    const name = pair.slice(0, Math.max(at, 0)).trim();
    if (name === '') return [];
    const value = pair.slice(at + 1).trim();
    try {
      return [[name, decodeURIComponent(value)] as const];
    } catch {
      return [[name, value] as const];
    }
  });
  return Object.fromEntries(pairs);
}
