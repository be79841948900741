import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checksum } from '../io/index.ts';
import { embeddingChecksum } from './vector-block.ts';

test('the checksum of an embedding goes on from that of its row number in decimal digits', () => {
  const row = fc.oneof(
    fc.nat(200),
    fc.maxSafeNat(),
    fc.nat(15).map((power) => 10 ** power),
  );
  fc.assert(
    fc.property(row, fc.uint8Array({ maxLength: 64 }), (number, bytes) => {
      expect(embeddingChecksum(number, bytes)).toBe(checksum(bytes, checksum(String(number))));
    }),
  );
});
