/** `tessera ingest`: keeps a collection equal to files. */
import { resolve } from 'node:path';
import { DEFAULT_DATABASE, DEFAULT_TENANT } from '../api/index.ts';
import { systemClock } from '../base/index.ts';
import { type Collection, DatabaseClient } from '../client/index.ts';
import { openDatabase } from '../engine/index.ts';
import { type IngestReport, ingest } from '../ingest/index.ts';
import { LOCAL_MODELS } from '../models/index.ts';
import type { Command, Terminal } from './command.ts';
import { FUNCTION_OPTIONS, readFunction } from './functions.ts';
import { tellInterrupted } from './interrupted.ts';
import { type OptionValues, UsageError } from './options.ts';
import { counted, number } from './printing.ts';
import { Progress } from './progress.ts';

const DEFAULT_PATH = './data';

/** The command. */
export const ingestCommand: Command = {
  name: 'ingest',
  summary: 'Takes the texts of files into a collection, and keeps it equal to them',
  description:
    'Reads text, Markdown, HTML, JSON lines and CSV, cuts long texts into parts that the model reads whole, and\n' +
    'embeds them. Files that have not changed since are passed over; parts that are gone from a changed file are\n' +
    'deleted. Called again after an interruption, it goes on where it was. Exit status: 0 when all files were\n' +
    'taken in, 1 when some could not be.',
  operands: ['FILE...'],
  options: [
    {
      name: 'path',
      value: 'DIR',
      fallback: DEFAULT_PATH,
      summary: 'Directory of the database, made if missing',
    },
    { name: 'collection', value: 'NAME', fallback: null, summary: 'The collection, made if missing' },
    ...FUNCTION_OPTIONS,
    {
      name: 'root',
      value: 'DIR',
      fallback: '.',
      summary: 'Directory that the names of files are relative to',
    },
    {
      name: 'text-field',
      value: 'NAME',
      fallback: 'text, document, content, page_content or body',
      summary: 'Member or column that is the text',
    },
    { name: 'max-tokens', value: 'N', fallback: 'what the model reads', summary: 'Tokens of a part at most' },
    { name: 'overlap', value: 'N', fallback: 'an eighth', summary: 'Tokens shared with the part before' },
    { name: 'prune', value: null, fallback: 'kept', summary: 'Deletes the records of files that are gone' },
    { name: 'tenant', value: 'NAME', fallback: DEFAULT_TENANT, summary: 'Tenant of the database' },
    { name: 'database', value: 'NAME', fallback: DEFAULT_DATABASE, summary: 'Database of the collection' },
    { name: 'json', value: null, fallback: null, summary: 'Prints JSON instead of text' },
    { name: 'help', value: null, fallback: null, summary: 'Shows this text' },
  ],
  run,
};

async function run(values: OptionValues, terminal: Terminal): Promise<number> {
  const { collection: name, tenant, database, root, 'text-field': textField } = values;
  if (name === undefined) throw new UsageError('Expected --collection NAME, got none.');
  const maxTokens = readCount(values, 'max-tokens', 1);
  const overlapTokens = readCount(values, 'overlap', 0);
  const embeddingFunction = readFunction(values) ?? undefined;
  const client = new DatabaseClient(
    () => openDatabase({ path: resolve(String(values['path'] ?? DEFAULT_PATH)), threads: 0 }),
    { tenant: tenant as string | undefined, database: database as string | undefined },
    LOCAL_MODELS,
  );
  const stopping = new AbortController();
  void terminal.stopped.then(() => stopping.abort());
  const progress = new Progress(systemClock, (line) => terminal.status?.(line), 'files');
  try {
    const collection = await client.getOrCreateCollection({ name: String(name), embeddingFunction });
    const report = await ingest(collection, {
      paths: values['FILE...'] as readonly string[],
      root: root as string | undefined,
      textField: textField as string | undefined,
      maxTokens,
      overlapTokens,
      prune: values['prune'] === true,
      signal: stopping.signal,
      onProgress: ({ fileCount, totalFileCount, embeddedCount }) => {
        const rate = number(Math.round(progress.rate(embeddedCount)));
        progress.update(fileCount, totalFileCount, fileCount, `${number(embeddedCount)} parts at ${rate}/s`);
      },
    });
    progress.end();
    print(terminal, collection, report, progress, values['json'] === true);
    return report.failures.length === 0 ? 0 : 1;
  } catch (error) {
    return tellInterrupted(error, stopping.signal, terminal);
  } finally {
    progress.end();
    await client.close();
  }
}

function print(
  terminal: Terminal,
  { name }: Collection,
  report: IngestReport,
  progress: Progress,
  isJson: boolean,
): void {
  if (isJson) {
    terminal.out(JSON.stringify({ collection: name, ...report }, null, 2));
    return;
  }
  const { changedFileCount, unchangedFileCount, embeddedCount, keptCount, deletedCount, failures } = report;
  const rate = number(Math.round(progress.rate(embeddedCount)));
  terminal.out(
    `${name}: ${counted(changedFileCount, 'file')} taken in, ${number(unchangedFileCount)} unchanged; ` +
      `${counted(embeddedCount, 'part')} embedded at ${rate}/s, ${number(keptCount)} kept, ${number(deletedCount)} deleted`,
  );
  for (const { source, message } of failures) terminal.err(`${source}: ${message}`);
}

function readCount(values: OptionValues, name: string, minimum: number): number | undefined {
  const value = values[name];
  if (value === undefined) return undefined;
  const count = Number(value);
  if (Number.isSafeInteger(count) && count >= minimum) return count;
  throw new UsageError(`Expected --${name} to be an integer from ${minimum}, got ${String(value)}.`);
}
