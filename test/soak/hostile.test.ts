/**
 * Hostile calls: whatever a program passes to the library, a call is answered or refused with a typed
 * error. Nothing crashes, hangs or reaches the prototypes of the language, and what was stored before stays
 * as it was.
 */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DatabaseError, seededNumbers } from '../../src/base/index.ts';
import { DatabaseAdmin, DatabaseClient } from '../../src/client/index.ts';
import { backup, restore } from '../../src/transfer/index.ts';
import { openTestDatabase } from '../support/database.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { Rounds } from './rounds.ts';

/** Rounds of a thousand calls each, on each Node in every run of the tests. */
const rounds = new Rounds(10, 20_261_132);
const CALLS_PER_ROUND = 1_000;
const DEPTH_MAX = 3;
/** Part of the calls that work on files or on a whole collection, each of which takes as long as hundreds. */
const RARE_SHARE = 0.01;

type Chance = () => number;
const pick = <T>(choices: readonly T[], chance: Chance): T => choices[Math.floor(chance() * choices.length)]!;

/** Values that programs do not expect to be given. */
const EVIL: readonly ((chance: Chance) => unknown)[] = [
  () => undefined,
  () => null,
  () => Number.NaN,
  () => Number.POSITIVE_INFINITY,
  () => -0,
  () => 2 ** 53 + 2,
  () => -1,
  () => 1e308,
  () => 10n ** 30n,
  () => '',
  () => '\0',
  () => '\ud800',
  () => '__proto__',
  () => 'constructor',
  () => '$where',
  () => '../../etc/passwd',
  () => "'; DROP TABLE records; --",
  () => '%'.repeat(300),
  () => 'x'.repeat(70_000),
  () => Symbol('evil'),
  () => () => 1,
  () => new Date(0),
  () => /a/,
  () => new Map([['a', 1]]),
  () => new Float32Array([1, Number.NaN]),
  () => new Float64Array(3),
  () => new Uint8Array(8).buffer,
  () => new Array(5),
  () => JSON.parse('{"__proto__": {"polluted": true}}'),
  () => JSON.parse('{"constructor": {"prototype": {"polluted": true}}}'),
  () => Object.create(null),
  () => new Proxy({}, { get: () => 1, ownKeys: () => ['a'], getOwnPropertyDescriptor: () => undefined }),
  () => ({
    get ids(): unknown {
      throw new RangeError('planted');
    },
  }),
  () => ({ toString: () => 'r0', valueOf: () => 1, toJSON: () => 'r0' }),
  () => Promise.resolve(1),
  () => {
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    return circular;
  },
  () => {
    let deep: unknown = 'bottom';
    for (let i = 0; i < 5_000; i++) deep = [deep];
    return deep;
  },
  () => {
    let deep: unknown = { a: 1 };
    for (let i = 0; i < 5_000; i++) deep = { $and: [deep, deep] };
    return deep;
  },
];

/** Members that calls know, so that what is hostile gets beyond the first check. */
const MEMBERS = [
  'ids',
  'embeddings',
  'documents',
  'metadatas',
  'uris',
  'where',
  'whereDocument',
  'limit',
  'offset',
  'include',
  'queryEmbeddings',
  'queryTexts',
  'nResults',
  'recall',
  'exact',
  'explain',
  'name',
  'metadata',
  'configuration',
  'schema',
  'tenant',
  'signal',
  '$and',
  '$or',
  '$eq',
  '$in',
  '$gt',
  '$contains',
  '$regex',
  '$not_regex',
  'k',
  '#document',
];

/** Values that are right in some place. */
const PLAIN: readonly ((chance: Chance) => unknown)[] = [
  (chance) => `r${Math.floor(chance() * 20)}`,
  (chance) => Math.floor(chance() * 5),
  (chance) => chance() < 0.5,
  () => [1, 2, 3],
  () => [[1, 2, 3]],
  () => ['r1'],
  () => ['r1', 'r2'],
  () => [null],
  () => ({ k: 1 }),
  () => ({ k: { $gt: 0 } }),
  () => ({ $contains: 'text' }),
  () => ({ $regex: 'te.t' }),
  () => ['documents', 'distances'],
  () => 'a text',
];

function value(chance: Chance, depth = 0): unknown {
  const roll = chance();
  if (roll < 0.35 || depth >= DEPTH_MAX) return pick(PLAIN, chance)(chance);
  if (roll < 0.6) return pick(EVIL, chance)(chance);
  if (roll < 0.75) return Array.from({ length: Math.floor(chance() * 4) }, () => value(chance, depth + 1));
  return members(chance, depth);
}

function members(chance: Chance, depth: number): object {
  const entries = Array.from({ length: 1 + Math.floor(chance() * 4) }, () => {
    return [pick(MEMBERS, chance), value(chance, depth + 1)] as const;
  });
  return Object.fromEntries(entries);
}

