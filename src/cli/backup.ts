/** `tessera backup`: a copy of a database that is in use, with checksums. */
import { type BackupEntry, type BackupReport, backup } from '../transfer/index.ts';
import type { Command, Terminal } from './command.ts';
import type { OptionValues } from './options.ts';
import { counted, size } from './printing.ts';

/** The command. */
export const backupCommand: Command = {
  name: 'backup',
  summary: 'Copies a database that is in use, with checksums',
  description:
    'Copies the database in the directory PATH, which other processes may write to meanwhile, into TO: a folder,\n' +
    'or with --archive a single file. Nothing may be there yet. Each collection is copied as of one moment. With\n' +
    '--since, only what has changed since an earlier backup is copied; keep that one as long as the new one.\n' +
    'Exit status: 0 when all was copied, 1 when a collection is damaged: what could be copied is in the backup.',
  operands: ['PATH', 'TO'],
  options: [
    { name: 'collection', value: 'NAME', fallback: 'all', summary: 'Only this collection' },
    { name: 'since', value: 'FOLDER', fallback: null, summary: 'An earlier backup to go on from' },
    { name: 'archive', value: null, fallback: null, summary: 'Makes a single file, an SQLite archive' },
    { name: 'json', value: null, fallback: null, summary: 'Prints JSON instead of text' },
    { name: 'help', value: null, fallback: null, summary: 'Shows this text' },
  ],
  run,
};

async function run(values: OptionValues, terminal: Terminal): Promise<number> {
  const { collection, since } = values;
  const report = await backup({
    from: String(values['PATH']),
    to: String(values['TO']),
    collections: collection === undefined ? undefined : [String(collection)],
    since: since === undefined ? undefined : String(since),
    archive: values['archive'] === true,
  });
  terminal.out(values['json'] === true ? JSON.stringify(report, null, 2) : formatReport(report));
  return report.collections.every(({ error, damagedCount }) => error === null && damagedCount === 0) ? 0 : 1;
}

function formatReport({ to, bytes, collections }: BackupReport): string {
  return [...collections.map(formatEntry), `${to}: ${size(bytes)}`].join('\n');
}

function formatEntry({ name, kind, recordCount, damagedCount, bytes, error }: BackupEntry): string {
  if (error !== null) return `${name}: not copied: ${error.message}`;
  const damaged = damagedCount === 0 ? '' : `, ${counted(damagedCount, 'fault')} copied as they are`;
  const what = kind === 'unchanged' ? 'unchanged' : `${kind === 'changes' ? 'changes, ' : ''}${size(bytes)}`;
  return `${name}: ${counted(recordCount, 'record')}, ${what}${damaged}`;
}
