import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import golden from '../../../test/golden/use-lite.json' with { type: 'json' };
import { makeTokenizer } from './session.ts';
import { UnigramTokenizer, type Vocabulary } from './tokenizer.ts';
import { weightsFolder } from './weights.ts';

const RESERVED: Vocabulary = ['?', '<s>', '</s>', 'a', 'b', 'c'].map((piece) => [piece, 0] as const);

/** A tokenizer whose pieces have ids from 6 on. */
function tokenizerOf(...pieces: Vocabulary): UnigramTokenizer {
  return new UnigramTokenizer([...RESERVED, ...pieces], 8);
}

describe('the unigram tokenizer', () => {
  test('texts have the tokens that the model was made with', () => {
    const tokenizer = makeTokenizer(weightsFolder(undefined));
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
    const tokenizer = makeTokenizer(weightsFolder(undefined));
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
});
