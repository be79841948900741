/**
 * What bodies may be, on every route that takes one; the routes and their members are read from
 * `openapi.json`.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DATABASE, Harness, leastBody } from './harness.ts';

interface MemberSchema {
  readonly type?: string | string[];
  readonly enum?: unknown[];
  readonly anyOf?: MemberSchema[];
}
interface BodyRoute {
  readonly method: string;
  readonly path: string;
  readonly schema: { properties: Record<string, MemberSchema>; required?: string[] };
}

let harness: Harness;
let routes: BodyRoute[];

beforeAll(async () => {
  harness = await Harness.open({ limits: { bodyBytesMax: 2_000_000 } });
  const collection = (await harness.createCollection('bodies')).split('/').at(-1)!;
  const { json } = await harness.send('GET', '/openapi.json');
  const { paths } = json as { paths: Record<string, Record<string, { requestBody?: unknown }>> };
  routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, operation]) => operation.requestBody !== undefined)
      .map(([method, { requestBody }]) => ({
        method: method.toUpperCase(),
        path: path
          .replace('{tenant}', 'default_tenant')
          .replace('{database}', 'default_database')
          .replace('{collection_id}', collection)
          .replace('{name}', 'f'),
        schema: (requestBody as { content: Record<string, { schema: BodyRoute['schema'] }> }).content[
          'application/json'
        ]!.schema,
      })),
  );
  expect(routes.length).toBeGreaterThan(12);
});

afterAll(() => harness.backend.close());

/** A value that a member's schema does not allow. */
function wrongValue(schema: MemberSchema): unknown {
  const schemas = schema.anyOf ?? [schema];
  const types = schemas.flatMap(
    ({ type, anyOf }) => type ?? anyOf?.flatMap((inner) => inner.type ?? []) ?? [],
  );
  return types.includes('integer') ? '1' : 5;
}

