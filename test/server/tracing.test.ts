/** Spans, as a collector that stands in for a real one gets them. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type LogEntry, parseTraceHeaders, TraceExporter } from '../../src/server/index.ts';
import { run } from '../support/command.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { Harness } from './harness.ts';

interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: { key: string; value: { stringValue?: string; intValue?: string } }[];
  readonly status: { code: number };
}

interface Collector {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  readonly services: Set<string>;
  readonly headers: Record<string, string | string[] | undefined>[];
}

async function startCollector(status = 200): Promise<Collector> {
  const collector = { spans: [] as ReceivedSpan[], services: new Set<string>(), headers: [] as never[] };
  const http = createHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      expect([request.method, request.url]).toEqual(['POST', '/v1/traces']);
      collector.headers.push(request.headers as never);
      for (const { resource, scopeSpans } of JSON.parse(Buffer.concat(chunks).toString()).resourceSpans) {
        const service = resource.attributes.find(({ key }: { key: string }) => key === 'service.name');
        collector.services.add(service.value.stringValue);
        for (const { spans } of scopeSpans) collector.spans.push(...spans);
      }
      response.writeHead(status).end('{}');
    });
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(() => void http.close());
  return { ...collector, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` };
}

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const attribute = (span: ReceivedSpan, key: string): string | undefined => {
  const value = span.attributes.find((candidate) => candidate.key === key)?.value;
  return value?.stringValue ?? value?.intValue;
};

test('a request is a span below its caller’s, with the reading of its body and the call below it', async () => {
  const collector = await startCollector();
  const traces = new TraceExporter({
    endpoint: `${collector.url}/`,
    service: 'shop',
    headers: { 'x-key': 'k' },
  });
  const harness = await Harness.open({ traces });
  onTestFinished(() => harness.backend.close());
  const traceparent = `00-${TRACE}-00f067aa0ba902b7-01`;
  const headers = { 'content-type': 'application/json', traceparent };
  await harness.send('POST', '/api/v2/tenants', { name: 'acme' }, headers);
  const own = await harness.send('GET', '/api/v2/tenants/nope');
  const unsampled = traceparent.replace(/01$/, '00');
  await harness.send('GET', '/api/v2/version', undefined, { traceparent: unsampled });
  await traces.close();

  expect([...collector.services]).toEqual(['shop']);
  expect(collector.headers[0]).toMatchObject({ 'x-key': 'k', 'content-type': 'application/json' });
  const [request, body, call, other, ...rest] = collector.spans;
  expect(rest).toEqual([]);
  expect(request).toMatchObject({
    ...{ traceId: TRACE, parentSpanId: '00f067aa0ba902b7', name: 'POST /api/v2/tenants', kind: 2 },
    status: { code: 0 },
  });
  expect(attribute(request!, 'http.response.status_code')).toBe('200');
  expect([body!.name, call!.name]).toEqual(['read body', 'create_tenant']);
  for (const span of [body!, call!]) {
    expect(span).toMatchObject({ traceId: TRACE, parentSpanId: request!.spanId, kind: 1 });
  }
  for (const { startTimeUnixNano: start, endTimeUnixNano: end, spanId } of collector.spans) {
    expect(spanId).toMatch(/^[\da-f]{16}$/);
    expect(BigInt(end)).toBeGreaterThanOrEqual(BigInt(start));
  }
  // A trace that began here is told to the client.
  expect(other!.traceId).toBe(own.headers.get('chroma-trace-id'));
  expect(other!.traceId).toMatch(/^[\da-f]{32}$/);
  expect(other!.parentSpanId).toBe(undefined);
  expect(attribute(other!, 'http.route')).toBe('/api/v2/tenants/:tenant');
});

test('a collector that is gone, or refuses, costs spans and a word in the log, and nothing else', async () => {
  for (const [status, endpoint] of [
    [500, null],
    [0, 'http://127.0.0.1:9'],
  ] as const) {
    const log: LogEntry[] = [];
    const url = endpoint ?? (await startCollector(status)).url;
    const traces = new TraceExporter({ endpoint: url, service: 's', log: (entry) => log.push(entry) });
    const harness = await Harness.open({ traces });
    for (let i = 0; i < 3; i++) expect((await harness.send('GET', '/api/v2/version')).status).toBe(200);
    await traces.close();
    expect(log).toEqual([expect.objectContaining({ event: 'traces', dropped: 3, url: `${url}/v1/traces` })]);
    await harness.backend.close();
  }
});

test('more spans than can be sent are dropped, and not kept', async () => {
  const collector = await startCollector();
  const log: LogEntry[] = [];
  const traces = new TraceExporter({
    endpoint: collector.url,
    service: 's',
    log: (entry) => log.push(entry),
  });
  const harness = await Harness.open({ traces });
  // Without a turn of the event loop between them, the first batch is still on its way.
  await Promise.all(Array.from({ length: 4_000 }, () => harness.send('GET', '/api/v2/version')));
  await traces.close();
  const dropped = log.reduce((sum, entry) => sum + Number(entry['dropped']), 0);
  expect(collector.spans.length + dropped).toBe(4_000);
  await harness.backend.close();
});

test('headers of the variable are read, and an endpoint that is none is refused', () => {
  expect(parseTraceHeaders('api-key=a%20b, x=1,=no,none')).toEqual({ 'api-key': 'a b', x: '1' });
  for (const endpoint of ['collector:4318', 'ftp://x', '']) {
    expect(() => new TraceExporter({ endpoint, service: 's' })).toThrow(/endpoint of traces.*http:\/\//);
  }
});

test('the command sends spans where its configuration says, to the last one', async () => {
  const collector = await startCollector();
  const server = run(['run', '--port', '0', '--path', temporaryDirectory()], {
    CHROMA_OPEN_TELEMETRY__ENDPOINT: collector.url,
    OTEL_SERVICE_NAME: 'chroma-of-old',
  });
  await fetch(`${await server.listening}/api/v2/version`);
  server.child.kill('SIGTERM');
  expect((await server.exited).code).toBe(0);
  expect(collector.spans.map(({ name }) => name)).toEqual(['GET /api/v2/version']);
  expect([...collector.services]).toEqual(['chroma-of-old']);
});
