/**
 * What a database asks of the file system that it lies on: locks that other processes see.
 *
 * On a local disk nothing is asked. On the kinds of file systems below, which may or may not keep locks, a
 * second process is sent to look (some 50 ms, once for each opening for writing).
 */
import { DatabaseError } from '../base/index.ts';
import type { Files } from '../io/index.ts';
import { seesLocks } from '../sqlite/index.ts';

/** File systems by their numbers in linux/magic.h, and whether other machines may share them. */
const SUSPECTS: ReadonlyMap<number, { readonly name: string; readonly isShared: boolean }> = new Map([
  [0x6969, { name: 'NFS', isShared: true }],
  [0x517b, { name: 'SMB', isShared: true }],
  [0xff534d42, { name: 'CIFS', isShared: true }],
  [0xfe534d42, { name: 'SMB 2', isShared: true }],
  [0x5346414f, { name: 'AFS', isShared: true }],
  [0x00c36400, { name: 'Ceph', isShared: true }],
  [0x0bd00bd3, { name: 'Lustre', isShared: true }],
  [0x01021997, { name: '9P', isShared: false }],
  [0x65735546, { name: 'FUSE', isShared: false }],
  [0x786f4256, { name: 'a shared folder of VirtualBox', isShared: false }],
]);

/** Name of the file that is locked, in the directory; removed afterwards. */
const PROBE_NAME = '.lock-probe';

/** What is done to look, and to say something. */
export interface Looking {
  /** Whether another process sees a lock on a file of this path; `null` where it cannot be told. */
  readonly seesLocks: (path: string) => boolean | null;
  readonly warn: (message: string) => void;
}

const SYSTEM: Looking = {
  seesLocks,
  warn: (message) => process.emitWarning(message, { code: 'TESSERA_FILE_SYSTEM' }),
};

/**
 * Makes sure that a directory is on a file system on which several processes cannot destroy the database, and
 * warns of one that several machines may share. Errors: `TESSERA_IO`, and those of files and SQLite.
 */
export function checkFileSystem(path: string, files: Files, looking: Looking = SYSTEM): void {
  const kind = files.fileSystemKind(path);
  // Some systems give the number as a signed one.
  const suspect = kind === null ? undefined : SUSPECTS.get(kind >>> 0);
  if (suspect === undefined) return;
  const probe = `${path}/${PROBE_NAME}-${process.pid}`;
  try {
    if (looking.seesLocks(probe) === false) {
      const message = `Locks do not work on the file system of ${path} (${suspect.name}): two processes could write at once and destroy the database. Put it on a local disk.`;
      throw new DatabaseError('TESSERA_IO', message, { details: { path, fileSystem: suspect.name } });
    }
  } finally {
    for (const suffix of ['', '-journal']) files.remove(`${probe}${suffix}`);
  }
  if (!suspect.isShared) return;
  looking.warn(
    `The database in ${path} is on a network file system (${suspect.name}). Processes of one machine may share it; ` +
      'two machines that open it destroy it. Put it on a local disk, and let others ask a server.',
  );
}
