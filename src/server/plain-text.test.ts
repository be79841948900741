import { describe, expect, it } from 'vitest';
import { parseJson, seededNumbers } from '../base/index.ts';
import { plainJson } from './plain-text.ts';

/** A body of more than a megabyte with these texts in it, the first of them at an offset from a word. */
function bodyOf(texts: readonly string[], offset = 0): Buffer {
  const text = JSON.stringify({ [`pad${'.'.repeat(offset)}`]: 0, texts, filling: 'x'.repeat(1_048_576) });
  const bytes = Buffer.from(text);
  // With a buffer of its own, as bodies have that came in several pieces.
  return Buffer.from(new Uint8Array(bytes).buffer);
}

const TEXTS = [
  'é',
  'ÿĀ',
  '’',
  '\u07ff\u0800',
  '中文 \u{1f600} end',
  '\u{10ffff}',
  'a\u2028b',
  '\ue000',
  '\\u00e9 \\',
  '"',
];

describe('the plain text of a large body', () => {
  it('means what the body does, wherever characters beyond ASCII stand', () => {
    for (let offset = 0; offset < 8; offset++) {
      const body = bodyOf([...TEXTS, ...TEXTS.map((text) => `${text}${text}.${text}`)], offset);
      const plain = plainJson(body)!;
      expect(plain).not.toMatch(/[^\0-\xff]/);
      expect(parseJson(plain)).toEqual(JSON.parse(body.toString()));
    }
  });

  it('keeps a character at the very end, and keys', () => {
    const body = bodyOf([]);
    const withKey = Buffer.from(new Uint8Array(Buffer.from(`{"é’":1,"x":${body.toString()}}`)).buffer);
    expect(Object.keys(parseJson(plainJson(withKey)!) as object)).toEqual(['é’', 'x']);
    const cut = Buffer.from(new Uint8Array(Buffer.concat([body, Buffer.from('’')])).buffer);
    expect(plainJson(cut)!.endsWith('}\\u2019')).toBe(true);
  });

  it('is the body itself where that is ASCII', () => {
    const body = bodyOf(['plain']);
    expect(plainJson(body)).toBe(body.toString());
    expect(plainJson(body.subarray(1))).toBe(body.toString().slice(1));
  });

  it('is not made of small bodies, of what is no UTF-8, nor of texts of other scripts', () => {
    expect(plainJson(Buffer.from('{"a":"é"}'))).toBeNull();
    const broken = bodyOf(['é']);
    broken[broken.indexOf('é') + 1] = 0x41;
    expect(plainJson(broken)).toBeNull();
    expect(plainJson(bodyOf(['中'.repeat(300_000)]))).toBeNull();
  });
});

it('a large text that is no JSON does not become JSON by its characters being written otherwise', () => {
  const body = bodyOf(['MARK', 'é’']).toString();
  const random = seededNumbers(11);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const parsed = (text: string): unknown => {
    try {
      return parseJson(text);
    } catch {
      return 'refused';
    }
  };
  for (let run = 0; run < 60; run++) {
    const around = Array.from({ length: 4 }, () =>
      pick(['\\', '\\u20', '’', 'é', '"', '\ufeff', '中', ',', 'n']),
    );
    const bytes = Buffer.from(
      new Uint8Array(Buffer.from(body.replace('MARK', () => around.join('')))).buffer,
    );
    const plain = plainJson(bytes);
    if (plain !== null) expect(parsed(plain)).toEqual(parsed(bytes.toString()));
  }
  const half = Buffer.from(new Uint8Array(Buffer.from(body.replace('MARK', '\\’'))).buffer);
  expect(plainJson(half)).toBeNull();
});
