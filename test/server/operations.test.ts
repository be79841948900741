/** What the server tells those who run it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Backend } from '../../src/api/index.ts';
import { Authenticator, hashKey, parseGrantLines } from '../../src/server/index.ts';
import { DATABASE, Harness } from './harness.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(() => harness.backend.close());

/** The samples of a text for Prometheus; every line must be of its grammar. */
function readSamples(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const families = new Set<string>();
  for (const line of text.trimEnd().split('\n')) {
    const comment = /^# (?:HELP (\w+) \S.*|TYPE (\w+) (?:counter|gauge|histogram))$/.exec(line);
    if (comment !== null) {
      families.add((comment[1] ?? comment[2])!);
      continue;
    }
    const sample = /^(\w+)(\{(?:\w+="(?:[^"\\\n]|\\[\\n"])*",?)+\})? (-?[\d.e+-]+|NaN|[+-]Inf)$/.exec(line);
    expect(sample, line).not.toBe(null);
    expect(families, line).toContain(sample![1]!.replace(/_(?:bucket|sum|count)$/, ''));
    samples.set(`${sample![1]}${sample![2] ?? ''}`, Number(sample![3]));
  }
  return samples;
}

const readMetrics = async (): Promise<Map<string, number>> => {
  const reply = await fetchText('/metrics');
  return readSamples(reply);
};

async function fetchText(path: string): Promise<string> {
  const response = await harness.server.fetch(new Request(`http://server${path}`));
  expect([path, response.status]).toEqual([path, 200]);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
  return response.text();
}

test('requests are counted by route, method and status, and never by what a client made up', async () => {
  const collection = await harness.createCollection('counted');
  await harness.send('POST', `${collection}/add`, { ids: ['a', 'b'], embeddings: [[1], [2]] });
  await harness.send('POST', `${collection}/query`, { query_embeddings: [[1]] });
  await harness.send('POST', `${collection}/query`, { query_embeddings: [[1]] });
  await harness.send('POST', `${collection}/query`, { query_embeddings: [[1, 2]] });
  await harness.send('GET', '/made/up/by"somebody');
  const samples = await readMetrics();
  const route = '/api/v2/tenants/:tenant/databases/:database/collections/:collection_id/query';
  const labels = `method="POST",route="${route}"`;
  expect(samples.get(`tessera_http_requests_total{${labels},status="200"}`)).toBe(2);
  expect(samples.get(`tessera_http_requests_total{${labels},status="400"}`)).toBe(1);
  expect(samples.get(`tessera_http_request_seconds_count{${labels}}`)).toBe(3);
  expect(samples.get(`tessera_http_request_seconds_bucket{${labels},le="+Inf"}`)).toBe(3);
  expect([...samples.keys()].join('\n')).not.toContain('somebody');
  expect(samples.get('tessera_http_requests_under_way')).toBe(1);
  expect(samples.get('process_resident_memory_bytes')).toBeGreaterThan(1e6);
});

