/** What touches the machine's files and bytes: the `Files` port with Node's adapter, and checksums. */
export { checksum } from './checksum.ts';
export { type Files, systemFiles } from './files.ts';
