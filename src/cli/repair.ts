/** `tessera repair`: makes the indexes that differ from the records anew. */
import type { RepairReport } from '../api/index.ts';
import { COLLECTION_OPERANDS, COLLECTION_OPTIONS, visitCollections } from './collections.ts';
import type { Command, Terminal } from './command.ts';
import type { OptionValues } from './options.ts';
import { counted, faultLines, number, printVisited } from './printing.ts';

/** The command. */
export const repairCommand: Command = {
  name: 'repair',
  summary: 'Makes the indexes that differ from the records anew',
  description:
    'Verifies the database in the directory PATH, which other processes may have open, and makes the indexes\n' +
    'that differ from the records anew. Records are never changed: a damaged one has to be written anew or\n' +
    'restored from a copy. Exit status: 0 when all is sound afterwards, 1 when faults are left.',
  operands: COLLECTION_OPERANDS,
  options: COLLECTION_OPTIONS,
  run,
};

async function run(values: OptionValues, terminal: Terminal): Promise<number> {
  const visited = await visitCollections(values, false, (backend, scope) => backend.repair(scope));
  printVisited(terminal, visited, values['json'] === true, formatReport);
  return visited.every(({ report }) => report?.after.faultCount === 0) ? 0 : 1;
}

function formatReport(collection: string, { before, repairedCount, after }: RepairReport): string[] {
  const records = `${collection}: ${counted(after.recordCount, 'record')}`;
  if (before.faultCount === 0) return [`${records}, sound`];
  const made = `${counted(repairedCount, 'entry', 'entries')} made anew`;
  const left = after.faultCount === 0 ? 'none left' : `${number(after.faultCount)} left`;
  return [`${records}, ${counted(before.faultCount, 'fault')}, ${made}, ${left}`, ...faultLines(after)];
}
