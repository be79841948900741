import { expect, test } from 'vitest';
import { show } from './errors.ts';
import { Double } from './json.ts';

class Point {
  readonly x = 1;
}

test.each([
  ['x', '"x"'],
  [1.5, '1.5'],
  [Number.NaN, 'NaN'],
  [Number.NEGATIVE_INFINITY, '-Infinity'],
  [5n, '5n'],
  [null, 'null'],
  [undefined, 'undefined'],
  [Symbol('s'), 'Symbol(s)'],
  [{ a: [1, null] }, '{"a":[1,null]}'],
  [Object.create(null), '{}'],
  [new Date(0), 'Date "1970-01-01T00:00:00.000Z"'],
  [new Map([[1, 2]]), 'Map {}'],
  [new Point(), 'Point {"x":1}'],
  [Float32Array.of(1, 2), 'Float32Array {"0":1,"1":2}'],
  [{ a: new Double(1) }, '{"a":1}'],
  [new Double(1), '1'],
  [() => 1, 'a function'],
  [function named() {}, 'the function named'],
])('a message shows %o as %s', (value, expected) => {
  expect(show(value)).toBe(expected);
});

test('a message shows no more than 80 characters, and fails at nothing', () => {
  expect(show('x'.repeat(200))).toHaveLength(80);
  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  expect(show(circular)).toBe('an object that cannot be shown');
  expect(
    show(
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('no');
          },
        },
      ),
    ),
  ).toBe('an object that cannot be shown');
});
