import { describe, expect, test } from 'vitest';
import { formatOptions, type OptionSpec, parseOptions, UsageError } from './options.ts';

const SPECS: readonly OptionSpec[] = [
  { name: 'path', value: 'DIR', fallback: './data', summary: 'Where' },
  { name: 'allow-reset', value: null, fallback: null, summary: 'Whether' },
];

describe('parseOptions', () => {
  test('reads values and switches', () => {
    expect({ ...parseOptions(['--path', 'x', '--allow-reset'], SPECS) }).toEqual({
      path: 'x',
      'allow-reset': true,
    });
    expect({ ...parseOptions(['--path=y'], SPECS) }).toEqual({ path: 'y' });
    expect({ ...parseOptions([], SPECS) }).toEqual({});
  });

  test('refuses what is not in the table, a missing value and a value too many', () => {
    for (const args of [['--pth', 'x'], ['-p'], ['--path'], ['--allow-reset=1'], ['more']]) {
      expect(() => parseOptions(args, SPECS), args.join(' ')).toThrow(UsageError);
    }
  });
});

test('formatOptions aligns the summaries and shows the defaults', () => {
  expect(formatOptions(SPECS)).toBe('  --path DIR      Where (default: ./data)\n  --allow-reset   Whether');
});