test('collections that were asked for have their figures, until they are deleted', async () => {
  const collection = await harness.createCollection(
    'with "figures"'.replaceAll(/[" ]/g, '-').replace(/-$/, 'x'),
  );
  const records = { ids: ['a', 'b', 'c'], embeddings: [[1], [2], [3]] };
  await harness.send('POST', `${collection}/add`, records);
  const labels = '{tenant="default_tenant",database="default_database",collection="with--figuresx"}';
  const samples = await readMetrics();
  expect(samples.get(`tessera_collection_records${labels}`)).toBe(3);
  expect(samples.get(`tessera_collection_recall_asked${labels}`)).toBe(0.99);
  for (const name of ['vector_index_lag', 'text_index_lag', 'file_bytes', 'vector_index_bytes']) {
    expect(samples.get(`tessera_collection_${name}${labels}`), name).toBeGreaterThanOrEqual(0);
  }
  expect(samples.get('tessera_memory_budget_bytes')).toBeGreaterThan(0);
  await harness.send('DELETE', `${DATABASE}/collections/with--figuresx`);
  expect((await readMetrics()).has(`tessera_collection_records${labels}`)).toBe(false);
});

test('life and readiness are two things', async () => {
  expect(await fetchText('/livez')).toBe('ok\n');
  expect(await fetchText('/readyz')).toBe('ready\n');
  const failing = new Proxy({} as Backend, { get: () => () => Promise.reject(new Error('no')) });
  const sick = new Harness(failing);
  const statuses = await Promise.all(
    ['/livez', '/readyz'].map(async (path) => {
      const request = new Request(`http://server${path}`);
      return (await sick.server.fetch(request)).status;
    }),
  );
  expect(statuses).toEqual([200, 503]);
});

test('figures of the whole server are for keys that reach the whole server', async () => {
  const access = new Authenticator();
  const key = (name: string, scope: string): string => `${name} ${hashKey(name)} ${scope}`;
  const lines = [
    key('prometheus', 'tenant=* access=metrics'),
    key('root', 'tenant=* access=read'),
    key('acme', 'tenant=acme access=write'),
  ];
  access.replace(parseGrantLines(lines.join('\n'), 'keys'));
  const guarded = new Harness(harness.backend, { access });
  const ask = async (name: string | null, path: string): Promise<number> => {
    const headers: Record<string, string> = name === null ? {} : { authorization: `Bearer ${name}` };
    const response = await guarded.server.fetch(new Request(`http://server${path}`, { headers }));
    return response.status;
  };
  expect(await ask(null, '/metrics')).toBe(401);
  expect(await ask('acme', '/metrics')).toBe(403);
  expect(await ask('prometheus', '/metrics')).toBe(200);
  expect(await ask('root', '/metrics')).toBe(200);
  expect(await ask('prometheus', '/api/v2/tenants/default_tenant')).toBe(403);
  expect([await ask(null, '/livez'), await ask(null, '/readyz')]).toEqual([200, 200]);
});

test('a request has an id: its own where it brings a good one, else one that the log has too', async () => {
  const given = await harness.send('GET', '/api/v2/version', undefined, { 'x-request-id': 'mine-1' });
  expect(given.headers.get('x-request-id')).toBe('mine-1');
  expect(harness.log.at(-1)).toMatchObject({ request: 'mine-1' });
  for (const bad of ['a b', 'x'.repeat(200), '"']) {
    const reply = await harness.send('GET', '/api/v2/version', undefined, { 'x-request-id': bad });
    expect(reply.headers.get('x-request-id')).toMatch(/^[\da-f]{8}-\w+$/);
    expect(harness.log.at(-1)).toMatchObject({ request: reply.headers.get('x-request-id') });
  }
});

test('a request that belongs to a trace is answered with it', async () => {
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  const ask = async (traceparent: string): Promise<string | null> =>
    (await harness.send('GET', '/api/v2/version', undefined, { traceparent })).headers.get('chroma-trace-id');
  expect(await ask(`00-${trace}-00f067aa0ba902b7-01`)).toBe(trace);
  for (const bad of [
    '',
    trace,
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `ff-${trace}-00f067aa0ba902b7-01`,
  ]) {
    expect(await ask(bad)).toBe('0'.repeat(32));
  }
});

test('a page shows every route of the API, and runs and fetches nothing', async () => {
  const moved = await harness.server.fetch(new Request('http://server/docs'));
  expect([moved.status, moved.headers.get('location')]).toEqual([303, '/docs/']);
  const response = await harness.server.fetch(new Request('http://server/docs/'));
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
  const page = await response.text();
  const { json } = await harness.send('GET', '/openapi.json');
  const paths = Object.keys((json as { paths: object }).paths);
  expect(paths.length).toBeGreaterThan(20);
  expect(paths.filter((path) => !page.includes(path))).toEqual([]);
  expect(page).not.toMatch(/<script|<img|<link|src=|https?:/);
});
