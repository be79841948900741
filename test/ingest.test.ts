/**
 * Files into collections: what changed is embedded, what is gone is deleted, an interruption costs nothing.
 */
import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { DatabaseError } from '../src/base/index.ts';
import { type Collection, DatabaseClient } from '../src/client/index.ts';
import type { EmbeddingFunction } from '../src/embed/index.ts';
import { type IngestInput, ingest } from '../src/ingest/index.ts';
import { systemFiles } from '../src/io/index.ts';
import { openTestDatabase, withCode } from './support/database.ts';
import { temporaryDirectory } from './support/temporary.ts';
import { writeFiles } from './support/writing.ts';

/** Counts words, and reads eight of them. */
class Words implements EmbeddingFunction {
  readonly texts: string[] = [];
  before: (texts: readonly string[]) => unknown = () => {};
  async generate(texts: string[]): Promise<number[][]> {
    await this.before(texts);
    this.texts.push(...texts);
    return texts.map((text) => [text.length, 1]);
  }
  async tokenCounter() {
    return { maxTokens: 8, countTokens: (text: string) => text.split(/\s+/).length };
  }
}

let words: Words;
let collection: Collection;
let root: string;
beforeEach(async () => {
  words = new Words();
  const backend = await openTestDatabase();
  const client = new DatabaseClient(async () => backend);
  collection = await client.createCollection({ name: 'files', embeddingFunction: words });
  root = temporaryDirectory();
});

const run = (input: Partial<IngestInput> = {}) =>
  ingest(collection, { paths: ['.'], root, overlapTokens: 0, ...input });

const LONG = 'One two three four. Five six seven eight. Nine ten eleven. Twelve.';

