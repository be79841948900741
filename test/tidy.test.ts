/**
 * The laws of the house, applied to the source text.
 *
 * A law that finds nothing may be a law that looks at nothing. So each one is broken on purpose first, beside
 * something similar that is allowed, and the walk over the tree must have seen as much as the tree is known
 * to hold.
 */
import { describe, expect, it } from 'vitest';
import { findDeadFiles, judge, LAWS } from './tidy/laws.ts';
import { findExports, findFunctions, findImports, findTests, readSource } from './tidy/source.ts';
import { readTree } from './tidy/tree.ts';

/** For each law: files that break it, and files that look alike and do not. */
interface Plant {
  readonly breaks: readonly (readonly [path: string, text: string])[];
  readonly keeps: readonly (readonly [path: string, text: string])[];
}

const long = (count: number, line = 'go();\n'): string => line.repeat(count);

const PLANTS: Readonly<Record<string, Plant>> = {
  'no Date.now': {
    breaks: [['src/engine/a.ts', 'const t = Date.now();']],
    keeps: [
      ['src/base/clock.ts', 'const t = Date.now();'],
      ['src/engine/a.ts', '// Date.now() would be wrong.\nconst t = "Date.now()";'],
      ['src/engine/a.test.ts', 'const t = Date.now();'],
    ],
  },
  'no new Date(': {
    breaks: [['src/server/a.ts', 'const t = new Date();']],
    keeps: [['src/server/a.ts', 'const t = new Date(ms);']],
  },
  'no performance.': {
    breaks: [['src/query/a.ts', 'const t = performance.now();']],
    keeps: [['src/base/clock.ts', 'const t = performance.now();']],
  },
  'no Math.random': {
    breaks: [
      ['src/vectors/a.ts', 'const x = Math.random();'],
      ['src/vectors/a.test.ts', 'const x = Math.random();'],
    ],
    keeps: [['src/vectors/a.ts', 'const x = numbers();']],
  },
  'no crypto.randomUUID': {
    breaks: [['src/engine/a.ts', 'const id = globalThis.crypto.randomUUID();']],
    keeps: [['src/base/random.ts', 'const id = globalThis.crypto.randomUUID();']],
  },
  'no process.env': {
    breaks: [['src/engine/a.ts', "const home = process.env['HOME'];"]],
    keeps: [['src/cli/a.ts', "const home = process.env['HOME'];"]],
  },
  'no .listen(': {
    breaks: [['src/cli/a.ts', 'http.createServer().listen(80);']],
    keeps: [['src/server/a.ts', 'http.createServer().listen(80);']],
  },
  'no console.': {
    breaks: [['src/engine/a.ts', 'console.log(1);']],
    keeps: [['src/cli/a.ts', 'console.log(1);']],
  },
  'no a debt word': {
    breaks: [['docs.ts', `// ${'TO'}${'DO'}: later`]],
    keeps: [['docs.ts', '// Every todo list is a collection.']],
  },
  'no .only(': {
    breaks: [['src/base/a.test.ts', "it.only('works', () => {});"]],
    keeps: [['src/base/a.test.ts', "it('works', () => {});"]],
  },
  'no a focused suite (.concurrent.only, fit, fdescribe)': {
    breaks: [['src/base/a.test.ts', "fdescribe('a', () => {});"]],
    keeps: [['src/base/a.test.ts', "const benefit = profit('a');"]],
  },
  'reserved modules': {
    breaks: [
      ['src/engine/a.ts', "import { rm } from 'node:fs/promises';"],
      ['src/engine/a.ts', "const fs = await import('node:fs');"],
      ['src/records/a.ts', "import Database from 'better-sqlite3';"],
      ['src/records/a.ts', "const sqlite = require('node:sqlite');"],
    ],
    keeps: [
      ['src/io/a.ts', "import { rm } from 'node:fs/promises';"],
      ['src/sqlite/a.ts', "import Database from 'better-sqlite3';"],
      ['src/records/a.ts', "const driver = 'node:sqlite';"],
      ['src/records/a.test.ts', "import { rm } from 'node:fs/promises';"],
    ],
  },
  'loads in a browser': {
    breaks: [
      ['src/client/a.ts', "import { Buffer } from 'node:buffer';"],
      ['src/http.ts', "import { openEngine } from './engine/index.ts';"],
    ],
    keeps: [
      ['src/server/a.ts', "import { Buffer } from 'node:buffer';"],
      ['src/http.ts', "import { Client } from './client/index.ts';"],
      ['src/client/a.test.ts', "import { Buffer } from 'node:buffer';"],
    ],
  },
  'imports go down': {
    breaks: [
      ['src/base/a.ts', "import { x } from '../api/index.ts';"],
      ['src/records/a.ts', "import type { x } from '../vectors/index.ts';"],
      ['src/engine/a.ts', "import { x } from '../records/table.ts';"],
      ['src/engine/a.ts', "export { x } from '../records/table.ts';"],
      ['src/cli/a.ts', "import { x } from '../server.ts';"],
      ['src/base/a.ts', "import { x } from './index.ts';"],
      ['src/base/a.ts', "import { x } from '../../test/a.ts';"],
    ],
    keeps: [
      ['src/api/a.ts', "import { x } from '../base/index.ts';"],
      ['src/base/a.ts', "import { x } from './b.ts';"],
      ['src/index.ts', "import { x } from './engine/index.ts';"],
      ['test/a.ts', "import { x } from '../src/index.ts';"],
    ],
  },
  'imports name files': {
    breaks: [['src/base/a.ts', "import { x } from './b';"]],
    keeps: [['src/base/a.ts', "import { x } from './b.ts';"]],
  },
  'known rooms': {
    breaks: [
      ['src/utils/a.ts', ''],
      ['src/helpers.ts', ''],
    ],
    keeps: [
      ['src/engine/a.ts', ''],
      ['src/cli.ts', ''],
    ],
  },
  'doors name names': {
    breaks: [
      ['src/base/index.ts', "/** All of it. */\nexport * from './a.ts';"],
      ['src/base/index.ts', "export { a } from './a.ts';"],
    ],
    keeps: [['src/base/index.ts', "/** What it is for. */\nexport { a } from './a.ts';"]],
  },
  'file names': {
    breaks: [
      ['src/base/bitSet.ts', ''],
      ['src/base/bit_set.test.ts', ''],
    ],
    keeps: [
      ['src/base/bit-set.test.ts', ''],
      ['bench/small-collections.bench.mjs', ''],
    ],
  },
  'short files': {
    breaks: [['src/base/a.ts', long(600)]],
    keeps: [['src/base/a.ts', long(599)]],
  },
  'short lines': {
    breaks: [
      ['src/base/a.ts', `// ${'a '.repeat(54)}`],
      ['src/base/a.ts', `const a = ${'b + '.repeat(30)} c;`],
      ['src/base/a.ts', `const a = 1; // ${'a'.repeat(100)}`],
    ],
    keeps: [
      ['src/base/a.ts', `// ${'a'.repeat(107)}`],
      ['src/base/a.ts', `// https://${'a'.repeat(120)}`],
      ['src/base/a.ts', `const a = 'Expected ${'a '.repeat(60)}';`],
    ],
  },
  'short functions': {
    breaks: [
      ['src/base/a.ts', `function a() {\n${long(69)}}`],
      ['src/base/a.ts', `class A {\n  static async #a(b: string): Promise<{ c: number }> {\n${long(69)}}\n}`],
      ['src/base/a.ts', `const a = (b: number) => {\n${long(69)}};`],
      ['src/base/a.test.ts', `it('a', () => {\n${long(69)}});`],
    ],
    keeps: [
      ['src/base/a.ts', `function a() {\n${long(68)}}`],
      ['src/base/a.ts', `class A {\n${long(80, 'a = 1;\n')}}`],
      ['src/base/a.ts', `if (a) {\n${long(80)}}`],
      ['src/base/a.ts', `const a = f(b, {\n${long(80, 'c: 1,\n')}});`],
      ['src/base/a.test.ts', `describe('a', () => {\n${long(80, "it('b', () => {});\n")}});`],
    ],
  },
  'documented exports': {
    breaks: [
      ['src/base/a.ts', 'export const a = 1;'],
      ['src/base/a.ts', '/* No doc comment. */\nexport function a() {}'],
      ['src/base/a.ts', '/** One. */\nexport const a = 1;\nexport const b = 2;'],
    ],
    keeps: [
      ['src/base/a.ts', '/** One. */\nexport const a = 1;'],
      ['src/base/a.ts', '/** One. */\n// biome-ignore lint: because.\nexport const a = 1;'],
      ['src/base/a.ts', '/** One. */\nexport function a(): 1;\nexport function a(b?: 1) {}'],
      ['src/base/a.ts', "export { a } from './b.ts';"],
    ],
  },
  'reasoned skips': {
    breaks: [
      ['test/a.test.ts', "it.skip('works', () => {});"],
      ['test/a.test.ts', "const a = 1;\ndescribe.skipIf(isRoot)('works', () => {});"],
    ],
    keeps: [['test/a.test.ts', "// Root may write everywhere.\nit.skipIf(isRoot)('works', () => {});"]],
  },
  'tests expect': {
    breaks: [
      ['test/a.test.ts', "it('works', () => { run(); });"],
      ['test/a.test.ts', "it.each([1])('works', () => { run('expect(1)'); });"],
    ],
    keeps: [
      ['test/a.test.ts', "it('works', () => { expect(run()).toBe(1); });"],
      ['test/a.test.ts', "it('works', () => { expectCode(run, 'A'); });"],
      ['test/a.test.ts', 'const isMatch = test(1);'],
    ],
  },
};

