/** What the harnesses of damage do to files, and what a collection says that is compared afterwards. */
import { readFileSync } from 'node:fs';
import { type Backend, type CollectionScope, parseWhere, parseWhereDocument } from '../../src/api/index.ts';
import { DatabaseError } from '../../src/base/index.ts';
import { type batchOf, getRequest, queryRequest } from '../support/batches.ts';

const BLOCK_BYTES = 2_048;

/** The embedding of a record. */
export const embeddingOf = (i: number): number[] =>
  Array.from({ length: 16 }, (_, d) => ((i * 7 + d * 3) % 11) - 5 + i / 100);

/** A record as it is in one of its versions. */
export function recordOf(i: number, version: number): Parameters<typeof batchOf>[number] {
  return {
    id: `record-${i}`,
    embedding: embeddingOf(i + version * 1_000),
    document: `The document of record ${i} says ${'something '.repeat(i % 7)}, version ${version}.`,
    metadata: JSON.stringify({ parity: i % 2, name: `n${i}` }),
  };
}

/** What a collection says, as text. */
export interface Answer {
  readonly whole: string;
  readonly byIndex: string;
}

/** What every record says in scans, queries and filters. */
export async function wholeAnswer(backend: Backend, scope: CollectionScope): Promise<string> {
  const info = await backend.getCollectionById(scope);
  const { embeddings, ...columns } = await backend.get(scope, getRequest());
  const nearest = await backend.query(scope, queryRequest([3, 17, 41].map(embeddingOf), { nResults: 5 }));
  const where = parseWhere({ parity: 1 });
  const filtered = await backend.get(scope, getRequest({ where, include: ['metadatas'] }));
  const count = await backend.count(scope);
  return JSON.stringify({ info, columns, values: Array.from(embeddings!.values), nearest, filtered, count });
}

/** What is found through indexes that have no checksums of their own. */
export async function answerByIndex(backend: Backend, scope: CollectionScope): Promise<string> {
  const ids = Array.from({ length: 150 }, (_, i) => `record-${i}`);
  const byId = await backend.get(scope, getRequest({ ids, include: ['documents'] }));
  const whereDocument = parseWhereDocument({ $contains: 'something something' });
  const byText = await backend.get(scope, getRequest({ whereDocument, include: ['documents'] }));
  return JSON.stringify([byId, byText]);
}

/** All that a collection says. */
export async function answerOf(backend: Backend, scope: CollectionScope): Promise<Answer> {
  return { whole: await wholeAnswer(backend, scope), byIndex: await answerByIndex(backend, scope) };
}

/** What is done to a file's bytes; `null` for a file that is gone. */
export type Damage = (bytes: Buffer, chance: () => number, others: Others) => Buffer | null;
/** Files that may stand in its place. */
export interface Others {
  readonly former: Buffer;
  readonly another: Buffer;
}

/** A whole number below `count`. */
export const pick = (count: number, chance: () => number): number => Math.floor(chance() * count);
const blockAt = (bytes: Buffer, chance: () => number): number =>
  pick(Math.ceil(bytes.length / BLOCK_BYTES), chance) * BLOCK_BYTES;

/** By what is said of a file afterwards. */
export const DAMAGES: Readonly<Record<string, Damage>> = {
  'a bit is flipped': (bytes, chance) => {
    if (bytes.length > 0) bytes[pick(bytes.length, chance)]! ^= 1 << pick(8, chance);
    return bytes;
  },
  'a bit in the first block is flipped': (bytes, chance) => {
    if (bytes.length > 0) bytes[pick(Math.min(bytes.length, BLOCK_BYTES), chance)]! ^= 1 << pick(8, chance);
    return bytes;
  },
  'a block is zeros': (bytes, chance) => {
    const start = blockAt(bytes, chance);
    bytes.subarray(start, start + 512 * 2 ** pick(4, chance)).fill(0);
    return bytes;
  },
  'a block is noise': (bytes, chance) => {
    const start = blockAt(bytes, chance);
    for (let i = start; i < Math.min(bytes.length, start + BLOCK_BYTES); i++) bytes[i] = pick(256, chance);
    return bytes;
  },
  'two blocks have changed places': (bytes, chance) => {
    const [a, b] = [blockAt(bytes, chance), blockAt(bytes, chance)];
    const former = Buffer.from(bytes.subarray(a, a + BLOCK_BYTES));
    bytes.copy(bytes, a, b, b + BLOCK_BYTES);
    former.copy(bytes, b);
    return bytes;
  },
  'a block is there twice': (bytes, chance) => {
    const from = blockAt(bytes, chance);
    bytes.copy(bytes, blockAt(bytes, chance), from, from + BLOCK_BYTES);
    return bytes;
  },
  'a block is of an earlier time': (bytes, chance, { former }) => {
    const start = blockAt(former.length < bytes.length ? former : bytes, chance);
    former.copy(bytes, start, start, start + BLOCK_BYTES);
    return bytes;
  },
  'the end is missing': (bytes, chance) => bytes.subarray(0, pick(bytes.length, chance)),
  'all is missing': () => Buffer.alloc(0),
  'more was appended': (bytes, chance) => Buffer.concat([bytes, bytes.subarray(0, pick(5_000, chance))]),
  'the file is missing': () => null,
  'the file is that of another collection': (_, __, { another }) => another,
  'the file is of an earlier time': (_, __, { former }) => former,
};

/** Reads everything of a collection; `null` where a typed error said that it cannot be had. */
export async function attempt<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    return null;
  }
}

/** A file's bytes; `null` where there is none. */
export function attemptRead(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch {
    return null;
  }
}
