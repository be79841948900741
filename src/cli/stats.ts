/** `tessera stats`: what the collections of a database hold. */
import type { CollectionStatistics } from '../api/index.ts';
import { COLLECTION_OPERANDS, COLLECTION_OPTIONS, visitCollections } from './collections.ts';
import type { Command, Terminal } from './command.ts';
import type { OptionValues } from './options.ts';
import { counted, number, printVisited, size } from './printing.ts';

/** The command. */
export const statsCommand: Command = {
  name: 'stats',
  summary: 'Shows what the collections hold and how far their indexes are',
  description:
    'Reads the database in the directory PATH, which other processes may have open. What those have in memory\n' +
    'is theirs: ask them, by collection.stats() or GET .../stats.',
  operands: COLLECTION_OPERANDS,
  options: COLLECTION_OPTIONS,
  run,
};

async function run(values: OptionValues, terminal: Terminal): Promise<number> {
  const visited = await visitCollections(values, true, (backend, scope) => backend.statistics(scope));
  printVisited(terminal, visited, values['json'] === true, formatStatistics);
  return visited.every(({ error }) => error === null) ? 0 : 1;
}

function formatStatistics(collection: string, statistics: CollectionStatistics): string[] {
  const { recordCount, sequence, dimension, fileBytes, vectors, text } = statistics;
  const behind = (position: number): string =>
    position === sequence ? 'up to date' : `${counted(sequence - position, 'change')} behind`;
  return [
    collection,
    `  records     ${number(recordCount)}${dimension === null ? '' : ` of ${counted(dimension, 'dimension')}`}`,
    `  changes     ${number(sequence)}`,
    `  file        ${size(fileBytes)}`,
    `  cells       ${vectors.savedPosition === 0 ? 'none in the file' : behind(vectors.savedPosition)}`,
    `  text index  ${text.isBuilt ? behind(text.position) : 'none'}`,
    `  recall      ${vectors.recall}`,
  ];
}