describe('the laws', () => {
  it('are each broken on purpose here', () => {
    expect(Object.keys(PLANTS).sort()).toEqual(LAWS.map((law) => law.name).sort());
  });

  for (const law of LAWS) {
    const plant = PLANTS[law.name]!;
    it.each(plant.breaks)(`${law.name}: refuses %s holding %j`, (path, text) => {
      expect(judge(law, readSource(path, text))).toHaveLength(1);
    });
    it.each(plant.keeps)(`${law.name}: lets pass %s holding %j`, (path, text) => {
      expect(judge(law, readSource(path, text))).toEqual([]);
    });
  }

  it('name the file, the line and the remedy', () => {
    const law = LAWS.find((each) => each.name === 'no Date.now')!;
    expect(judge(law, readSource('src/engine/a.ts', '\n\nDate.now();'))).toEqual([
      'src/engine/a.ts:3: Date.now is banned here: take a Clock and call its nowNs() (base/clock.ts).',
    ]);
  });

  it('find a file that no entry reaches', () => {
    const files = [
      readSource('src/index.ts', "export { a } from './base/index.ts';"),
      readSource('src/base/index.ts', "export { a } from './a.ts';"),
      readSource('src/base/a.ts', "const worker = new URL('./b.js', import.meta.url);"),
      readSource('src/base/b.ts', ''),
      readSource('src/base/c.ts', ''),
      readSource('src/base/c.test.ts', "import './c.ts';"),
    ];
    expect(findDeadFiles(files)).toEqual(['src/base/c.ts']);
  });
});

