/**
 * Bundles the program of the database's worker threads into one file, `dist/engine/worker.js`.
 *
 *   node scripts/bundle-threads.mjs
 *
 * Every thread loads its modules anew, and finding, opening and compiling a hundred small files takes three
 * times as long as the same code in one, and more memory (docs/adr/0011). The other programs of the package
 * stay as the compiler makes them: one file for each source, so that stack traces and subpaths are true.
 *
 * Comments go, names stay, so that a stack trace reads as before. Nothing of other packages comes in.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const file = join(root, 'dist/engine/worker.js');

const isOurs = (id) => id.startsWith('.') || id.startsWith('/');
const bundle = await rolldown({
  cwd: root,
  input: join(root, 'src/engine/worker.ts'),
  platform: 'node',
  tsconfig: false,
  external: (id) => !isOurs(id),
});
await bundle.write({
  file,
  format: 'esm',
  codeSplitting: false,
  comments: false,
  sourcemap: true,
  sourcemapExcludeSources: true,
});
await bundle.close();

// One character beyond Latin-1 makes V8 keep the whole text with two bytes a character.
const escaped = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
writeFileSync(file, readFileSync(file, 'utf8').replace(/[^\0-\xff]/g, escaped));
