import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  base64Size,
  decodeFloats,
  decodeFloatsByTable,
  encodeFloats,
  encodeFloatsByTable,
} from './base64.ts';

const vectors = fc.float32Array({ minLength: 0, maxLength: 40, noNaN: true });

describe('base64 of float32', () => {
  test('encodes the example of the protocol', () => {
    expect(encodeFloats(Float32Array.of(1, 2, 3))).toBe('AACAPwAAAEAAAEBA');
  });

  test('both ways write the same text and read it back bit by bit', () => {
    fc.assert(
      fc.property(vectors, (vector) => {
        const text = encodeFloatsByTable(vector);
        expect(encodeFloats(vector)).toBe(text);
        expect(base64Size(text)).toBe(vector.byteLength);
        for (const decode of [decodeFloats, decodeFloatsByTable]) {
          const target = new Float32Array(vector.length);
          expect(decode(text, target)).toBe(-1);
          expect(new Uint32Array(target.buffer)).toEqual(new Uint32Array(vector.slice().buffer));
        }
      }),
    );
  });

  test('decodes into the middle of a larger block', () => {
    const block = new Float32Array(6);
    expect(decodeFloats('AACAPwAAAEA=', block.subarray(2, 4))).toBe(-1);
    expect([...block]).toEqual([0, 0, 1, 2, 0, 0]);
  });

  test.each(['AACA*wAA', 'AACA-wAA', 'AACA_wAA', 'AACA wAA', 'AACA=wAA', 'AACAéwAA', 'AACA\u4e00wAA'])(
    'both ways name the character at fault in %j',
    (text) => {
      expect(decodeFloats(`${text}AACAPw==`, new Float32Array(3))).toBe(4);
      expect(decodeFloatsByTable(`${text}AACAPw==`, new Float32Array(3))).toBe(4);
    },
  );

  test('a length that no padded text has is told apart', () => {
    expect(base64Size('AAA')).toBeNull();
    expect(base64Size('')).toBe(0);
  });
});
