import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import golden from '../../../test/golden/use-lite.json' with { type: 'json' };
import { finish } from '../../base/index.ts';
import { makeTokenizer } from './session.ts';
import { UnigramTokenizer, type Vocabulary } from './tokenizer.ts';
import { weightsFolder } from './weights.ts';

const RESERVED: Vocabulary = ['?', '<s>', '</s>', 'a', 'b', 'c'].map((piece) => [piece, 0] as const);

/** A tokenizer whose pieces have ids from 6 on. */
function tokenizerOf(...pieces: Vocabulary): UnigramTokenizer {
  return finish(UnigramTokenizer.make([...RESERVED, ...pieces], 8));
}

describe('the unigram tokenizer', () => {
  test('texts have the tokens that the model was made with', () => {
    const tokenizer = finish(makeTokenizer(weightsFolder(undefined)));
    for (const { text, tokens } of golden) {
      expect(tokenizer.encode(text, Number.POSITIVE_INFINITY), text).toEqual(tokens);
      expect(tokenizer.encode(text), text).toEqual(tokens.slice(0, 128));
      expect(tokenizer.countTokens(text)).toBe(tokens.length);
    }
  });

  test('the way with the greatest sum of scores is taken', () => {
    const tokenizer = tokenizerOf(['▁', -1], ['▁ab', -5], ['a', -1], ['b', -1], ['ab', -3]);
    expect(tokenizer.encode('ab')).toEqual([6, 8, 9]);
  });

  test('of equal sums, the one whose last piece starts later is taken', () => {
    const tokenizer = tokenizerOf(['▁', -1], ['a', -1], ['b', -1], ['ab', -2]);
    expect(tokenizer.encode('ab')).toEqual([6, 7, 8]);
  });

  test('neighbouring unknown characters are one token, and no text is none', () => {
    const tokenizer = tokenizerOf(['▁', -1], ['a', -1]);
    expect(tokenizer.encode('xyza🎉🎉')).toEqual([6, 0, 7, 0]);
    expect(tokenizer.encode('')).toEqual([]);
  });

  test('the first tokens of a text are those of the whole text', () => {
    const tokenizer = finish(makeTokenizer(weightsFolder(undefined)));
    const words = fc.array(
      fc.constantFrom('the', 'cat', 'Über', ' ', '🎉', 'a-b', '12', 'xylophone', '\u2581'),
    );
    fc.assert(
      fc.property(words, fc.integer({ min: 0, max: 12 }), (parts, limit) => {
        const text = parts.join(' ');
        const whole = tokenizer.encode(text, Number.POSITIVE_INFINITY);
        expect(tokenizer.encode(text, limit)).toEqual(whole.slice(0, limit));
      }),
    );
  });

  test('a text is the same whether it is brought to NFKC in parts or whole', () => {
    const tokenizer = finish(makeTokenizer(weightsFolder(undefined)));
    // What composes with a neighbour, and more than one part of it.
    const characters = fc.constantFrom(
      'e',
      '\u0301',
      ' ',
      '\u1100',
      '\u1161',
      '\u11a8',
      'ﬁ',
      '中',
      '\u3099',
      'か',
      '½',
    );
    const texts = fc.string({ unit: characters, minLength: 20, maxLength: 60 });
    fc.assert(
      fc.property(texts, fc.integer({ min: 60, max: 200 }), (text, count) => {
        const long = text.repeat(count);
        expect(tokenizer.encode(long, 5_000)).toEqual(tokenizer.encode(long.normalize('NFKC'), 5_000));
      }),
      { numRuns: 20 },
    );
  });

  test('a word of a million characters is counted with pauses', () => {
    const tokenizer = finish(makeTokenizer(weightsFolder(undefined)));
    let pauseCount = 0;
    const pieces = tokenizer.countInPieces('abcdefghij'.repeat(100_000));
    let step = pieces.next();
    for (; step.done !== true; step = pieces.next()) pauseCount++;
    expect(step.value).toBeGreaterThan(100_000);
    expect(pauseCount).toBeGreaterThan(500);
  });
});