describe('the reader of source text', () => {
  const codeOf = (text: string): string => readSource('a.ts', text).code;

  it.each([
    ["a('b // c'); // d", "a('      ');     "],
    ['a("\\"b"); /* c */ d', 'a("   ");         d'],
    ['a(/[/]"\\//g, b / c / d)', 'a(/      /g, b / c / d)'],
    ['a = b / c; // d / e', 'a = b / c;         '],
    ['`a ${b({ c: `d` })} e` + f', '`  ${b({ c: ` ` })}  ` + f'],
    ['return /a"b/.test(c)', 'return /   /.test(c)'],
    ["a[0] / b / c('d')", "a[0] / b / c(' ')"],
  ])('blanks out what is no code: %s', (text, code) => {
    expect(codeOf(text)).toBe(code);
  });

  it('keeps the lines where they are', () => {
    const text = '/* a\nb */ c\n`d\n${e}\nf`';
    expect(codeOf(text).split('\n')).toHaveLength(text.split('\n').length);
  });

  it('finds what a file imports, however it is written', () => {
    const text = [
      "import a, { type b } from 'c';",
      "import 'd';",
      "import type {\n  e,\n} from './f.ts';",
      "export { g } from './h.ts';",
      "const i = await import('j');",
      "const k = new URL('./l.js', import.meta.url);",
      "// import m from 'n';",
      'const o = "import p from \'q\';";',
    ].join('\n');
    const names = findImports(readSource('a.ts', text)).map(({ name }) => name);
    expect(names).toEqual(['c', 'd', './f.ts', './h.ts', 'j', './l.js']);
  });

  it('finds functions of every kind and nothing else', () => {
    const text = [
      'export async function a<T>(b: T): Promise<T> { return b; }',
      'const c = async (d: number) => { go(); };',
      'class E { constructor(f: F) { go(); } get g(): { h: 1 } { return i; } async *#j() { go(); } }',
      'if (k) { go(); } else if (l) { go(); } for (const m of n()) { go(); }',
      'const o = { p() { go(); }, q: r(s) };',
      'const t = u(v) ? w(x) : { y: 1 };',
      'try { go(); } catch (z) { go(); } do { go(); } while (a());',
    ].join('\n');
    expect(findFunctions(readSource('a.ts', text)).map(({ name }) => name.split('(')[0])).toEqual([
      'export async function a<T>',
      'const c = async ',
      'constructor',
      'get g',
      'async *#j',
      'p',
    ]);
  });

  it('finds exports and tests', () => {
    const file = readSource(
      'a.ts',
      "export type A = 1;\nexport abstract class B {}\nit.each([1])('c', () => {});",
    );
    expect(findExports(file).map(({ name }) => name)).toEqual(['A', 'B']);
    expect(findTests(file).map(({ end }) => file.text.slice(end))).toEqual([';']);
  });
});

describe('the tree', () => {
  const files = readTree();
  const countOf = (find: (file: (typeof files)[number]) => unknown[]): number =>
    files.reduce((total, file) => total + find(file).length, 0);

  it('is seen whole', () => {
    expect(files.length).toBeGreaterThan(100);
    expect(countOf(findImports)).toBeGreaterThan(400);
    expect(countOf(findExports)).toBeGreaterThan(200);
    expect(countOf(findFunctions)).toBeGreaterThan(1_000);
    expect(countOf(findTests)).toBeGreaterThan(200);
  });

  it.each(LAWS.map((law) => [law.name, law] as const))('keeps the law: %s', (_name, law) => {
    expect(files.flatMap((file) => judge(law, file))).toEqual([]);
  });

  it('has no file that nothing reaches', () => {
    expect(findDeadFiles(files)).toEqual([]);
  });
});
