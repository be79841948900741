/** How reports about collections are printed, for people and for programs. */
import type { Fault, VerifyReport } from '../api/index.ts';
import type { Visited } from './collections.ts';
import type { Terminal } from './command.ts';

/** Prints what became of each collection: as one JSON array, or as the lines that `format` makes. */
export function printVisited<T>(
  terminal: Terminal,
  visited: readonly Visited<T>[],
  isJson: boolean,
  format: (collection: string, report: T) => string[],
): void {
  if (isJson) {
    const entries = visited.map(({ collection, report, error }) => ({
      collection,
      ...(report ?? { error }),
    }));
    terminal.out(JSON.stringify(entries, null, 2));
    return;
  }
  if (visited.length === 0) terminal.out('There are no collections.');
  for (const { collection, report, error } of visited) {
    const lines = error === null ? format(collection, report) : [`${collection}: ${error.message}`];
    terminal.out(lines.join('\n'));
  }
}

/** A count with the noun that it counts: `1 record`, `2,000 records`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${number(count)} ${count === 1 ? noun : plural}`;
}

/** A number with its thousands apart. */
export function number(value: number): string {
  return value.toLocaleString('en-US');
}

/** A number of bytes in the largest unit that leaves a whole one. */
export function size(bytes: number): string {
  const units = ['bytes', 'KB', 'MB', 'GB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toLocaleString('en-US', { maximumFractionDigits: 1 })} ${units[unit]}`;
}

/** The faults of a report, a line each. */
export function faultLines({ faults, faultCount }: VerifyReport): string[] {
  const lines = faults.map(({ id, part, message }: Fault) => {
    return `  ${id === null ? '' : `${JSON.stringify(id)} `}(${part}): ${message}`;
  });
  return faultCount > faults.length ? [...lines, `  and ${number(faultCount - faults.length)} more`] : lines;
}
