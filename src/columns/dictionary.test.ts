import { describe, expect, it } from 'vitest';
import { Dictionary } from './dictionary.ts';

describe('Dictionary', () => {
  it('gives one code to one string and 0 to strings not in use', () => {
    const dictionary = new Dictionary();
    const code = dictionary.acquire('a');
    expect(dictionary.acquire('a')).toBe(code);
    expect(dictionary.acquire('b')).not.toBe(code);
    expect(dictionary.codeOf('a')).toBe(code);
    expect(dictionary.codeOf('c')).toBe(0);
    expect(dictionary.acquire('')).toBeGreaterThan(0);
  });

  it('gives a code to another string once its last use is gone', () => {
    const dictionary = new Dictionary();
    const code = dictionary.acquire('a');
    dictionary.acquire('a');
    dictionary.release(code);
    expect(dictionary.codeOf('a')).toBe(code);
    dictionary.release(code);
    expect(dictionary.codeOf('a')).toBe(0);
    expect(dictionary.acquire('b')).toBe(code);
    expect(dictionary.codeEnd).toBe(code + 1);
  });

  it('notices a release too many', () => {
    const dictionary = new Dictionary();
    const code = dictionary.acquire('a');
    dictionary.release(code);
    expect(() => dictionary.release(code)).toThrow(/released more often/);
  });
});
