/**
 * What touches the machine: the `Files` port with Node's adapter, files of models, checksums, memory and
 * threads.
 */
export { checksum } from './checksum.ts';
export { type Files, type ReadAt, readParts, readTextFile, systemFiles, watchTextFile } from './files.ts';
export { machineMemoryBytes, machineThreads, makeThreadNice } from './machine.ts';
export { appendBytes, fileBytes, homeFolder, packageFolder, readFileIfThere } from './model-files.ts';
export { checkThreadFile } from './thread-file.ts';
