import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { systemFiles } from './files.ts';

it('reads a file in pieces to its end, also where that moves meanwhile', () => {
  const path = join(temporaryDirectory(), 'grows');
  writeFileSync(path, '012345678');
  const pieces: string[] = [];
  for (const piece of systemFiles.read(path, 4)) {
    if (pieces.length === 0) appendFileSync(path, '9abcdef');
    pieces.push(Buffer.from(piece).toString());
  }
  expect(pieces.join('')).toBe('0123456789abcdef');
});

// Only Linux has files that say they are empty, and are not, as pipes do.
it.skipIf(process.platform !== 'linux')('reads what has no size', () => {
  const pieces = [...systemFiles.read('/proc/self/stat', 16)];
  expect(Buffer.concat(pieces).toString()).toContain(`${process.pid} (`);
});
