import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { systemFiles } from '../io/index.ts';
import { seesLocks } from '../sqlite/index.ts';
import { checkFileSystem } from './file-system.ts';

const NFS = 0x6969;
const FUSE = 0x65735546;
const EXT4 = 0xef53;

function check(kind: number | null, answer: boolean | null): { asked: number; warnings: string[] } {
  const path = temporaryDirectory();
  let asked = 0;
  const warnings: string[] = [];
  const looking = {
    seesLocks: () => {
      asked++;
      return answer;
    },
    warn: (message: string) => void warnings.push(message),
  };
  checkFileSystem(path, { ...systemFiles, fileSystemKind: () => kind }, looking);
  expect(readdirSync(path)).toEqual([]);
  return { asked, warnings };
}

it('a file system on which locks do not work is refused', () => {
  for (const kind of [NFS, FUSE, 0xff534d42 - 2 ** 32]) {
    expect(() => check(kind, false)).toThrow(expect.objectContaining({ code: 'TESSERA_IO' }));
    expect(() => check(kind, false)).toThrow(/Locks do not work/);
  }
});

it('one that several machines share is warned of, and one of this machine is not', () => {
  expect(check(NFS, true)).toMatchObject({
    asked: 1,
    warnings: [expect.stringMatching(/network file system/)],
  });
  expect(check(FUSE, true)).toEqual({ asked: 1, warnings: [] });
  expect(check(FUSE, null)).toEqual({ asked: 1, warnings: [] });
});

it('local disks, and those of other systems than Linux, are not asked', () => {
  expect(check(EXT4, false)).toEqual({ asked: 0, warnings: [] });
  expect(check(null, false)).toEqual({ asked: 0, warnings: [] });
});

it('another process sees a lock of this one on a local disk', () => {
  expect(seesLocks(`${temporaryDirectory()}/probe`)).toBe(true);
});
