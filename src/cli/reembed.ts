/** `tessera reembed`: changes the embedding function of a collection. */
import { resolve } from 'node:path';
import { DEFAULT_DATABASE, DEFAULT_TENANT } from '../api/index.ts';
import { systemClock } from '../base/index.ts';
import { DatabaseClient } from '../client/index.ts';
import { openDatabase } from '../engine/index.ts';
import { LOCAL_MODELS } from '../models/index.ts';
import type { Command, Terminal } from './command.ts';
import { FUNCTION_OPTIONS, readFunction } from './functions.ts';
import { tellInterrupted } from './interrupted.ts';
import { type OptionValues, UsageError } from './options.ts';
import { counted } from './printing.ts';
import { Progress } from './progress.ts';

/** The command. */
export const reembedCommand: Command = {
  name: 'reembed',
  summary: 'Embeds a collection anew with another function',
  description:
    'Embeds all documents of a collection in the directory PATH anew, while other processes use it, and gives\n' +
    'the result its name. The former collection is kept as NAME.former until it is deleted. Called again after\n' +
    'an interruption, it goes on where it was.',
  operands: ['PATH'],
  options: [
    { name: 'collection', value: 'NAME', fallback: null, summary: 'The collection' },
    ...FUNCTION_OPTIONS,
    { name: 'former-name', value: 'NAME', fallback: 'NAME.former', summary: 'What the former one is called' },
    {
      name: 'delete-former',
      value: null,
      fallback: 'kept',
      summary: 'Deletes the former collection at the end',
    },
    { name: 'tenant', value: 'NAME', fallback: DEFAULT_TENANT, summary: 'Tenant of the database' },
    { name: 'database', value: 'NAME', fallback: DEFAULT_DATABASE, summary: 'Database of the collection' },
    { name: 'help', value: null, fallback: null, summary: 'Shows this text' },
  ],
  run,
};

async function run(values: OptionValues, terminal: Terminal): Promise<number> {
  const { collection: name, tenant, database, 'former-name': formerName } = values;
  if (name === undefined) throw new UsageError('Expected --collection NAME, got none.');
  const embeddingFunction = readFunction(values);
  if (embeddingFunction === null) throw new UsageError('Expected --function NAME, got none.');
  const path = resolve(String(values['PATH']));
  await checkThere(path);
  const client = new DatabaseClient(
    () => openDatabase({ path, threads: 0 }),
    { tenant: tenant as string | undefined, database: database as string | undefined },
    LOCAL_MODELS,
  );
  const stopping = new AbortController();
  void terminal.stopped.then(() => stopping.abort());
  const progress = new Progress(systemClock, (line) => terminal.status?.(line), 'records');
  try {
    const collection = await client.getCollection({ name: String(name), embeddingFunction: null });
    const result = await collection.reembed({
      embeddingFunction,
      formerName: formerName as string | undefined,
      signal: stopping.signal,
      onProgress: ({ doneCount, totalCount, embeddedCount }) =>
        progress.update(doneCount, totalCount, embeddedCount),
    });
    progress.end();
    const rate = Math.round(progress.rate(result.embeddedCount));
    terminal.out(`${name}: ${counted(result.embeddedCount, 'record')} embedded, ${rate}/s`);
    if (values['delete-former'] === true) await client.deleteCollection({ name: result.formerName });
    else terminal.out(`The former collection is kept as ${result.formerName}.`);
    return 0;
  } catch (error) {
    return tellInterrupted(error, stopping.signal, terminal);
  } finally {
    progress.end();
    await client.close();
  }
}

/** Who writes makes a database of a directory that is missing: it is opened for reading first. */
async function checkThere(path: string): Promise<void> {
  await (await openDatabase({ path, threads: 0, readOnly: true })).close();
}
