/**
 * The API v2 against its reference and against Chroma's OpenAPI document: every operation is there, answers
 * every status that either names, with bodies that fit the document's schemas.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Backend } from '../../src/api/index.ts';
import { AssertionError, DatabaseError } from '../../src/base/index.ts';
import { C, CASES } from './contract/cases.ts';
import { CHROMA_OPERATIONS, findMismatch } from './contract/openapi.ts';
import {
  coverageTable,
  DETACHED_OPERATIONS,
  expectedStatuses,
  OWN_OPERATIONS,
  REFERENCE,
  staleExceptions,
} from './contract/reference.ts';
import { Harness, leastBody, type Reply } from './harness.ts';

interface OwnOperation {
  readonly method: string;
  readonly path: string;
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: {
    readonly content: { readonly 'application/json': { readonly schema: { readonly required?: string[] } } };
  };
  readonly responses: Record<string, unknown>;
}

const ERROR = { $ref: '#/components/schemas/ErrorResponse' };

let harness: Harness;
let operations: OwnOperation[];
/** What was answered, as `operation status`. */
const seen = new Set<string>();

beforeAll(async () => {
  harness = await Harness.open({ limits: { bodyBytesMax: 1_000_000 } });
  const { json } = await harness.send('GET', '/openapi.json');
  const { paths } = json as { paths: Record<string, Record<string, Omit<OwnOperation, 'method' | 'path'>>> };
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, rest]) => ({ method: method.toUpperCase(), path, ...rest })),
  );
});

afterAll(() => harness.backend.close());

/** The path without the names of its parameters, which differ. */
function anonymous(path: string): string {
  return path.replace(/\{\w+\}/g, '{}');
}

function operationOf(method: string, path: string): string {
  const segments = path.split('?')[0]!.split('/');
  const matches = operations.filter(({ method: other, path: template }) => {
    const parts = template.split('/');
    return (
      other === method &&
      parts.length === segments.length &&
      parts.every((part, i) => part.startsWith('{') || part === segments[i])
    );
  });
  const literal = (path: string): number => path.split('/').filter((part) => !part.startsWith('{')).length;
  matches.sort((a, b) => literal(b.path) - literal(a.path));
  return matches[0]?.operationId ?? 'none';
}

/** Notes an answer, and compares it with the document. */
function note(operation: string, { status, json }: Reply): void {
  seen.add(`${operation} ${status}`);
  const documented = CHROMA_OPERATIONS.find((entry) => entry.operation === operation);
  const schema = status >= 400 ? ERROR : documented?.responses[status];
  // The document gives databases the schema of collections; health is two members, also when it fails.
  if (operation === 'list_databases' || operation === 'healthcheck') return;
  if (schema) expect([operation, status, findMismatch(schema, json)]).toEqual([operation, status, null]);
}

function bodyOf({ operationId, requestBody }: OwnOperation): Record<string, unknown> | undefined {
  // A delete that names nothing asks nobody.
  if (operationId === 'collection_delete') return { ids: ['a'] };
  return requestBody && leastBody(requestBody.content['application/json'].schema.required);
}

function concretePath(operation: OwnOperation): string {
  return operation.path
    .replace('{tenant}', 'default_tenant')
    .replace('{database}', 'default_database')
    .replace('{collection_id}', '00000000-0000-4000-8000-000000000000')
    .replace('{crn}', 'default_tenant:default_database:none')
    .replace('{name}', 'none');
}

test('every operation of Chroma’s document is there, by its method, path and parameters', () => {
  const own = new Map(operations.map((entry) => [`${entry.method} ${anonymous(entry.path)}`, entry]));
  for (const { method, path, operation, query } of CHROMA_OPERATIONS) {
    const entry = own.get(`${method} ${anonymous(path)}`);
    expect([operation, entry?.operationId]).toEqual([operation, operation]);
    const names = entry!.parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name);
    // Chroma documents a page for queries, and reads none.
    if (operation !== 'collection_query') expect([operation, names]).toEqual([operation, query]);
  }
  const known = new Set([...Object.keys(REFERENCE), ...OWN_OPERATIONS]);
  expect(operations.map(({ operationId }) => operationId).filter((name) => !known.has(name))).toEqual([]);
  expect(staleExceptions()).toEqual([]);
});

