/** docs/api.md: every export is named there, and every example runs. */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import * as library from '../../src/index.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const page = readFileSync('docs/api.md', 'utf8');
const examples = [...page.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code!);

/** What each example prints, as its comments say. */
const PRINTED = [/alien/, /^0$/, /production/, /alien/, /banana/];

describe('docs/api.md', () => {
  afterEach(() => vi.restoreAllMocks());

  test('names every value that the library exports', () => {
    const names = Object.keys(library).filter(
      (name) => !/^(DEFAULT_|DatabaseClient$|DatabaseAdmin$)/.test(name),
    );
    expect(names.length).toBeGreaterThan(10);
    expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(page))).toEqual([]);
  });

  test('names every public method', () => {
    const classes = [library.DatabaseClient, library.DatabaseAdmin, library.Collection];
    const methods = classes.flatMap(({ prototype }) => Object.getOwnPropertyNames(prototype));
    expect(methods.length).toBeGreaterThan(40);
    expect(methods.filter((name) => name !== 'constructor' && !page.includes(name))).toEqual([]);
  });

  test('has every limit with its value, and no other', () => {
    const rows = [...page.matchAll(/^\| `(\w+(?:Max|Min))` \| ([\d,]+) \|/gm)];
    const documented = rows.map(([, name, value]) => [name, Number(value!.replaceAll(',', ''))]);
    expect(Object.fromEntries(documented)).toEqual(library.LIMITS);
  });

  test('has as many examples as are checked here', () => {
    expect(examples).toHaveLength(PRINTED.length);
  });

  test.each(PRINTED.map((printed, i) => [i, printed] as const))(
    'example %i runs and prints %s',
    async (i, printed) => {
      const lines: string[] = [];
      vi.spyOn(console, 'log').mockImplementation((...values) => {
        lines.push(
          values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))).join(' '),
        );
      });
      // Examples are modules; here they run as functions, without threads, in a directory that goes away.
      const code = examples[i]!.replace(/import (\{.*\}) from 'tesseradb';/, 'const $1 = library;')
        .replaceAll('EphemeralClient()', 'EphemeralClient({ threads: 0 })')
        .replaceAll('Client();', 'Client({ threads: 0 });')
        .replaceAll("{ path: './data' }", `{ path: ${JSON.stringify(temporaryDirectory())}, threads: 0 }`);
      const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
      await new AsyncFunction('library', code)(library);
      expect(lines.join('\n')).toMatch(printed);
    },
  );
});
