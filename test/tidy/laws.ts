/**
 * The laws of the house, as data. Each names itself, says what it asks for, and finds where a file or the
 * tree breaks it. `test/tidy.test.ts` breaks every one of them on purpose before it applies them all to the
 * tree.
 */
import { posix } from 'node:path';
import { findExports, findFunctions, findImports, findTests, lineAt, type SourceFile } from './source.ts';

/** Where a law is broken and how. */
export interface Violation {
  readonly offset: number;
  readonly message: string;
}

/** A law that looks at one file at a time. */
export interface Law {
  readonly name: string;
  readonly check: (file: SourceFile) => Violation[];
}

/** Rooms by floor, lowest first. A room imports from strictly lower floors. */
export const FLOORS: readonly (readonly string[])[] = [
  ['base'],
  ['api', 'io', 'metrics'],
  ['kernel', 'sqlite', 'embed'],
  ['records', 'vectors', 'text', 'columns', 'client', 'models'],
  ['query', 'maintenance', 'ingest'],
  ['engine'],
  ['server', 'transfer'],
  ['cli'],
];

/** Files at the top of `src/`: they compose rooms and are imported by nobody. */
export const ENTRIES: readonly string[] = ['index', 'http', 'embed', 'server', 'cli'];

/** Rooms and entries that must load in a browser. */
const BROWSER_ROOMS: readonly string[] = ['base', 'api', 'client', 'embed'];
const BROWSER_ENTRIES: readonly string[] = ['http', 'embed'];

const FUNCTION_LINES_MAX = 70;
const FILE_LINES_MAX = 600;
const LINE_COLUMNS_MAX = 110;

/** A tested part of the product: under `src/`, and no test itself. */
function isProduct(path: string): boolean {
  return path.startsWith('src/') && !isTest(path);
}

/** A file that declares tests or serves them. */
function isTest(path: string): boolean {
  return path.startsWith('test/') || /\.test(?:-d)?\.ts$/.test(path);
}

/** The room of a file under `src/`, `null` for an entry file and for everything outside. */
function roomOf(path: string): string | null {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? null;
}

function entryOf(path: string): string | null {
  return /^src\/([^/]+)\.ts$/.exec(path)?.[1] ?? null;
}

function floorOf(room: string): number {
  return FLOORS.findIndex((rooms) => rooms.includes(room));
}

/** A word that has its place elsewhere. */
interface Ban {
  readonly word: string;
  readonly pattern: RegExp;
  /** What to do about it; completes the sentence "X is banned here: …". */
  readonly instead: string;
  readonly isBannedIn: (path: string) => boolean;
  /** Whether comments and strings are looked at too. */
  readonly isAboutText?: boolean;
}

const product = (...allowed: string[]): ((path: string) => boolean) => {
  return (path) => isProduct(path) && !allowed.some((prefix) => path.startsWith(prefix));
};

