/** `tessera restore`: a database of a backup, verified. */
import { type RestoreReport, restore } from '../transfer/index.ts';
import type { Command, Terminal } from './command.ts';
import type { OptionValues } from './options.ts';
import { counted } from './printing.ts';

/** The command. */
export const restoreCommand: Command = {
  name: 'restore',
  summary: 'Makes a database of a backup, verified',
  description:
    'Makes a database in the directory PATH of the backup FROM, a folder or an archive. First the checksums of\n' +
    'the files are compared, then every record with its own and with the indexes; only then does PATH change.\n' +
    'A directory that is there is refused; with --replace it is kept beside the new one, under another name:\n' +
    'stop what has it open first. Exit status: 0 when it is restored, 1 when it is not.',
  operands: ['FROM', 'PATH'],
  options: [
    { name: 'replace', value: null, fallback: null, summary: 'Puts what is at PATH aside' },
    {
      name: 'accept-damage',
      value: null,
      fallback: null,
      summary: 'Takes records that were damaged when the backup was made',
    },
    { name: 'json', value: null, fallback: null, summary: 'Prints JSON instead of text' },
    { name: 'help', value: null, fallback: null, summary: 'Shows this text' },
  ],
  run,
};

async function run(values: OptionValues, terminal: Terminal): Promise<number> {
  const report = await restore({
    from: String(values['FROM']),
    to: String(values['PATH']),
    replace: values['replace'] === true,
    acceptDamage: values['accept-damage'] === true,
  });
  terminal.out(values['json'] === true ? JSON.stringify(report, null, 2) : formatReport(report));
  return 0;
}

function formatReport({ to, createdAt, replaced, collections }: RestoreReport): string {
  const lines = collections.map(({ name, recordCount, faultCount }) => {
    const state = faultCount === 0 ? 'sound' : counted(faultCount, 'fault');
    return `${name}: ${counted(recordCount, 'record')}, ${state}`;
  });
  const aside = replaced === null ? '' : `; what was there is in ${replaced}`;
  return [...lines, `${to}: as of ${createdAt}${aside}`].join('\n');
}
