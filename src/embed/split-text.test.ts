import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TokenCounter } from './embedding-function.ts';
import { type SplitOptions, splitText } from './split-text.ts';

/** Counts a token for every four characters of a word, begun ones included. */
const counterOf = (maxTokens: number): TokenCounter => ({
  maxTokens,
  countTokens: (text) =>
    text
      .split(/\s+/)
      .filter((word) => word !== '')
      .reduce((sum, word) => sum + Math.ceil([...word].length / 4), 0),
});
const split = (text: string, max: number, options: Partial<SplitOptions> = {}): string[] =>
  splitText(text, { counter: counterOf(max), ...options }).map((part) => part.text);

describe('splitText', () => {
  test('leaves a text that fits as it is, but for white space at its ends', () => {
    expect(splitText('  One two. Three.\n', { counter: counterOf(9) })).toEqual([
      { text: 'One two. Three.', start: 2, end: 17, tokenCount: 4 },
    ]);
    expect(split(' \n\t', 5)).toEqual([]);
    expect(split('', 5)).toEqual([]);
  });

  test('cuts at sentences, as many in a part as fit', () => {
    expect(split('One. Two is it. Three! Is four? Five.', 4)).toEqual([
      'One. Two is it.',
      'Three!',
      'Is four?',
      'Five.',
    ]);
    expect(split('Aa b. Cc d. Ee f. Gg h.', 4)).toEqual(['Aa b. Cc d.', 'Ee f. Gg h.']);
    expect(split('Aa b. Cc d. Ee f. Gg h.', 3)).toEqual(['Aa b.', 'Cc d.', 'Ee f.', 'Gg h.']);
  });

  test('cuts a sentence that is too long at words, and a word anywhere', () => {
    expect(split('aa bb cc dd ee. Ff.', 2)).toEqual(['aa bb', 'cc dd', 'ee. Ff.']);
    expect(split('x'.repeat(16), 2)).toEqual(['x'.repeat(8), 'x'.repeat(8)]);
    expect(split('😀'.repeat(12), 1).join('')).toBe('😀'.repeat(12));
    expect(split('😀'.repeat(12), 1).some((part) => /^[\udc00-\udfff]/.test(part))).toBe(false);
  });

  test('parts share whole sentences up to the overlap', () => {
    expect(split('A a. B b. C c. D d.', 6, { overlapTokens: 2 })).toEqual(['A a. B b. C c.', 'C c. D d.']);
    expect(split('A a. B b. C c. D d.', 6, { overlapTokens: 1 })).toEqual(['A a. B b. C c.', 'D d.']);
  });

  test('counts a part as a whole where tokens do not add up', () => {
    const counter = {
      maxTokens: 5,
      countTokens: (text: string) => text.length + (text.includes(' ') ? 1 : 0),
    };
    const parts = splitText('A. B. C. D.', { counter });
    expect(parts.every(({ tokenCount }) => tokenCount <= 5)).toBe(true);
    expect(parts.map(({ text }) => text)).toEqual(['A.', 'B.', 'C.', 'D.']);
  });

  test('options that make no sense are refused', () => {
    const refused = expect.objectContaining({ code: 'TESSERA_INVALID_ARGUMENT' });
    expect(() => splitText(5 as never, { counter: counterOf(5) })).toThrow(refused);
    expect(() => splitText('a', {} as never)).toThrow(refused);
    expect(() => split('a', 5, { maxTokens: 0 })).toThrow(refused);
    expect(() => split('a', 5, { overlapTokens: 5 })).toThrow(refused);
  });

  test('whatever the text: nothing is lost, nothing is too long, positions are right', () => {
    const texts = fc.array(
      fc.oneof(
        fc.string({ unit: 'grapheme' }),
        fc.constantFrom(' ', '. ', '\n\n', 'A word. ', '。', 'x'.repeat(40)),
      ),
      { maxLength: 30 },
    );
    void fc.assert(
      fc.property(
        texts,
        fc.integer({ min: 1, max: 12 }),
        fc.double({ min: 0, max: 0.9, noNaN: true }),
        (pieces, max, share) => {
          const text = pieces.join('');
          const parts = splitText(text, { counter: counterOf(max), overlapTokens: Math.floor(max * share) });
          let covered = 0;
          for (const [i, part] of parts.entries()) {
            expect(text.slice(part.start, part.end)).toBe(part.text);
            expect(part.tokenCount).toBeLessThanOrEqual(max);
            expect(text.slice(covered, part.start).trim()).toBe('');
            if (i > 0) expect(part.start).toBeGreaterThan(parts[i - 1]!.start);
            if (i > 0) expect(part.end).toBeGreaterThan(parts[i - 1]!.end);
            covered = Math.max(covered, part.end);
          }
          expect(text.slice(covered).trim()).toBe('');
        },
      ),
    );
  });

  test('hands long stretches to the segmenter in windows, for its time grows with their square', () => {
    const lengths: number[] = [];
    const { segment } = Intl.Segmenter.prototype;
    Intl.Segmenter.prototype.segment = function (this: Intl.Segmenter, text: string) {
      lengths.push(text.length);
      return segment.call(this, text);
    };
    try {
      const text = 'no end in sight '.repeat(8_000);
      const parts = split(text, 30);
      expect(parts.join(' ')).toBe(text.trim());
      expect(new Set(parts.flatMap((part) => part.split(' ')))).toEqual(
        new Set(['no', 'end', 'in', 'sight']),
      );
      expect(split('x'.repeat(40_000), 30).join('')).toBe('x'.repeat(40_000));
    } finally {
      Intl.Segmenter.prototype.segment = segment;
    }
    expect(Math.max(...lengths)).toBeLessThanOrEqual(16_384);
  });
});
