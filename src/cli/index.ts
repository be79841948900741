/**
 * The command `tessera`. main.ts finds the command, options.ts reads its options; one file for each command.
 */
export type { Terminal } from './command.ts';
export { main } from './main.ts';
