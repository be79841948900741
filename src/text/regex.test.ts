import { describe, expect, it } from 'vitest';
import { DatabaseError } from '../base/index.ts';
import { compileRegex } from './regex.ts';

const test = (pattern: string, document: string): boolean => compileRegex(pattern).test(document);

describe('compileRegex, as Rust reads patterns', () => {
  it.each([
    ['unanchored search', 'wor', 'hello world'],
    ['the dot and characters beyond 16 bits', '^.$', '😀'],
    ['(?i)', '(?i)KELVIN', '\u212aelvin'],
    ['(?s)', '(?s)a.b', 'a\nb'],
    ['(?m)', '(?m)^b$', 'a\nb\nc'],
    ['(?i) for a group', '(?i:a)b', 'Ab'],
    ['\\A and \\z', '\\Aab\\z', 'ab'],
    ['a named group, (?P<n>…)', '(?P<year>[0-9]+)', '1999'],
    ['a named group, (?<n>…)', '(?<year>[0-9]+)', '1999'],
    ['\\d beyond ASCII', '^\\d+$', '٣४5'],
    ['\\w beyond ASCII', '^\\w+$', 'naïve_漢字e\u0301٣'],
    ['\\s beyond ASCII', '^\\s+$', ' \u00a0\u2003\v\u0085'],
    ['\\D', '^\\D$', 'é'],
    ['\\W', '^\\W$', '–'],
    ['\\S', '^\\S$', '漢'],
    ['\\w in brackets', '^[\\w-]+$', 'naïve-é'],
    ['\\W in brackets', '^[\\Wa]+$', 'a–a'],
    ['\\W in a negated bracket', '^[^\\W_]+$', 'é漢'],
    ['\\d and \\s in brackets', '^[\\d\\s]+$', '٣\u00a05'],
    ['\\D and \\S in brackets', '^[\\D]+[\\S]$', 'xé'],
    ['\\u, \\U and \\x', '^\\u00e9\\U0001F600\\u{e9}\\x41\\x{1F600}$', 'é😀éA😀'],
    ['a script', '^\\p{Han}+$', '漢字'],
    ['a script in lower case', '^\\p{greek}$', 'α'],
    ['a script by property', '^\\p{sc=Greek}\\p{Script=Greek}$', 'αβ'],
    ['a category by its long name', '^\\p{Letter}\\p{uppercase letter}\\p{Decimal_Number}$', 'éÉ5'],
    ['a negated category', '^\\P{gc=L}\\P{Letter}$', '5-'],
    ['a binary property', '^\\p{Alphabetic}\\p{ASCII_Hex_Digit}$', 'éF'],
    ['a property in brackets', '^[\\p{Lu}\\p{greek}]+$', 'ÉΑα'],
    ['a one-letter property', '^\\pL$', 'é'],
    ['a negated property', '^\\p{^Greek}$', 'a'],
    ['POSIX classes', '^[[:alpha:]][[:^alpha:]]$', 'a1'],
    ['a bracket that comes first', '^[]a]+$', ']a'],
    ['escaped brackets and signs', '^[\\[\\]\\-\\&]+$', '[]-&'],
    ['(?x) with comments', '(?x) ^ a \\  b # the end\n $', 'a b'],
    ['(?x) in brackets', '(?x)^[ a b ]+$', 'ab'],
    ['(?x) for a group', '^(?x: a b ) c$', 'ab c'],
    ['(?x) and (?-x)', '(?x) ^ a (?-x) b$', 'a b'],
    ['(?u)', '(?u)^\\w$', 'é'],
    ['an open repetition', '^a{,3}$', 'aaa'],
    ['a brace that repeats nothing', '^a{b$', 'a{b'],
    ['the empty pattern', '', ''],
  ])('matches with %s', (_what, pattern, document) => {
    expect(test(pattern, document)).toBe(true);
  });

  it.each([
    ['the dot and a line feed', 'a.b', 'a\nb'],
    ['$ before a final line feed', 'a$', 'a\n'],
    ['\\W and a letter', '\\W', 'é漢_٣'],
    ['\\W in brackets and letters', '[\\W]', 'é漢_٣'],
    ['a negated \\w and letters', '[^\\w]', 'é漢_٣'],
    ['(?-u) and a letter beyond ASCII', '(?-u:^\\w$)', 'é'],
    ['(?-u) and (?u) restored after the group', '(?-u:a)\\W', 'aé'],
    ['(?x) ended by its group', '^(?:(?x) a b )c d$', 'abcd'],
    ['a space in (?x)', '(?x)^a b$', 'a b'],
    ['too many for an open repetition', '^a{,3}$', 'aaaa'],
  ])('does not match with %s', (_what, pattern, document) => {
    expect(test(pattern, document)).toBe(false);
  });

  it.each([
    ['an unclosed group', '(a'],
    ['an unclosed bracket', '[a'],
    ['an unclosed bracket after an escape', '[\\w'],
    ['a trailing backslash', 'a\\'],
    ['nothing to repeat', '*a'],
    ['look-ahead', 'a(?=b)'],
    ['look-behind', '(?<=a)b'],
    ['a back-reference', '(a)\\1'],
    ['an octal escape', '\\07'],
    ['an unknown escape', '\\y'],
    ['a quoted literal', '\\Qa\\E'],
    ['an unknown property', '\\p{Klingon}'],
    ['an unknown flag', '(?k)a'],
    ['a set operation', '[a-z&&[^b]]'],
    ['a set difference', '[a--b]'],
    ['a class in a class', '[a[bc]]'],
    ['a word boundary of another kind', '\\b{start}a'],
    ['a word start', '\\<a'],
    ['deep nesting', '('.repeat(4_000)],
    ['a pattern too long', 'a'.repeat(4_097)],
    ['a huge repetition', '((a{100}){100}){100}'],
  ])('refuses %s', (_what, pattern) => {
    let error: unknown;
    try {
      compileRegex(pattern);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(DatabaseError);
    expect((error as DatabaseError).code).toBe('TESSERA_INVALID_FILTER');
    expect((error as DatabaseError).message).toMatch(/^Regex syntax errror: regex parse error: /);
    expect((error as DatabaseError).message.length).toBeLessThan(400);
  });

  it('takes time linear in the document for patterns that make others explode', () => {
    // A backtracking engine would try 2^50,000 ways here; this test ends or the engine is not linear.
    const document = `${'a'.repeat(50_000)}!`;
    expect(test('^(a+)+$', document)).toBe(false);
    expect(test('(x+x+)+y', 'x'.repeat(50_000))).toBe(false);
    expect(test('(a|aa)+$', document)).toBe(false);
  });
});
