/** `tessera verify`: whether every record is as it was written, and in every index. */
import type { VerifyReport } from '../api/index.ts';
import { COLLECTION_OPERANDS, COLLECTION_OPTIONS, visitCollections } from './collections.ts';
import type { Command, Terminal } from './command.ts';
import type { OptionValues } from './options.ts';
import { counted, faultLines, printVisited } from './printing.ts';

/** The command. */
export const verifyCommand: Command = {
  name: 'verify',
  summary: 'Compares every record with its checksums and the indexes',
  description:
    'Reads every record of the database in the directory PATH, which other processes may have open, and\n' +
    'compares it with its checksums and with the indexes. Changes nothing. Exit status: 0 when all is sound,\n' +
    '1 when there are faults.',
  operands: COLLECTION_OPERANDS,
  options: COLLECTION_OPTIONS,
  run,
};

async function run(values: OptionValues, terminal: Terminal): Promise<number> {
  const visited = await visitCollections(values, true, (backend, scope) => backend.verify(scope));
  printVisited(terminal, visited, values['json'] === true, formatReport);
  return visited.every(({ report }) => report?.faultCount === 0) ? 0 : 1;
}

function formatReport(collection: string, report: VerifyReport): string[] {
  const { recordCount, faultCount } = report;
  const state = faultCount === 0 ? 'sound' : counted(faultCount, 'fault');
  return [`${collection}: ${counted(recordCount, 'record')}, ${state}`, ...faultLines(report)];
}
