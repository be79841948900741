/**
 * Bundles the programs that tests start, each into a file or two in a temporary folder, once for a run of
 * the tests. Finding, opening and compiling the hundred files of the built package takes a process longer
 * than most of them live; where its system calls are watched, much longer.
 *
 * The code is that of `dist`, and finds what it loads by its own place: workers, the SQLite driver, models.
 */
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import type { TestProject } from 'vitest/node';
import { ROOT } from '../tidy/tree.ts';

const PROGRAMS = [
  'test/soak/clashing-process.mjs',
  'test/soak/deed-process.mjs',
  'test/soak/writing-process.mjs',
  'test/support/churning-process.mjs',
  'test/support/load.mjs',
  'test/support/process.mjs',
  'test/support/reader.mjs',
  'test/support/reembedding-process.mjs',
];

/** A module says its own URL, and not that of the file which it is bundled into. */
const ownUrls = {
  name: 'own-urls',
  transform: (code: string, file: string): string =>
    code.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(file).href)),
};

/** What vitest calls before the first test; what it gives is called after the last one. */
export default async function setup(project: TestProject): Promise<() => void> {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-programs-'));
  // Some of them become another user.
  chmodSync(folder, 0o755);
  project.provide('programs', folder);
  // Tests that start none need no build.
  if (existsSync(join(ROOT, 'dist/index.js'))) {
    const input = Object.fromEntries(PROGRAMS.map((file) => [basename(file, '.mjs'), join(ROOT, file)]));
    const isForeign = (id: string): boolean => !/^[./]/.test(id);
    const options = { cwd: ROOT, platform: 'node', tsconfig: false, external: isForeign } as const;
    const bundle = await rolldown({ ...options, input, plugins: [ownUrls] });
    await bundle.write({
      dir: folder,
      comments: false,
      entryFileNames: '[name].mjs',
      chunkFileNames: '[name].mjs',
    });
    await bundle.close();
  }
  return () => rmSync(folder, { recursive: true });
}
