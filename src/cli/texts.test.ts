/** `tessera ingest` and `tessera reembed`, from the command line to the records. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ProviderStandIn } from '../../test/support/provider-stand-in.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { writeFiles } from '../../test/support/writing.ts';
import { DatabaseClient } from '../client/index.ts';
import { openDatabase } from '../engine/index.ts';
import { main } from './main.ts';

const run = (...args: readonly string[]) => runUntil(new Promise<string>(() => {}), ...args);

async function runUntil(stopped: Promise<string>, ...args: readonly string[]) {
  const texts = { out: [] as string[], err: [] as string[], status: [] as string[] };
  const status = await main(args, {
    env: {},
    out: (text) => void texts.out.push(text),
    err: (text) => void texts.err.push(text),
    status: (line) => void texts.status.push(line),
    stopped,
  });
  return { status, out: texts.out.join('\n'), err: texts.err.join('\n'), lines: texts.status };
}

test('an interruption says how to go on, and the same command does', async () => {
  const standIn = await ProviderStandIn.start();
  const folder = temporaryDirectory();
  writeFiles(folder, { 'texts/a.txt': 'A text.' });
  const words = ['ingest', join(folder, 'texts'), '--path', join(folder, 'data'), '--collection', 'notes'];
  const config = JSON.stringify({ model_name: 'one', url: standIn.url });
  const command = [...words, '--root', folder, '--function', 'ollama', '--config', config];
  expect(await runUntil(Promise.resolve('SIGINT'), ...command)).toMatchObject({
    status: 1,
    err: expect.stringMatching(/^Interrupted.*the same command goes on/),
  });
  expect(await run(...command)).toMatchObject({ status: 0, err: '' });
  await standIn.close();
});

test('files go in, and the model is changed, from the command line', async () => {
  const standIn = await ProviderStandIn.start();
  const folder = temporaryDirectory();
  const path = join(folder, 'data');
  writeFiles(folder, {
    'texts/a.txt': 'A text.',
    'texts/b.jsonl': '{"text": "A row."}\n{"text": "One more."}',
  });
  const config = (model: string): string => JSON.stringify({ model_name: model, url: standIn.url });
  const ingest = ['ingest', join(folder, 'texts'), '--path', path, '--collection', 'notes', '--root', folder];
  const first = await run(...ingest, '--function', 'ollama', '--config', config('one'));
  expect(first).toMatchObject({
    status: 0,
    out: expect.stringMatching(
      /^notes: 2 files taken in, 0 unchanged; 3 parts embedded at [\d,]+\/s, 0 kept, 0 deleted$/,
    ),
    err: '',
  });
  expect(first.lines[0]).toMatch(/^\[[#.]{24}\] \d of 2 files, \d parts at [\d,]+\/s/);
  expect(first.lines.at(-1)).toBe('');
  writeFiles(folder, { 'texts/c.csv': 'no,column\n1,2' });
  const second = await run(...ingest, '--json');
  expect([second.status, JSON.parse(second.out)]).toMatchObject([
    1,
    { unchangedFileCount: 2, failures: [{ source: 'texts/c.csv' }] },
  ]);
  const reembed = [
    'reembed',
    path,
    '--collection',
    'notes',
    '--function',
    'ollama',
    '--config',
    config('two'),
  ];
  expect(await run(...reembed)).toMatchObject({
    status: 0,
    out: expect.stringMatching(
      /^notes: 3 records embedded, \d+\/s\nThe former collection is kept as notes\.former\.$/,
    ),
  });
  const client = new DatabaseClient(() => openDatabase({ path, threads: 0 }));
  const notes = await client.getCollection({ name: 'notes' });
  expect(notes.configuration.embeddingFunction).toMatchObject({ config: { model_name: 'two' } });
  expect(await notes.count()).toBe(3);
  await client.close();
  await standIn.close();
});

test('what makes no sense is told, with the remedy', async () => {
  const path = join(temporaryDirectory(), 'missing');
  const cases = [
    [['ingest', '--collection', 'notes'], 2, /Expected FILE\.\.\., got nothing/],
    [['ingest', '.'], 2, /Expected --collection NAME, got none/],
    [
      ['ingest', '.', '--collection', 'notes', '--max-tokens', 'x'],
      2,
      /--max-tokens to be an integer from 1, got x/,
    ],
    [
      ['ingest', '.', '--collection', 'notes', '--function', 'gpt'],
      2,
      /--function to be one of use-lite.*openai/,
    ],
    [
      ['ingest', '.', '--collection', 'notes', '--function', 'openai', '--config', '5'],
      2,
      /a JSON object, got 5/,
    ],
    [['ingest', '.', '--collection', 'notes', '--config', '{}'], 2, /--function along with --config/],
    [['reembed', path], 2, /Expected --collection NAME/],
    [['reembed', path, '--collection', 'notes'], 2, /Expected --function NAME/],
    [['reembed', path, '--collection', 'notes', '--function', 'use-lite'], 1, /no database/],
  ] as const;
  for (const [args, status, message] of cases) {
    const outcome = await run(...args);
    expect([args, outcome.status]).toEqual([args, status]);
    expect(outcome.err).toMatch(message);
  }
});