describe('every route with a body', () => {
  test('refuses another content type with 415, and takes none for JSON', async () => {
    for (const { method, path } of routes) {
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', '', 'application/jsonx']) {
        const reply = await harness.send(method, path, '{}', { 'content-type': type });
        expect([path, type, reply.status, reply.json]).toEqual([
          path,
          type,
          415,
          {
            error: 'ChromaError',
            message: 'Expected request with `Content-Type: application/json`',
            code: 'TESSERA_INVALID_ARGUMENT',
          },
        ]);
      }
    }
    for (const type of ['application/json; charset=utf-8', 'APPLICATION/JSON', 'application/vnd.x+json']) {
      const reply = await harness.send('POST', '/api/v2/tenants', '{"name":"a"}', { 'content-type': type });
      expect([type, reply.status]).toEqual([type, 400]);
    }
    const bytes = new TextEncoder().encode('{"name":"a"}');
    const untyped = new Request('http://server/api/v2/tenants', { method: 'POST', body: bytes });
    expect(untyped.headers.get('content-type')).toBe(null);
    expect((await harness.server.fetch(untyped)).status).toBe(400);
  });

  test('refuses what is no JSON with 400', async () => {
    for (const { method, path } of routes) {
      for (const body of ['', '{', '{"ids":[NaN]}', '[1,]', '\u0000']) {
        const reply = await harness.send(method, path, body);
        expect([path, body, reply.status, reply.json]).toEqual([
          path,
          body,
          400,
          {
            error: 'InvalidArgumentError',
            message: expect.stringMatching(/^Failed to parse the request body as JSON:/),
            code: 'TESSERA_INVALID_JSON',
          },
        ]);
      }
    }
  });

  test('speaks of a large body as it was sent, whatever it was read as', async () => {
    const path = '/api/v2/tenants';
    const filling = 'x'.repeat(1_100_000);
    for (const tail of ['’é', '"a":"’"', '\\’']) {
      const body = `{"name":"é’","filling":"${filling}"}${tail}`;
      const { status, json } = await harness.send('POST', path, body);
      expect(status).toBe(400);
      let reason = '';
      try {
        JSON.parse(body);
      } catch (error) {
        reason = (error as Error).message;
      }
      const message = `Failed to parse the request body as JSON: Expected a JSON text. ${reason}`;
      expect(json).toMatchObject({ code: 'TESSERA_INVALID_JSON', message });
    }
    const marked = `\ufeff{"name":"large é’","filling":"${filling}"}`;
    expect((await harness.send('POST', path, marked)).status).toBe(200);
    const found = await harness.send('GET', `${path}/${encodeURIComponent('large é’')}`);
    expect(found.json).toMatchObject({ name: 'large é’' });
  });

  test('refuses text that is not UTF-8 with 400 rather than storing something else', async () => {
    const body = new Uint8Array([...new TextEncoder().encode('{"name":"'), 0xff, 0x22, 0x7d]);
    const request = new Request('http://server/api/v2/tenants', { method: 'POST', body });
    expect((await harness.server.fetch(request)).status).toBe(400);
  });

  test('refuses JSON that is no object with 422', async () => {
    for (const { method, path } of routes) {
      for (const body of ['null', '5', '"x"', '[]', '1.0']) {
        const reply = await harness.send(method, path, body);
        expect([path, body, reply.status, reply.json]).toEqual([
          path,
          body,
          422,
          {
            error: 'ChromaError',
            message: expect.stringMatching(/^Failed to deserialize the JSON body into the target type: /),
            code: expect.any(String),
          },
        ]);
      }
    }
  });

  test('refuses a missing member with 422, naming it', async () => {
    let count = 0;
    for (const route of routes) {
      for (const name of route.schema.required ?? []) {
        const { [name]: _, ...body } = leastBody(route.schema.required);
        const reply = await harness.send(route.method, route.path, body);
        expect([route.path, name, reply.status]).toEqual([route.path, name, 422]);
        expect(reply.json).toMatchObject({
          message: expect.stringContaining(`missing field \`${name}\``),
          code: 'TESSERA_INVALID_ARGUMENT',
        });
        count++;
      }
    }
    expect(count).toBeGreaterThan(10);
  });

  test('refuses a member of the wrong type with 422, filters with 400', async () => {
    for (const route of routes) {
      if (route.path.endsWith('/search')) continue;
      for (const [name, schema] of Object.entries(route.schema.properties)) {
        const reply = await harness.send(route.method, route.path, {
          ...leastBody(route.schema.required),
          [name]: wrongValue(schema),
        });
        // Functions are refused whatever their parameters are.
        const expected = name.startsWith('where') ? 400 : name === 'params' ? 501 : 422;
        expect([route.path, name, reply.status]).toEqual([route.path, name, expected]);
      }
    }
  });

  test('takes null for every member that may be absent, and ignores members it does not know', async () => {
    for (const route of routes) {
      const optional = Object.entries(route.schema.properties).filter(([, schema]) =>
        schema.anyOf?.some(({ type }) => type === 'null'),
      );
      const nulls = Object.fromEntries(optional.map(([name]) => [name, null]));
      const reply = await harness.send(route.method, route.path, {
        ...leastBody(route.schema.required),
        ...nulls,
        unknown: 1,
      });
      expect([route.path, reply.status === 422]).toEqual([route.path, false]);
    }
  });

  test('refuses numbers that are no unsigned 32-bit integers with 422', async () => {
    const path = `${await harness.createCollection(`n${Math.trunc(performance.now())}`)}/get`;
    for (const limit of ['1.0', '1.5', '-1', '4294967296', '"1"', '1e2', 'true', '18446744073709551616']) {
      const reply = await harness.send('POST', path, `{"limit":${limit}}`);
      expect([limit, reply.status]).toEqual([limit, 422]);
    }
  });
});

