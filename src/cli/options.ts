/**
 * Options and operands of commands as data: one table parses them, prints them in `--help` and finds the one
 * that was meant.
 */
import { parseArgs } from 'node:util';
import { nearestOf } from '../base/index.ts';

/** One option of a command. */
export interface OptionSpec {
  readonly name: string;
  /** Placeholder of the value; `null` for a switch. */
  readonly value: string | null;
  /** As shown in the help; `null` when there is none. */
  readonly fallback: string | null;
  readonly summary: string;
}

/**
 * What was given: strings for options with a value and for operands, `true` for switches, an array for an
 * operand that may be given more than once.
 */
export type OptionValues = { readonly [name: string]: string | boolean | readonly string[] | undefined };

/** The command line makes no sense: exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * Parses a command's options and operands, which are found under their placeholders; one in `[]` may be left
 * out, and is found without them; the last one may end in `...` and takes all that are left. Errors:
 * `UsageError` naming the nearest option that exists.
 */
export function parseOptions(
  args: readonly string[],
  specs: readonly OptionSpec[],
  operands: readonly string[] = [],
): OptionValues {
  checkNames(args, specs);
  const options = Object.fromEntries(
    specs.map(({ name, value }) => [name, { type: value === null ? 'boolean' : 'string' } as const]),
  );
  let parsed: { readonly values: object; readonly positionals: readonly string[] };
  try {
    parsed = parseArgs({ args: [...args], options, strict: true, allowPositionals: operands.length > 0 });
  } catch (cause) {
    // Node's sentences name the option and what is wrong with it.
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
  const { values, positionals } = parsed;
  const isHelpWanted = 'help' in values;
  const neededCount = operands.filter((name) => !name.startsWith('[')).length;
  const isOpen = operands.at(-1)?.endsWith('...') === true;
  const isFitting = positionals.length >= neededCount && (isOpen || positionals.length <= operands.length);
  if (!isFitting && !isHelpWanted) {
    throw new UsageError(`Expected ${operands.join(' ')}, got ${positionals.join(' ') || 'nothing'}.`);
  }
  return {
    ...values,
    ...Object.fromEntries(
      operands.map((name, i) => [
        name.replace(/[[\]]/g, ''),
        name.endsWith('...') ? positionals.slice(i) : positionals[i],
      ]),
    ),
  };
}

function checkNames(args: readonly string[], specs: readonly OptionSpec[]): void {
  const known = specs.map(({ name }) => `--${name}`);
  for (const arg of args) {
    if (arg === '--') return;
    if (!arg.startsWith('-') || arg === '-') continue;
    const [name = arg] = arg.split('=');
    if (known.includes(name)) continue;
    const nearest = nearestOf(name, known);
    const hint = nearest === null ? '' : ` Did you mean ${nearest}?`;
    throw new UsageError(`Unknown option ${name}.${hint}`);
  }
}

/** The options as lines of a help text. */
export function formatOptions(specs: readonly OptionSpec[]): string {
  const left = specs.map(({ name, value }) => `  --${name}${value === null ? '' : ` ${value}`}`);
  const width = Math.max(...left.map((text) => text.length)) + 3;
  return specs
    .map(({ fallback, summary }, i) => {
      const shown = fallback === null ? '' : ` (default: ${fallback})`;
      return `${left[i]!.padEnd(width)}${summary}${shown}`;
    })
    .join('\n');
}
