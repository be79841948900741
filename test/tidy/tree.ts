/** The files that the laws apply to. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { readSource, type SourceFile } from './source.ts';

/** Folders with code of ours. */
const FOLDERS = ['src', 'test', 'bench', 'demo', 'scripts'];

/** What is generated, installed, or written in another language (AssemblyScript, which shares the ending). */
const FOREIGN = /^(?:src\/kernel\/assembly\/|test\/fixtures\/)|\.generated\.ts$|\/node_modules\//;

/** Root of the repository. */
export const ROOT: string = path.join(import.meta.dirname, '../..');

/** Every source file of ours, in the order of their paths. */
export function readTree(): SourceFile[] {
  const files = [path.join(ROOT, 'vitest.config.ts')];
  for (const folder of FOLDERS) {
    for (const entry of readdirSync(path.join(ROOT, folder), { recursive: true, withFileTypes: true })) {
      if (entry.isFile() && /\.(?:ts|mjs)$/.test(entry.name))
        files.push(path.join(entry.parentPath, entry.name));
    }
  }
  return files
    .map((file) => path.relative(ROOT, file).split(path.sep).join('/'))
    .filter((file) => !FOREIGN.test(file))
    .sort()
    .map((file) => readSource(file, readFileSync(path.join(ROOT, file), 'utf8')));
}