describe('hostile bodies', () => {
  test('deep nesting is a 400 and not an overflow of the stack', async () => {
    const path = await harness.createCollection('deep');
    const deep = (open: string, close: string, depth = 100_000): string =>
      open.repeat(depth) + close.repeat(depth);
    const bodies = [
      deep('[', ']'),
      `{"where":${deep('{"$and":[', ']}')}}`,
      `{"x":1.0,"where":${deep('[', ']')}}`,
      `{"ids":${deep('[', ']')},"embeddings":[]}`,
      `{"ids":["a"],"embeddings":[[1]],"metadatas":[{"a":${deep('[', ']')}}]}`,
    ];
    for (const body of bodies) {
      for (const verb of ['get', 'add', 'query', 'delete']) {
        const reply = await harness.send('POST', `${path}/${verb}`, body);
        expect([verb, body.slice(0, 40), reply.status]).toEqual([verb, body.slice(0, 40), 400]);
      }
    }
    const configuration = `{"embedding_function":{"type":"known","name":"x","config":${deep('[', ']')}}}`;
    const body = `{"name":"abc","configuration":${configuration}}`;
    expect((await harness.send('POST', `${DATABASE}/collections`, body)).status).toBe(400);
  });

  test('a body over the limit is a 413, announced or not, and is not read to its end', async () => {
    const path = `${await harness.createCollection('large')}/get`;
    const announced = await harness.send('POST', path, '{}', { 'content-length': '2000001' });
    expect([announced.status, announced.json]).toEqual([
      413,
      {
        error: 'ChromaError',
        message: expect.stringMatching(/^Failed to buffer the request body: length limit exceeded/),
        code: 'TESSERA_LIMIT_EXCEEDED',
      },
    ]);

    let pulled = 0;
    const body = new ReadableStream({
      pull(controller) {
        pulled += 100_000;
        controller.enqueue(new Uint8Array(100_000).fill(0x20));
      },
    });
    const request = new Request(`http://server${path}`, {
      method: 'POST',
      body,
      duplex: 'half',
    } as RequestInit);
    expect((await harness.server.fetch(request)).status).toBe(413);
    expect(pulled).toBeLessThan(2_500_000);
  });

  test('names of JavaScript objects are ordinary text', async () => {
    const path = await harness.createCollection('names');
    const ids = ['__proto__', 'constructor', 'toString'];
    const metadatas = ids.map((id) => `{"${id}":"${id}"}`).join(',');
    const body = `{"ids":${JSON.stringify(ids)},"embeddings":[[1],[2],[3]],"metadatas":[${metadatas}]}`;
    expect((await harness.send('POST', `${path}/add`, body)).status).toBe(201);
    const found = await harness.send('POST', `${path}/get`, '{"where":{"constructor":"constructor"}}');
    expect(found.json).toMatchObject({ ids: ['constructor'] });
    const proto = await harness.send('POST', `${path}/get`, '{"where":{"__proto__":"__proto__"}}');
    expect(proto.json).toMatchObject({ ids: ['__proto__'] });
    expect((await harness.send('POST', `${path}/get`, '{"__proto__":{"limit":-1}}')).status).toBe(200);
  });

  test('numbers come back as they were written', async () => {
    const path = await harness.createCollection('numbers');
    const metadata = '{"a":1.0,"b":9007199254740993,"c":100.0,"d":[1.0,2.5],"e":1}';
    const body = `{"ids":["a"],"embeddings":[[0.1,3,1e-7]],"metadatas":[${metadata}]}`;
    expect((await harness.send('POST', `${path}/add`, body)).status).toBe(201);
    const reply = await harness.send('POST', `${path}/get`, { include: ['metadatas', 'embeddings'] });
    expect(reply.text).toContain(metadata);
    expect(reply.text).toContain('"embeddings":[[0.1,3.0,1e-7]]');
  });
});

test('a body that breaks off is the client’s doing: nothing is stored, and no fault is logged', async () => {
  const path = await harness.createCollection('broken');
  const bodies = [{}, { 'content-length': '1000' }].map(async (headers) => {
    const body = new ReadableStream({
      pull(controller) {
        controller.error(new Error('aborted'));
      },
    });
    const init = { method: 'POST', body, duplex: 'half', headers } as RequestInit;
    const response = await harness.server.fetch(new Request(`http://server${path}/add`, init));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'TESSERA_ABORTED' });
  });
  await Promise.all(bodies);
  expect(harness.log.filter(({ level }) => level === 'error')).toEqual([]);
  expect((await harness.send('GET', `${path}/count`)).json).toBe(0);
});
