/**
 * What a client calls things is data, whatever it looks like: no path, no statement, no pattern, no member of
 * every object.
 *
 * A server over a directory is asked with names, ids and filters that are all of these. The directory holds
 * nothing but the catalogue and files called by UUIDs, what lies beside it is untouched, and records are
 * found under exactly what they were called.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDatabase } from '../../src/engine/index.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { DATABASE, Harness, type Reply } from './harness.ts';

const RUNS = Number(process.env['HOSTILE_RUNS'] ?? 100);
/** The same requests in every run unless told otherwise; a failure prints it. */
const SEED = Number(process.env['HOSTILE_SEED'] ?? 20261125);
const WITNESS = 'nobody touches this';

let outside: string;
let inside: string;
let harness: Harness;
let collection: string;

beforeEach(async () => {
  outside = temporaryDirectory();
  inside = join(outside, 'data');
  mkdirSync(inside);
  writeFileSync(join(outside, 'witness'), WITNESS);
  harness = new Harness(await openDatabase({ path: inside, threads: 0 }));
  collection = await harness.createCollection('records');
});

afterEach(() => harness.backend.close());

const SPELLS = [
  '../../etc/passwd',
  '..\\..\\windows',
  '/etc/passwd',
  'file:///etc/passwd',
  '../witness',
  '%2e%2e%2fwitness',
  "'; DROP TABLE records; --",
  '" OR 1=1 --',
  '*) UNION SELECT * FROM documents (',
  'a\0b',
  '${process.exit(1)}',
  '$(touch witness)',
  '`touch witness`',
  '{{7*7}}',
  '__proto__',
  'constructor',
  'toString',
  '.*',
  '%',
  '_',
  '\\',
  'NEAR(a b)',
  '-a OR b*',
  'con.sqlite3-wal',
  '.',
  '..',
];

const hostile = fc.oneof(
  fc.constantFrom(...SPELLS),
  fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }),
  fc.tuple(fc.constantFrom(...SPELLS), fc.string({ maxLength: 8 })).map((parts) => parts.join('')),
);

/** No answer is a fault of the server, and no request reaches what is not the database's. */
function expectHarmless(reply: Reply, ...said: unknown[]): void {
  expect([reply.status < 500, ...said], reply.text).toEqual([true, ...said]);
}

function expectUntouched(): void {
  expect(readdirSync(outside).sort()).toEqual(['data', 'witness']);
  expect(readFileSync(join(outside, 'witness'), 'utf8')).toBe(WITNESS);
  const names = readdirSync(inside, { recursive: true }).map(String);
  const uuid = '[\\da-f]{8}(?:-[\\da-f]{4}){3}-[\\da-f]{12}';
  const own = new RegExp(
    `^(?:catalogue\\.sqlite3.*|collections|collections/${uuid}\\.sqlite3(?:-wal|-shm|-journal)?)$`,
  );
  expect(names.filter((name) => !own.test(name))).toEqual([]);
}

test('names of tenants, databases and collections, in paths and in bodies', async () => {
  await fc.assert(
    fc.asyncProperty(hostile, hostile, async (name, other) => {
      const [part, otherPart] = [encodeURIComponent(name), encodeURIComponent(other)];
      const requests: [string, string, unknown?][] = [
        ['POST', '/api/v2/tenants', { name }],
        ['GET', `/api/v2/tenants/${part}`],
        ['POST', `/api/v2/tenants/${part}/databases`, { name: other }],
        ['GET', `/api/v2/tenants/${part}/databases/${otherPart}`],
        ['POST', `/api/v2/tenants/${part}/databases/${otherPart}/collections`, { name }],
        ['POST', `${DATABASE}/collections`, { name, metadata: { [other]: name } }],
        ['GET', `${DATABASE}/collections/${part}`],
        ['DELETE', `${DATABASE}/collections/${part}`],
        ['GET', `${DATABASE}/collections/${part}/count`],
        ['GET', `/api/v2/collections/${part}:${otherPart}:${part}`],
        ['PUT', collection, { new_name: name }],
        ['POST', `${collection}/fork`, { new_name: name }],
        ['GET', `/api/v1/collections/${part}?tenant=${otherPart}&database=${part}`],
        ['DELETE', `/api/v2/tenants/${part}/databases/${otherPart}`],
      ];
      for (const [method, path, body] of requests) {
        const reply = await harness.send(method, path, body);
        expectHarmless(reply, method, path, body);
      }
      await harness.send('PUT', collection, { new_name: 'records' });
    }),
    { numRuns: RUNS, seed: SEED },
  );
  expectUntouched();
  const reply = await harness.send('GET', `${DATABASE}/collections/records`);
  expect(reply.status).toBe(200);
});

test('ids, metadata, documents and filters', async () => {
  await fc.assert(
    fc.asyncProperty(hostile, hostile, hostile, async (id, key, text) => {
      const record = {
        ids: [id],
        embeddings: [[1, 2]],
        documents: [text],
        metadatas: [{ [key]: text, own: 'x' }],
      };
      const stored = await harness.send('POST', `${collection}/upsert`, record);
      expectHarmless(stored, record);
      if (stored.status !== 200) return;
      const get = async (body: object): Promise<string[] | null> => {
        const reply = await harness.send('POST', `${collection}/get`, { include: [], ...body });
        expectHarmless(reply, body);
        return reply.status === 200 ? (reply.json as { ids: string[] }).ids : null;
      };
      expect(await get({ ids: [id] })).toEqual([id]);
      expect(await get({ where: { [key]: { $eq: text } } })).toEqual([id]);
      expect(await get({ where: { [key]: { $in: [text, 'other'] } } })).toEqual([id]);
      expect(await get({ where: { own: 'x' } })).toEqual([id]);
      expect(await get({ where: { own: `x' OR '1'='1` } })).toEqual([]);
      expect(await get({ where_document: { $contains: text } })).toEqual([id]);
      // A pattern may be none; then it is refused, and nothing else happens.
      await get({ where_document: { $regex: text } });
      expect(await get({ ids: [`${id}x`] })).toEqual([]);
      const deleted = await harness.send('POST', `${collection}/delete`, { ids: [id] });
      expect(deleted.json).toEqual({ deleted: 1 });
      expect(await get({})).toEqual([]);
    }),
    { numRuns: RUNS, seed: SEED },
  );
  expectUntouched();
  expect(({} as Record<string, unknown>)['own']).toBe(undefined);
});
