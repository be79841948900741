/**
 * Bundles what the package runs, after the compiler has made `dist` of the sources:
 *
 * - its entries, `dist/index.js` and so on, with what they share in `dist/shared-*.js`, so that a class is
 *   the same whichever entry it comes from;
 * - the programs of its threads, each in one file.
 *
 *   node scripts/bundle.mjs
 *
 * Finding, opening and compiling a hundred small files takes two to three times as long as the same code in
 * a few, and a thread loads its modules anew (docs/adr/0011). Beside the bundles `dist` keeps one file for
 * each source, for tests and benchmarks; of those only the declarations are packed.
 *
 * Each file is written beside `dist` and takes its place whole: `npm start` builds, and what was started
 * before may be loading.
 *
 * Comments go, names and lines stay, and maps lead to the sources, so that a stack trace reads as before.
 * Nothing of other packages comes in.
 */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const source = join(root, 'src');
const dist = join(root, 'dist');
/** As deep as `dist`, so that maps lead to the sources from there too. */
const made = mkdtempSync(join(root, 'dist-'));
process.once('exit', () => rmSync(made, { recursive: true }));

const ENTRIES = ['index', 'http', 'embed', 'server', 'cli'];
const THREADS = ['engine/worker', 'server/access/bcrypt-worker', 'models/use-lite/worker'];
const SHARED = 'shared-';

const isOurs = (id) => id.startsWith('.') || id.startsWith('/');

/** A file named beside the source that names it: the bundle lies in `dist` itself. */
const BESIDE = /new URL\((['"])\.\/([^'"]+)\1, import\.meta\.url\)/g;
const urls = {
  name: 'urls',
  transform(code, id) {
    const folder = relative(source, dirname(id));
    const moved = code.replace(BESIDE, (_, quote, file) => {
      return `new URL(${quote}./${folder}/${file}${quote}, import.meta.url)`;
    });
    return moved === code ? null : { code: moved, map: null };
  },
};

// One character beyond Latin-1 makes V8 keep the whole text with two bytes a character.
const escaped = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

async function bundle(input, plugins, output) {
  const bundled = await rolldown({
    cwd: root,
    input,
    plugins,
    platform: 'node',
    tsconfig: false,
    external: (id) => !isOurs(id),
  });
  const written = await bundled.write({
    format: 'esm',
    comments: false,
    sourcemap: true,
    sourcemapExcludeSources: true,
    ...output,
  });
  await bundled.close();
  const folder = relative(made, output.dir ?? dirname(output.file));
  const names = written.output.map(({ fileName }) => join(folder, fileName));
  for (const { type, fileName, code } of written.output) {
    if (type !== 'chunk') continue;
    const file = join(made, folder, fileName);
    writeFileSync(file, readFileSync(file, 'utf8').replace(/[^\0-\xff]/g, escaped));
    for (const [, , beside] of code.matchAll(BESIDE)) {
      const named = join(folder, dirname(fileName), beside);
      // What is there is in `dist` by now, or among what comes there next.
      if (!names.includes(named) && !existsSync(join(dist, named)))
        throw new Error(`${fileName} names ${beside}, which is not there.`);
    }
  }
  for (const name of names) renameSync(join(made, name), join(dist, name));
  return names;
}

for (const program of THREADS) {
  const output = { file: join(made, `${program}.js`), codeSplitting: false };
  await bundle(join(source, `${program}.ts`), [], output);
}
const names = await bundle(
  Object.fromEntries(ENTRIES.map((name) => [name, join(source, `${name}.ts`)])),
  [urls],
  {
    dir: made,
    entryFileNames: '[name].js',
    chunkFileNames: `${SHARED}[name].js`,
  },
);
for (const name of readdirSync(dist)) {
  if (name.startsWith(SHARED) && !names.includes(name)) rmSync(join(dist, name));
}
