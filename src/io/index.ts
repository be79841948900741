/** What touches the machine: the `Files` port with Node's adapter, checksums, the size of its memory. */
export { checksum } from './checksum.ts';
export { type Files, systemFiles } from './files.ts';
export { machineMemoryBytes } from './machine.ts';
