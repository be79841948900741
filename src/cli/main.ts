/** The command line: finds the command, prints help and errors, and says which status to exit with. */
import { RELEASE_VERSION } from '../api/index.ts';
import { DatabaseError, nearestOf } from '../base/index.ts';
import { backupCommand } from './backup.ts';
import type { Command, Terminal } from './command.ts';
import { ingestCommand } from './ingest.ts';
import { keyCommand } from './key.ts';
import { formatOptions, parseOptions, UsageError } from './options.ts';
import { reembedCommand } from './reembed.ts';
import { repairCommand } from './repair.ts';
import { restoreCommand } from './restore.ts';
import { runCommand } from './run.ts';
import { statsCommand } from './stats.ts';
import { verifyCommand } from './verify.ts';

const COMMANDS: readonly Command[] = [
  runCommand,
  keyCommand,
  statsCommand,
  verifyCommand,
  repairCommand,
  reembedCommand,
  ingestCommand,
  backupCommand,
  restoreCommand,
];

/**
 * Runs one command line, without the program's name. Exit statuses: 0 done, 1 it failed or found faults, 2 it
 * makes no sense.
 *
 * Faults of ours are not caught: the process dies with the stack.
 */
export async function main(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await dispatch(args, terminal);
  } catch (error) {
    if (!(error instanceof UsageError) && !(error instanceof DatabaseError)) throw error;
    terminal.err(`tessera: ${error.message}`);
    if (!(error instanceof UsageError)) return 1;
    terminal.err('See tessera --help.');
    return 2;
  }
}

async function dispatch(args: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    terminal.out(formatHelp());
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === '-v') {
    terminal.out(RELEASE_VERSION);
    return 0;
  }
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command === undefined) {
    const nearest = nearestOf(name, [...COMMANDS.map((candidate) => candidate.name), '--help', '--version']);
    throw new UsageError(`Unknown command ${name}.${nearest === null ? '' : ` Did you mean ${nearest}?`}`);
  }
  const values = parseOptions(rest, command.options, command.operands);
  if (values['help'] === true) {
    terminal.out(formatCommandHelp(command));
    return 0;
  }
  return command.run(values, terminal);
}

function formatHelp(): string {
  const commands = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(10)}${summary}`).join('\n');
  return `tessera ${RELEASE_VERSION}: an embedding database

Usage: tessera COMMAND [OPTIONS]

Commands:
${commands}

Options:
  --help    Shows this text, or after a command its options
  --version Shows the version`;
}

function formatCommandHelp({ name, description, operands, options }: Command): string {
  return `Usage: ${['tessera', name, ...operands].join(' ')} [OPTIONS]\n\n${description}\n\nOptions:\n${formatOptions(options)}`;
}
