import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DatabaseError } from './errors.ts';
import { Double, formatFloat, formatJson, type JsonValue, parseJson } from './json.ts';

describe('parseJson', () => {
  it('keeps integral floats, exponents and large integers apart from plain integers', () => {
    expect(parseJson('{"a":1.0,"b":1,"c":[2.0,-3.00]}')).toEqual({
      a: new Double(1),
      b: 1,
      c: [new Double(2), new Double(-3)],
    });
    expect(parseJson('[9007199254740993]')).toEqual([9007199254740993n]);
    expect(parseJson('[-9223372036854775808]')).toEqual([-9223372036854775808n]);
    expect(parseJson('[1e2, 1.5e+1, 100e-2]')).toEqual([new Double(100), new Double(15), new Double(1)]);
    expect(parseJson('1.0')).toEqual(new Double(1));
  });

  it('keeps every float a float, also where it rounds to an integer', () => {
    const digits = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
      fc.string({ unit: fc.constantFrom('0', '9', '5'), minLength, maxLength, size: 'max' });
    fc.assert(
      fc.property(digits(0, 18), digits(1, 20), fc.constantFrom('', '-'), (whole, fraction, sign) => {
        const text = `${sign}${/^(?:0|$)/.test(whole) ? '0' : whole}.${fraction}`;
        const value = Number(text);
        expect(parseJson(text)).toEqual(Number.isInteger(value) ? new Double(value) : value);
      }),
      { numRuns: 3_000 },
    );
  });

  it('keeps every float with an exponent a float, also where it is integral or rounds to 0 or 1', () => {
    const mantissa = fc.stringMatching(/^-?(?:0|[1-9]\d{0,2})(?:\.(?:0{1,3}|9{1,20}|\d{1,18}))?$/);
    const exponent = fc.stringMatching(/^[eE][+-]?0?\d{1,3}$/);
    const near = fc.constantFrom(
      '9.99999999999999999e-1',
      '9.99999999999999999e-2',
      '1e-400',
      '5e-324',
      '0e-7',
    );
    const spelling = fc.oneof(
      fc.tuple(mantissa, exponent).map(([m, e]) => m + e),
      near,
    );
    fc.assert(
      fc.property(spelling, fc.constantFrom('[', '[1, ', '{"a":', '[\n'), (text, before) => {
        const value = Number(text);
        fc.pre(Number.isFinite(value));
        const parsed = parseJson(before + text + (before.startsWith('{') ? '}' : ']'));
        const found = Array.isArray(parsed) ? parsed.at(-1) : (parsed as { a: JsonValue }).a;
        expect(found).toEqual(Number.isInteger(value) ? new Double(value) : value);
      }),
      { numRuns: 3_000 },
    );
  });

  it('keeps spellings inside strings as they are', () => {
    expect(parseJson('{"t":"a, 1.0, 12345678901234567890 1e5"}')).toEqual({
      t: 'a, 1.0, 12345678901234567890 1e5',
    });
  });

  it('finds a mark whatever characters for private use the text has', () => {
    const all = Array.from({ length: 6400 }, (_, i) => String.fromCharCode(0xe000 + i)).join('');
    for (const text of ['\ue000', '\ue000\ue001 1.0', all.slice(1), all.slice(0, -1)]) {
      expect(parseJson(JSON.stringify([text]).replace(']', ',1.0]'))).toEqual([text, new Double(1)]);
    }
    expect(parseJson('["\\ue000", 1.0, "\\uE001"]')).toEqual(['\ue000', new Double(1), '\ue001']);
    expect(() => parseJson(`["${all}", 1.0]`)).toThrowError(/private use/);
    expect(parseJson(`["${all}", 1]`)).toEqual([all, 1]);
  });

  it('keeps a member named __proto__ a member', () => {
    const value = parseJson('{"__proto__":1.0}') as object;
    expect(Object.getOwnPropertyDescriptor(value, '__proto__')?.value).toEqual(new Double(1));
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  it('accepts and refuses exactly what JSON.parse does, however a text is mutilated', () => {
    const numbers = [
      '1.0',
      '01.0',
      '-1.0',
      '1.0.0',
      '1e5',
      '1e',
      '1.',
      '.5',
      '-',
      '+1',
      '1.0e+2',
      '1234567890123456',
    ];
    const others = ['"a"', '"\\""', '"1.0"', 'null', '0.9999999999999999', ...'[]{}:,"\\ '];
    const soup = fc.array(fc.constantFrom(...numbers, ...others), { maxLength: 12 });
    const accepts = (parse: (text: string) => unknown, text: string): boolean => {
      try {
        parse(text);
        return true;
      } catch {
        return false;
      }
    };
    fc.assert(
      fc.property(soup, (parts) => {
        for (const text of [parts.join(''), `[${parts.join('')}]`, `{"a":${parts.join('')}}`]) {
          expect([text, accepts(parseJson, text)]).toEqual([text, accepts(JSON.parse, text)]);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it('agrees with JSON.parse wherever nothing is lost', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        const plain = JSON.parse(text);
        const back = JSON.parse(formatJson(parseJson(text)));
        expect(back).toEqual(plain);
      }),
    );
  });

  it('refuses what is not JSON with a typed error, however deep', () => {
    for (const text of ['', '{', '[1,]', 'nul', '{"a":1.0', `${'['.repeat(200_000)}1.0`]) {
      expect(() => parseJson(text)).toThrowError(DatabaseError);
    }
    expect(() => parseJson('{"a":}')).toThrowError(expect.objectContaining({ code: 'TESSERA_INVALID_JSON' }));
  });
});

describe('formatJson', () => {
  const scalar = fc.oneof(
    fc.string(),
    fc.boolean(),
    fc.constant(null),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => {
      return Number.isInteger(value) ? new Double(value) : value;
    }),
    fc
      .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
      .filter((value) => !Number.isSafeInteger(Number(value))),
  );
  const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      scalar,
      fc.array(tie('value')),
      fc.dictionary(fc.string(), tie('value')),
    ),
  }));

  it('is the inverse of parseJson', () => {
    fc.assert(
      fc.property(value, (original) => {
        expect(parseJson(formatJson(original))).toEqual(original);
      }),
    );
  });

  it('spells floats with a point or an exponent', () => {
    expect([1, 0.5, -2, 1e21, 1e-7].map(formatFloat)).toEqual(['1.0', '0.5', '-2.0', '1e+21', '1e-7']);
  });
});