test('every operation answers as the reference says', async () => {
  const collection = await harness.createCollection('cases');
  for (const [method, template, body, status, expected] of CASES) {
    const path = template.replace(C, collection).replace('{id}', collection.split('/').at(-1)!);
    const reply = await harness.send(method, path, body);
    const label = `${method} ${template} ${JSON.stringify(body) ?? ''}`;
    expect({ label, status: reply.status, json: reply.json }).toEqual({ label, status, json: expected });
    expect(reply.headers.get('content-type'), label).toBe('application/json');
    expect(reply.headers.get('chroma-trace-id'), label).toBe('0'.repeat(32));
    note(operationOf(method, path), reply);
  }
});

test('a collection waits for its successor while it changes', async () => {
  const collection = await harness.createCollection('awaited');
  const heir = (await harness.createCollection('heir')).split('/').at(-1);
  const body = { successor_id: heir, sequence: 9, former_name: 'former' };
  const reply = await harness.send('POST', `${collection}/succeed`, body);
  expect([reply.status, reply.json]).toEqual([200, null]);
  note('collection_succeed', reply);
});

test('every operation with a body refuses what cannot be taken for one', async () => {
  const bodies: readonly (readonly [status: number, body: string, headers: Record<string, string>])[] = [
    [400, '{', {}],
    [413, '{}', { 'content-length': '1000001' }],
    [415, '{}', { 'content-type': 'text/plain' }],
    [422, '5', {}],
  ];
  for (const operation of operations.filter(({ requestBody }) => requestBody !== undefined)) {
    for (const [status, body, headers] of bodies) {
      const reply = await harness.send(operation.method, concretePath(operation), body, headers);
      expect([operation.operationId, reply.status]).toEqual([operation.operationId, status]);
      note(operation.operationId, reply);
    }
  }
});

test('every operation tells a fault of the server, and a database that is closed', async () => {
  const faults = [
    [500, new AssertionError('broken')],
    [503, new DatabaseError('TESSERA_CLOSED', 'closed')],
    [403, new DatabaseError('TESSERA_FORBIDDEN', 'Reset is disabled by config')],
  ] as const;
  for (const [status, error] of faults) {
    const backend = new Proxy({} as Backend, { get: () => () => Promise.reject(error) });
    const failing = new Harness(backend);
    for (const operation of operations) {
      const { operationId, method } = operation;
      if (DETACHED_OPERATIONS.includes(operationId)) continue;
      if (status === 403 && operationId !== 'reset') continue;
      const path = concretePath(operation);
      const reply = await failing.send(method, path, bodyOf(operation));
      const expected = operationId === 'healthcheck' ? 503 : status;
      expect([operationId, reply.status]).toEqual([operationId, expected]);
      note(operationId, reply);
    }
  }
});

test('every status of the reference and of the document was seen, and no other', () => {
  const expected = new Map(
    operations.map((operation) => [
      operation.operationId,
      expectedStatuses(operation.operationId, operation.requestBody !== undefined),
    ]),
  );
  console.log(coverageTable(expected, seen));
  const wanted = [...expected].flatMap(([name, statuses]) => statuses.map((status) => `${name} ${status}`));
  expect(wanted.length).toBeGreaterThan(200);
  expect(wanted.filter((entry) => !seen.has(entry))).toEqual([]);
  expect([...seen].filter((entry) => !wanted.includes(entry))).toEqual([]);
});

test('our own document tells every status that was seen', () => {
  const documented = new Set(
    operations.flatMap(({ operationId, responses }) =>
      Object.keys(responses).map((status) => `${operationId} ${status}`),
    ),
  );
  expect([...seen].filter((entry) => !documented.has(entry))).toEqual([]);
});
