import { describe, expect, it } from 'vitest';
import { type DocumentOperator, documentMatcher } from './document-matcher.ts';

const matches = (operator: DocumentOperator, text: string, document: string | null): boolean =>
  documentMatcher(operator, text)(document);

describe('documentMatcher', () => {
  it('takes $contains literally, with case', () => {
    expect(matches('$contains', '100%_\\', 'is 100%_\\ sure')).toBe(true);
    expect(matches('$contains', '%', 'no percent')).toBe(false);
    expect(matches('$contains', 'Cat', 'a cat')).toBe(false);
    expect(matches('$contains', 'é', 'e\u0301')).toBe(false);
    expect(matches('$contains', 'a', 'cat')).toBe(true);
  });

  it('finds the empty text in every document', () => {
    expect(matches('$contains', '', '')).toBe(true);
    expect(matches('$contains', '', 'x')).toBe(true);
    expect(matches('$contains', '', null)).toBe(false);
    expect(matches('$not_contains', '', 'x')).toBe(false);
  });

  it.each([
    ['$contains', '$not_contains'],
    ['$regex', '$not_regex'],
    ['$eq', '$ne'],
  ] as const)(
    'makes %s and %s complements, and a missing document match the second alone',
    (plain, negated) => {
      for (const document of ['a', 'b', '']) {
        expect(matches(plain, 'a', document)).toBe(document === 'a');
        expect(matches(negated, 'a', document)).toBe(document !== 'a');
      }
      expect(matches(plain, 'a', null)).toBe(false);
      expect(matches(negated, 'a', null)).toBe(true);
    },
  );

  it('searches expressions anywhere in the document', () => {
    expect(matches('$regex', 'b+c', 'abbbcd')).toBe(true);
    expect(matches('$regex', '^b', 'ab')).toBe(false);
  });
});
