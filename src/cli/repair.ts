/** `tessera repair`: makes the indexes that differ from the records anew, and saves what damage has left. */
import type { Backend, CollectionScope, RepairReport, SalvageReport } from '../api/index.ts';
import { DatabaseError } from '../base/index.ts';
import { COLLECTION_OPERANDS, COLLECTION_OPTIONS, visitCollections } from './collections.ts';
import type { Command, Terminal } from './command.ts';
import type { OptionValues } from './options.ts';
import { counted, faultLines, number, printVisited } from './printing.ts';

/** What is appended to the name of a damaged collection for the one that holds what was saved. */
const SALVAGED_SUFFIX = '-salvaged';

/** The command. */
export const repairCommand: Command = {
  name: 'repair',
  summary: 'Makes the indexes that differ from the records anew',
  description:
    'Verifies the database in the directory PATH, which other processes may have open, and makes the indexes\n' +
    'that differ from the records anew. Records are never changed: a damaged one has to be written anew or\n' +
    'restored from a copy. With --salvage, what can be read of a collection that is damaged is copied into a\n' +
    `new one, NAME${SALVAGED_SUFFIX}, and what is lost is listed; the damaged one stays as it is. Exit status: 0\n` +
    'when all is sound afterwards, 1 when faults are left.',
  operands: COLLECTION_OPERANDS,
  options: [
    ...COLLECTION_OPTIONS,
    {
      name: 'salvage',
      value: null,
      fallback: null,
      summary: 'Saves what can be read of damaged collections',
    },
  ],
  run,
};

interface Repaired {
  /** `null` for a collection that cannot be opened. */
  readonly repair: RepairReport | null;
  readonly salvage: SalvageReport | null;
}

async function run(values: OptionValues, terminal: Terminal): Promise<number> {
  const isJson = values['json'] === true;
  if (values['salvage'] === true) {
    const visited = await visitCollections(values, false, repairAndSalvage);
    printVisited(terminal, visited, isJson, formatRepaired);
    return visited.every(({ report }) => report?.repair?.after.faultCount === 0) ? 0 : 1;
  }
  const visited = await visitCollections(values, false, (backend, scope) => backend.repair(scope));
  printVisited(terminal, visited, isJson, formatReport);
  return visited.every(({ report }) => report?.after.faultCount === 0) ? 0 : 1;
}

async function repairAndSalvage(backend: Backend, scope: CollectionScope): Promise<Repaired> {
  const repair = await unlessCorrupt(backend.repair(scope));
  if (repair?.after.faultCount === 0) return { repair, salvage: null };
  return { repair, salvage: await salvage(backend, scope) };
}

async function salvage(backend: Backend, scope: CollectionScope): Promise<SalvageReport> {
  const { name } = await backend.getCollectionById(scope);
  return backend.salvage(scope, `${name}${SALVAGED_SUFFIX}`);
}

async function unlessCorrupt<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof DatabaseError && error.kind === 'corrupt') return null;
    throw error;
  }
}

function formatRepaired(collection: string, { repair, salvage }: Repaired): string[] {
  const head = repair === null ? [`${collection}: cannot be opened`] : formatReport(collection, repair);
  if (salvage === null) return head;
  const { name, savedCount, lostCount, losses } = salvage;
  const lines = losses.map(({ row, id, message }) => {
    return `    ${id === null ? '' : `${JSON.stringify(id)} `}(row ${row}): ${message}`;
  });
  const more = lostCount > losses.length ? [`    and ${number(lostCount - losses.length)} more`] : [];
  const saved = `  ${counted(savedCount, 'record')} saved in ${name}, ${number(lostCount)} lost`;
  return [...head, lostCount === 0 ? saved : `${saved}:`, ...lines, ...more];
}

function formatReport(collection: string, { before, repairedCount, after }: RepairReport): string[] {
  const records = `${collection}: ${counted(after.recordCount, 'record')}`;
  if (before.faultCount === 0) return [`${records}, sound`];
  const made = `${counted(repairedCount, 'entry', 'entries')} made anew`;
  const left = after.faultCount === 0 ? 'none left' : `${number(after.faultCount)} left`;
  return [`${records}, ${counted(before.faultCount, 'fault')}, ${made}, ${left}`, ...faultLines(after)];
}