const RECORDS = {
  ids: ['r1', 'r2'],
  embeddings: [
    [1, 2, 3],
    [4, 5, 6],
  ],
  documents: ['a text', 'b'],
  metadatas: [{ k: 1 }, { k: 2 }],
  uris: ['u', 'v'],
};
const FUNCTION = {
  name: 'plain',
  generate: async (texts: readonly string[]) => texts.map(() => [1, 2, 3]),
  getConfig: () => ({}),
};
const SELECTION = { ids: ['r1'], where: { k: { $gte: 0 } }, whereDocument: { $contains: 'text' } };

/** Arguments that are right, by call. */
const RIGHT: Readonly<Record<string, object>> = {
  add: RECORDS,
  upsert: RECORDS,
  update: RECORDS,
  delete: SELECTION,
  get: { ...SELECTION, limit: 5, offset: 0, include: ['documents', 'embeddings'] },
  peek: { limit: 2 },
  query: { queryEmbeddings: [[1, 2, 3]], nResults: 3, ...SELECTION, include: ['distances'], recall: 0.9 },
  modify: { metadata: { a: 1 } },
  fork: { name: 'copy' },
  salvage: { name: 'saved' },
  reembed: {
    embeddingFunction: FUNCTION,
    space: 'cosine',
    formerName: 'was',
    batchSize: 2,
    onProgress: () => {},
  },
  backup: { from: 'a folder', to: 'a folder', collections: ['kept'], since: undefined, archive: false },
  restore: { from: 'a folder', to: 'a folder', replace: false, acceptDamage: true },
  createCollection: { name: 'another', metadata: { a: 1 }, embeddingFunction: null },
  getOrCreateCollection: { name: 'another', configuration: { hnsw: { space: 'ip' } } },
  getCollection: { name: 'guard' },
  listCollections: { limit: 3, offset: 0 },
  createTenant: { name: 'tenant' },
  getTenant: { name: 'tenant' },
  createDatabase: { name: 'database', tenant: 'tenant' },
  getDatabase: { name: 'database', tenant: 'tenant' },
  listDatabases: { tenant: 'tenant', limit: 3 },
};

/** Right arguments of a call with a part or two replaced: these get farthest. */
function nearlyRight(name: string, chance: Chance): unknown {
  const changed: Record<string, unknown> = { ...RIGHT[name] };
  const names = Object.keys(changed);
  for (let i = 0; i < chance() * 2; i++) {
    const member = names.length === 0 || chance() < 0.1 ? pick(MEMBERS, chance) : pick(names, chance);
    const former = changed[member];
    const isOneReplaced = Array.isArray(former) && former.length > 0 && chance() < 0.6;
    if (chance() < 0.2) delete changed[member];
    else if (isOneReplaced)
      changed[member] = former.with(Math.floor(chance() * former.length), value(chance));
    else changed[member] = value(chance);
  }
  return changed;
}

const COLLECTION_CALLS = [
  'add',
  'upsert',
  'update',
  'delete',
  'get',
  'peek',
  'query',
  'count',
  'stats',
  'modify',
  'fork',
  'forkCount',
  'salvage',
  'settle',
  'verify',
  'repair',
] as const;
const CLIENT_CALLS = [
  'createCollection',
  'getOrCreateCollection',
  'getCollection',
  'getCollectionById',
  'getCollections',
  'listCollections',
  'countCollections',
  'heartbeat',
] as const;
const ADMIN_CALLS = ['createTenant', 'getTenant', 'createDatabase', 'getDatabase', 'listDatabases'] as const;

type AnyCall = (argument: unknown) => Promise<unknown>;
type Callers = readonly (readonly [object, readonly string[]])[];

/**
 * Backups and restores of a small database, and what embeds a collection anew, which is exchanged for
 * another one by that: made for each call, with folders of its own in the place of any other.
 */
async function makeRareCallers(client: DatabaseClient): Promise<Callers> {
  const folder = temporaryDirectory();
  const [from, saved] = [join(folder, 'data'), join(folder, 'saved')];
  const kept = await openTestDatabase({ path: from });
  const source = await new DatabaseClient(async () => kept).createCollection({ name: 'kept' });
  await source.add({ ids: ['r1'], embeddings: [[1, 2, 3]], documents: ['a text'] });
  await kept.close();
  await backup({ from, to: saved });
  let count = 0;
  // Names of folders are not drawn: some would lead to where no test has to write.
  const withFolders = (argument: unknown, first: string): unknown => {
    if (typeof argument !== 'object' || argument === null) return argument;
    const places = Object.entries({ from: first, to: join(folder, `to-${count++}`), since: saved });
    const known = places.filter(([name]) => typeof Reflect.get(argument, name) === 'string');
    return Object.assign(argument, Object.fromEntries(known));
  };
  const rare = {
    backup: async (argument: unknown) => backup(withFolders(argument, from) as never),
    restore: async (argument: unknown) => restore(withFolders(argument, saved) as never),
    reembed: async (argument: unknown) => {
      const name = `spare-${count++}`;
      const spare = await client.createCollection({ name, embeddingFunction: null });
      await spare.add(RECORDS);
      await spare.reembed(argument as never);
    },
  };
  return [[rare, Object.keys(rare)]];
}