test('takes the texts of all files in, in parts that the model reads, with their places', async () => {
  writeFiles(root, {
    'a.txt': LONG,
    'sub/b.md': '# Title\n\nShort text.',
    'sub/c.jsonl': '{"text": "A row.", "year": 2000}',
    'sub/.hidden.txt': 'no',
    'image.png': 'no',
  });
  const seen: number[] = [];
  const report = await run({ onProgress: ({ fileCount }) => void seen.push(fileCount) });
  expect(report).toEqual({
    changedFileCount: 3,
    unchangedFileCount: 0,
    failures: [],
    embeddedCount: 4,
    keptCount: 0,
    deletedCount: 0,
  });
  expect(seen.at(-1)).toBe(3);
  const { rows } = { rows: (await collection.get()).rows() };
  const texts = rows.map(({ document, metadata }) => [document, metadata!['source'], metadata!['part']]);
  expect(texts).toEqual([
    ['One two three four. Five six seven eight.', 'a.txt', 0],
    ['Nine ten eleven. Twelve.', 'a.txt', 1],
    ['# Title\n\nShort text.', 'sub/b.md', 0],
    ['A row.', 'sub/c.jsonl', 0],
  ]);
  const [, second, markdown, row] = rows.map(({ metadata }) => metadata!);
  expect(LONG.slice(second!['start'] as number, second!['end'] as number)).toBe('Nine ten eleven. Twelve.');
  expect(markdown).toMatchObject({ title: 'Title', part_count: 1 });
  expect(row).toMatchObject({ year: 2000, line: 1 });
  expect(rows[0]!.id).toMatch(/^a\.txt#[0-9a-f]{16}$/);
});

test('reads nothing again that has not changed', async () => {
  writeFiles(root, { 'a.txt': LONG, 'b.txt': 'Other.', 'empty.txt': ' \n' });
  await run();
  words.texts.length = 0;
  expect(await run()).toMatchObject({ changedFileCount: 0, unchangedFileCount: 3, embeddedCount: 0 });
  expect(words.texts).toEqual([]);
  expect(await run({ maxTokens: 4 })).toMatchObject({ changedFileCount: 2, embeddedCount: 2 });
});

test('embeds what is new in a changed file, keeps what stayed, and deletes what is gone', async () => {
  writeFiles(root, { 'a.txt': LONG, 'rows.jsonl': '{"text": "A row.", "old": 1}\n{"text": "Another."}' });
  await run();
  const kept = (await collection.get({ whereDocument: { $contains: 'Nine' } })).ids;
  words.texts.length = 0;
  writeFiles(root, {
    'a.txt': `New words that come first are five. ${LONG.slice(LONG.indexOf('Nine'))}`,
    'rows.jsonl': '{"text": "A row.", "new": 2}',
  });
  const report = await run({ maxTokens: 7 });
  expect(words.texts).toEqual(['New words that come first are five.']);
  expect(report).toMatchObject({ changedFileCount: 2, embeddedCount: 1, keptCount: 2, deletedCount: 2 });
  const { ids, metadatas } = await collection.get({ where: { source: 'a.txt' } });
  expect(ids).toContain(kept[0]);
  expect(metadatas.find((_, i) => ids[i] === kept[0])).toMatchObject({ part: 1, part_count: 2, start: 36 });
  expect((await collection.get({ where: { source: 'rows.jsonl' } })).metadatas).toEqual([
    expect.not.objectContaining({ old: 1 }),
  ]);
});

test('goes on after an interruption, and embeds nothing twice', async () => {
  const rows = Array.from({ length: 40 }, (_, i) => JSON.stringify({ text: `Row ${i}` }));
  writeFiles(root, { 'a.jsonl': rows.join('\n'), 'b.txt': 'Last.' });
  words.before = () => {
    if (words.texts.length >= 16) throw new Error('no quota');
  };
  const few = { batchSize: 8, concurrency: 1 };
  await expect(run(few)).rejects.toThrow(withCode('TESSERA_EMBEDDING_FUNCTION'));
  expect(await collection.count()).toBe(16);
  words.before = () => {};
  expect(await run(few)).toMatchObject({ embeddedCount: 25, keptCount: 16 });
  expect(new Set(words.texts).size).toBe(words.texts.length);
  expect(await collection.count()).toBe(41);
  const stopping = new AbortController();
  stopping.abort();
  await expect(run({ signal: stopping.signal })).rejects.toThrow(withCode('TESSERA_ABORTED'));
});

test('equal texts in one file are records of their own', async () => {
  writeFiles(root, { 'a.txt': 'Same old text here. Same old text here.' });
  await run({ maxTokens: 4 });
  const { ids } = await collection.get();
  expect(ids[1]).toBe(`${ids[0]}-2`);
});

test('tells of files that cannot be taken in, and goes on with the others', async () => {
  writeFiles(root, { 'a.jsonl': 'no JSON', 'b.txt': Uint8Array.of(0xff), 'c.txt': 'Fine.' });
  const { failures, embeddedCount } = await run();
  expect(failures).toEqual([
    { source: 'a.jsonl', message: expect.stringMatching(/line 1 is no JSON/) },
    { source: 'b.txt', message: expect.stringMatching(/UTF-8/) },
  ]);
  expect(embeddedCount).toBe(1);
});

test('forgets files that are gone when it is told to', async () => {
  writeFiles(root, { 'a/1.txt': 'One.', 'a/2.txt': 'Two.', 'b/3.txt': 'Three.' });
  await collection.add({ ids: ['own'], documents: ['not of a file'], metadatas: [{ source: 'a/own.txt' }] });
  await run();
  rmSync(join(root, 'a/2.txt'));
  rmSync(join(root, 'b/3.txt'));
  expect(await run({ paths: ['a'] })).toMatchObject({ deletedCount: 0 });
  expect(await run({ paths: ['a'], prune: true })).toMatchObject({ deletedCount: 1 });
  expect((await collection.get()).documents.sort()).toEqual(['One.', 'Three.', 'not of a file']);
});

// Windows lets ordinary users make no links.
test.skipIf(process.platform === 'win32')(
  'links in a circle end, and one that leads nowhere is told of',
  async () => {
    writeFiles(root, { 'a.txt': 'One.', 'sub/b.txt': 'Two.' });
    symlinkSync('..', join(root, 'sub/up'));
    symlinkSync('nowhere', join(root, 'sub/lost.txt'));
    const report = await run();
    expect((await collection.get()).documents.toSorted()).toEqual(['One.', 'Two.']);
    expect(report.failures.map(({ source }) => source)).toEqual(['sub/lost.txt']);
  },
);

test('a directory that cannot be read is told of, and nothing of it is taken for gone', async () => {
  writeFiles(root, { 'a.txt': 'One.', 'closed/b.txt': 'Two.', 'open/c.txt': 'Three.' });
  await run();
  rmSync(join(root, 'open/c.txt'));
  const list = (path: string): string[] => {
    if (!path.endsWith('closed')) return systemFiles.list(path);
    throw new DatabaseError('TESSERA_READ_ONLY', 'No right to read it.');
  };
  const report = await run({ prune: true, files: { ...systemFiles, list } });
  expect(report).toMatchObject({
    failures: [{ source: 'closed', message: 'No right to read it.' }],
    deletedCount: 1,
  });
  expect((await collection.get()).documents.toSorted()).toEqual(['One.', 'Two.']);
});

test('pipes and devices are no files', async () => {
  writeFiles(root, { 'pipe.txt': 'Never read.' });
  const files = { ...systemFiles, isFile: () => false };
  expect(await run({ files })).toMatchObject({ changedFileCount: 0, failures: [] });
  await expect(run({ paths: ['pipe.txt'], files })).rejects.toMatchObject({
    code: 'TESSERA_INVALID_ARGUMENT',
  });
});

test('refuses what makes no sense at once', async () => {
  writeFiles(root, { 'a.png': 'x' });
  const refused = withCode('TESSERA_INVALID_ARGUMENT');
  await expect(run({ paths: ['missing'] })).rejects.toThrow(refused);
  await expect(run({ paths: ['a.png'] })).rejects.toThrow(refused);
  expect(() => run({ batchSize: 0 })).toThrow(refused);
});