const BANS: readonly Ban[] = [
  {
    word: 'Date.now',
    pattern: /\bDate\.now\b/g,
    instead: 'take a Clock and call its nowNs() (base/clock.ts)',
    isBannedIn: product('src/base/clock.ts'),
  },
  {
    word: 'new Date(',
    pattern: /\bnew Date\s*\(\s*\)/g,
    instead: 'take a Clock and make the date of its nowNs() (base/clock.ts)',
    isBannedIn: product('src/base/clock.ts'),
  },
  {
    word: 'performance.',
    pattern: /\bperformance\s*\./g,
    instead: 'take a Clock and call its monotonicMs() (base/clock.ts)',
    isBannedIn: product('src/base/clock.ts'),
  },
  {
    word: 'Math.random',
    pattern: /\bMath\.random\b/g,
    instead:
      'use seededNumbers(seed) (base/random.ts), or fast-check in a test, so that a run can be repeated',
    isBannedIn: (path) => path !== 'src/base/random.ts',
  },
  {
    word: 'crypto.randomUUID',
    pattern: /\brandomUUID\b/g,
    instead: 'take a Random and call its uuid() (base/random.ts)',
    isBannedIn: product('src/base/random.ts'),
  },
  {
    word: 'process.env',
    pattern: /\bprocess\??\.env\b/g,
    instead: 'take a setting, or an Environment and call its variable() (base/environment.ts)',
    isBannedIn: product('src/cli/', 'src/cli.ts', 'src/base/environment.ts'),
  },
  {
    word: '.listen(',
    pattern: /\.listen\s*\(/g,
    instead: 'only server/ opens a port',
    isBannedIn: product('src/server/', 'src/server.ts'),
  },
  {
    word: 'console.',
    pattern: /\bconsole\s*\./g,
    instead: 'return what there is to say; the command alone prints (cli/)',
    isBannedIn: product('src/cli/', 'src/cli.ts'),
  },
  {
    word: 'a debt word',
    pattern: /\b(?:TO[D]O|FIX[M]E|X[X]X)\b/g,
    instead: 'do it, or describe it in an issue; the tree carries no debts',
    isBannedIn: () => true,
    isAboutText: true,
  },
  {
    word: '.only(',
    pattern: /\b(?:it|test|describe)\.only\b/g,
    instead: 'it silences every other test of the file',
    isBannedIn: isTest,
  },
  {
    word: 'a focused suite (.concurrent.only, fit, fdescribe)',
    pattern: /\b(?:\.concurrent\.only|fit|fdescribe)\s*\(/g,
    instead: 'it silences every other test of the file',
    isBannedIn: isTest,
  },
];

const banLaws: Law[] = BANS.map((ban) => ({
  name: `no ${ban.word}`,
  check: (file) => {
    if (!ban.isBannedIn(file.path)) return [];
    const hits = (ban.isAboutText ? file.text : file.code).matchAll(ban.pattern);
    return [...hits].map((hit) => ({
      offset: hit.index,
      message: `${ban.word} is banned here: ${ban.instead}.`,
    }));
  },
}));

/** A module that only one room may import. */
interface Reserved {
  readonly module: RegExp;
  readonly room: string;
  readonly instead: string;
}

const RESERVED: readonly Reserved[] = [
  { module: /^(?:node:)?fs(?:\/promises)?$/, room: 'io', instead: 'use the file functions of io/' },
  { module: /^(?:better-sqlite3|node:sqlite)$/, room: 'sqlite', instead: 'use the drivers of sqlite/' },
];

const reservedModules: Law = {
  name: 'reserved modules',
  check: (file) => {
    if (!isProduct(file.path)) return [];
    const violations: Violation[] = [];
    for (const { name, offset } of findImports(file)) {
      for (const { module, room, instead } of RESERVED) {
        if (!module.test(name) || roomOf(file.path) === room) continue;
        violations.push({ offset, message: `'${name}' is for ${room}/ alone: ${instead}.` });
      }
    }
    return violations;
  },
};

const loadsInBrowser: Law = {
  name: 'loads in a browser',
  check: (file) => {
    const room = roomOf(file.path);
    const entry = entryOf(file.path);
    const isBound =
      isProduct(file.path) &&
      ((room !== null && BROWSER_ROOMS.includes(room)) ||
        (entry !== null && BROWSER_ENTRIES.includes(entry)));
    if (!isBound) return [];
    const violations: Violation[] = [];
    for (const { name, offset } of findImports(file)) {
      const target = roomOf(posix.join(posix.dirname(file.path), name));
      const isForeignRoom = name.startsWith('.') && target !== null && !BROWSER_ROOMS.includes(target);
      if (name.startsWith('node:')) {
        violations.push({
          offset,
          message: `'${name}' does not exist in a browser, where this file must load.`,
        });
      } else if (isForeignRoom) {
        violations.push({ offset, message: `${target}/ does not load in a browser, where this file must.` });
      }
    }
    return violations;
  },
};

const importsGoDown: Law = {
  name: 'imports go down',
  check: (file) => {
    if (!file.path.startsWith('src/')) return [];
    const room = roomOf(file.path);
    const violations: Violation[] = [];
    for (const { name, offset } of findImports(file)) {
      if (!name.startsWith('.')) continue;
      const message = importFault(file.path, room, name);
      if (message !== null) violations.push({ offset, message });
    }
    return violations;
  },
};

/** What is wrong with a relative import of a file under `src/`, or `null`. */
function importFault(from: string, room: string | null, specifier: string): string | null {
  const target = posix.join(posix.dirname(from), specifier);
  if (!target.startsWith('src/')) {
    return isTest(from) ? null : `'${specifier}' leaves src/, which must stand on its own.`;
  }
  const entry = entryOf(target);
  if (entry !== null) return `'${specifier}' is an entry file: entries are imported by nobody.`;
  const other = roomOf(target)!;
  if (other === room) {
    return target === `src/${room}/index.ts` && !isTest(from)
      ? 'A room does not go through its own door.'
      : null;
  }
  if (target !== `src/${other}/index.ts`)
    return `'${specifier}' bypasses the door: import ${other}/index.ts.`;
  if (room === null || floorOf(other) < 0 || floorOf(room) < 0) return null;
  if (floorOf(other) < floorOf(room)) return null;
  const direction = floorOf(other) === floorOf(room) ? 'sideways' : 'upwards';
  return `${room}/ imports ${other}/, which is ${direction}: imports go to strictly lower floors.`;
}

const importsNameFiles: Law = {
  name: 'imports name files',
  check: (file) => {
    if (!file.path.endsWith('.ts')) return [];
    return findImports(file)
      .filter(
        ({ name }) => name.startsWith('.') && !/\.(?:ts|mjs|js|json|wasm)$/.test(name) && !name.endsWith('/'),
      )
      .map(({ name, offset }) => ({ offset, message: `'${name}' has no file ending: write './x.ts'.` }));
  },
};

const knownRooms: Law = {
  name: 'known rooms',
  check: (file) => {
    const room = roomOf(file.path);
    const entry = entryOf(file.path);
    if (room !== null && floorOf(room) < 0) {
      return [{ offset: 0, message: `${room}/ stands on no floor: add it to FLOORS or move the file.` }];
    }
    if (entry !== null && !ENTRIES.includes(entry)) {
      return [{ offset: 0, message: `${entry}.ts is no entry: move it into a room.` }];
    }
    return [];
  },
};

const doorsNameNames: Law = {
  name: 'doors name names',
  check: (file) => {
    if (!isProduct(file.path)) return [];
    const stars = [...file.code.matchAll(/\bexport\s*\*/g)].map((hit) => ({
      offset: hit.index,
      message: '`export *` hides what a room offers: list the names.',
    }));
    const isDoor = /^src\/[^/]+\/index\.ts$/.test(file.path);
    if (isDoor && !/^\/\*\*/.test(file.text)) {
      stars.push({ offset: 0, message: 'A door opens with a comment that says what its room is for.' });
    }
    return stars;
  },
};

const fileNames: Law = {
  name: 'file names',
  check: (file) => {
    const name = posix.basename(file.path);
    if (/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)*\.(?:ts|mjs)$/.test(name)) return [];
    return [{ offset: 0, message: `'${name}' is not kebab-case.` }];
  },
};

const shortFiles: Law = {
  name: 'short files',
  check: (file) => {
    const count = lineAt(file, file.text.length);
    if (count <= FILE_LINES_MAX) return [];
    return [{ offset: file.text.length, message: `${count} lines; ${FILE_LINES_MAX} are the most.` }];
  },
};

/**
 * Lines are counted without what stands in quotes: a message that is cut in two can no longer be searched
 * for. Comments count in full.
 */
const shortLines: Law = {
  name: 'short lines',
  check: (file) => {
    const violations: Violation[] = [];
    let offset = 0;
    for (const line of file.text.split('\n')) {
      const code = file.code.slice(offset, offset + line.length);
      const isComment = code.trim() === '' || /\/\/ /.test(line.slice(code.trimEnd().length));
      const counted = isComment
        ? line
        : line
            .split('')
            .filter((char, i) => char === code[i])
            .join('');
      const columns = [...counted].length;
      if (columns > LINE_COLUMNS_MAX && !/https?:\/\/\S+$/.test(line)) {
        violations.push({ offset, message: `${columns} columns; ${LINE_COLUMNS_MAX} are the most.` });
      }
      offset += line.length + 1;
    }
    return violations;
  },
};

/** A function that declares tests is a table of contents, and may be as long as it likes. */
const DECLARES_TESTS = /(?<![\w.$])(?:it|test|describe)(?:\.\w+)*\s*\(/;

const shortFunctions: Law = {
  name: 'short functions',
  check: (file) => {
    const violations: Violation[] = [];
    for (const { name, offset, end } of findFunctions(file)) {
      const count = lineAt(file, end) - lineAt(file, offset) + 1;
      if (count <= FUNCTION_LINES_MAX) continue;
      if (isTest(file.path) && DECLARES_TESTS.test(file.code.slice(offset, end))) continue;
      violations.push({
        offset,
        message: `\`${name}\` has ${count} lines; ${FUNCTION_LINES_MAX} are the most.`,
      });
    }
    return violations;
  },
};

const documentedExports: Law = {
  name: 'documented exports',
  check: (file) => {
    if (!file.path.startsWith('src/') || isTest(file.path)) return [];
    const names = new Set<string>();
    const violations: Violation[] = [];
    for (const { name, offset } of findExports(file)) {
      const isOverload = names.has(name);
      names.add(name);
      const above = file.text
        .slice(0, offset)
        .replace(/(?:\n[ \t]*\/\/[^\n]*)+\s*$/, '\n')
        .trimEnd();
      const isDocumented = above.endsWith('*/') && above.startsWith('/**', above.lastIndexOf('/*'));
      if (!isDocumented && !isOverload) {
        violations.push({ offset, message: `'${name}' is exported without a doc comment.` });
      }
    }
    return violations;
  },
};

const reasonedSkips: Law = {
  name: 'reasoned skips',
  check: (file) => {
    if (!isTest(file.path)) return [];
    const violations: Violation[] = [];
    for (const hit of file.code.matchAll(/\b(?:it|test|describe)(?:\.\w+)*\.(?:skip|todo|skipIf|runIf)\b/g)) {
      const above = file.text.slice(0, hit.index).trimEnd().split('\n').at(-1)!.trim();
      if (/^(?:\/\/|\*).*\w.*\.(?: \*\/)?$/.test(above)) continue;
      violations.push({
        offset: hit.index,
        message: 'A skipped test says why in a sentence on the line above.',
      });
    }
    return violations;
  },
};

const testsExpect: Law = {
  name: 'tests expect',
  check: (file) => {
    if (!isTest(file.path)) return [];
    return findTests(file)
      .filter(
        ({ offset, end }) =>
          !/(?:\bexpect|\bassert|[a-z]Expect)\w*\s*[(.<]/.test(file.code.slice(offset, end)),
      )
      .map(({ name, offset }) => ({ offset, message: `\`${name}\` expects nothing, so it cannot fail.` }));
  },
};

/** Every law about one file. */
export const LAWS: readonly Law[] = [
  ...banLaws,
  reservedModules,
  loadsInBrowser,
  importsGoDown,
  importsNameFiles,
  knownRooms,
  doorsNameNames,
  fileNames,
  shortFiles,
  shortLines,
  shortFunctions,
  documentedExports,
  reasonedSkips,
  testsExpect,
];

/** What breaks a law, as a line for people: `src/a/b.ts:12: …`. */
export function judge(law: Law, file: SourceFile): string[] {
  return law.check(file).map(({ offset, message }) => `${file.path}:${lineAt(file, offset)}: ${message}`);
}

/** Files of the product that no entry reaches, by imports or by `new URL('./x.js', …)`. */
export function findDeadFiles(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.filter(({ path }) => isProduct(path)).map((file) => [file.path, file]));
  const reached = new Set<string>();
  const waiting = ENTRIES.map((entry) => `src/${entry}.ts`);
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const file = byPath.get(path);
    if (file === undefined || reached.has(path)) continue;
    reached.add(path);
    for (const { name } of findImports(file)) {
      waiting.push(posix.join(posix.dirname(path), name).replace(/\.js$/, '.ts'));
    }
  }
  return [...byPath.keys()].filter((path) => !reached.has(path));
}