/** What a hostile program may throw at us from its own getters and proxies, which is its own affair. */
function isOwnFault(error: unknown): boolean {
  return error instanceof RangeError && error.message === 'planted';
}

/** Makes a call; gives the code it was refused with, or `null`. */
async function outcomeOf(call: () => Promise<unknown>): Promise<string | null> {
  try {
    await call();
    return null;
  } catch (error) {
    if (error instanceof DatabaseError) return error.code;
    if (isOwnFault(error)) return 'its own';
    throw error;
  }
}

/** The properties of the language's own objects, which no call may change. */
function languageState(): string {
  const owners = [Object, Array, Function, String, Number, Map, Promise].map(({ prototype }) => prototype);
  return JSON.stringify(owners.map((owner) => Object.getOwnPropertyNames(owner).sort()));
}

const GUARDED = { ids: ['guard'], embeddings: [[7, 7, 7]], documents: ['guarded'], metadatas: [{ k: 7 }] };

test(`${rounds.title} rounds of ${CALLS_PER_ROUND} hostile calls are answered or refused, and change nothing else`, {
  timeout: rounds.timeout,
}, async () => {
  const before = languageState();
  const codes: Record<string, number> = {};
  let callCount = 0;
  for (const round of rounds) {
    const chance = seededNumbers(rounds.seed + round);
    const backend = await openTestDatabase();
    const client = new DatabaseClient(async () => backend);
    const admin = new DatabaseAdmin(client);
    const target = await client.createCollection({ name: 'target', embeddingFunction: null });
    const guard = await client.createCollection({ name: 'guard', embeddingFunction: null });
    await target.add({ ids: ['r1'], embeddings: [[1, 2, 3]], documents: ['a text'], metadatas: [{ k: 1 }] });
    await guard.add(GUARDED);
    const callers: Callers = [
      ...Array.from({ length: 4 }, () => [target, COLLECTION_CALLS] as const),
      [client, CLIENT_CALLS],
      [admin, ADMIN_CALLS],
    ];
    const rareCallers = await makeRareCallers(client);
    for (let i = 0; i < CALLS_PER_ROUND; i++) {
      const [caller, names] = pick(chance() < RARE_SHARE ? rareCallers : callers, chance);
      const name = pick(names, chance);
      const argument = chance() < 0.8 ? nearlyRight(name, chance) : value(chance);
      const call = (caller as Record<string, AnyCall>)[name]!;
      const code = await outcomeOf(async () => call.call(caller, argument)).catch((error) => {
        throw new Error(`${name} in call ${i} of round ${round} (seed ${rounds.seed})`, { cause: error });
      });
      codes[code ?? 'answered'] = (codes[code ?? 'answered'] ?? 0) + 1;
      callCount++;
    }
    expect((await guard.get({ include: ['documents', 'metadatas', 'embeddings'] })).rows()).toMatchObject([
      { id: 'guard', embedding: [7, 7, 7], document: 'guarded', metadata: { k: 7 } },
    ]);
    const { name } = await client.getCollectionById(target.id);
    const found = await client.getCollection({ name, embeddingFunction: null });
    expect(await found.verify()).toMatchObject({ faultCount: 0 });
    await backend.close();
  }
  expect(languageState()).toBe(before);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  // Were nearly all refused at the door, hardly anything would have been tried.
  expect(codes['answered']).toBeGreaterThan(callCount / 20);
  rounds.report({ calls: callCount, crashes: 0, codes });
});

describe('regular expressions that take other engines years', () => {
  const LENGTH = 50_000;
  const text = `${'a'.repeat(LENGTH)}!`;
  // An engine that goes back would not come to an end in this test's time, nor in anybody's.
  test.each([['(a+)+$'], ['(a|aa)+$'], ['(a|a)*b'], ['(.*a){12}b'], ['^(([a-z])+.)+[A-Z]$']])(
    '%s ends, over a document and over metadata',
    async (expression) => {
      const backend = await openTestDatabase();
      const client = new DatabaseClient(async () => backend);
      const collection = await client.createCollection({ name: 'texts', embeddingFunction: null });
      await collection.add({ ids: ['a'], embeddings: [[1]], documents: [text] });
      expect((await collection.get({ whereDocument: { $regex: expression } })).ids).toEqual([]);
      expect((await collection.get({ whereDocument: { $not_regex: expression } })).ids).toEqual(['a']);
    },
  );
});
