/** What a command is, and the world that it runs in. */
import type { OptionSpec, OptionValues } from './options.ts';

/** What a command may touch of its process; tests hand in their own. */
export interface Terminal {
  readonly env: { readonly [name: string]: string | undefined };
  /** For people: where the server listens, help texts. */
  out(text: string): void;
  /** For people, when something is wrong. */
  err(text: string): void;
  /** Shows a line in place of the last one, or none; absent where nobody looks on. */
  status?(line: string): void;
  /** Resolves with the name of the signal that asks the process to end. */
  readonly stopped: Promise<string>;
  /** Calls `listener` at every SIGHUP, which asks a server to read its files again. */
  onHangup?(listener: () => void): void;
}

/** One command of `tessera`. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  /** What the help says beyond the options. */
  readonly description: string;
  /** Placeholders of what is given without an option's name; what stands in `[]` may be left out. */
  readonly operands: readonly string[];
  readonly options: readonly OptionSpec[];
  /** Runs to its end and returns the exit status. */
  run(values: OptionValues, terminal: Terminal): Promise<number>;
}
