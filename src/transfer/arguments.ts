/** Checks what `backup` and `restore` are given, before anything is looked at or made. */
import { checkMembers, checkSignal, invalidArgument, membersOf, parseFlag } from '../client/index.ts';
import type { BackupInput } from './backup.ts';
import type { RestoreInput } from './restore.ts';

const BACKUP_MEMBERS = membersOf<BackupInput>({
  from: true,
  to: true,
  collections: true,
  since: true,
  archive: true,
  signal: true,
});

const RESTORE_MEMBERS = membersOf<RestoreInput>({
  from: true,
  to: true,
  replace: true,
  acceptDamage: true,
  signal: true,
});

/** Errors: `TESSERA_INVALID_ARGUMENT`. */
export function checkBackupInput(input: BackupInput): void {
  checkMembers(input, 'backup', BACKUP_MEMBERS);
  checkPath(input.from, 'from');
  checkPath(input.to, 'to');
  if (input.since !== undefined) checkPath(input.since, 'since');
  parseFlag(input.archive, 'archive');
  checkNames(input.collections);
  checkSignal(input.signal);
}

/** Errors: `TESSERA_INVALID_ARGUMENT`. */
export function checkRestoreInput(input: RestoreInput): void {
  checkMembers(input, 'restore', RESTORE_MEMBERS);
  checkPath(input.from, 'from');
  checkPath(input.to, 'to');
  parseFlag(input.replace, 'replace');
  parseFlag(input.acceptDamage, 'acceptDamage');
  checkSignal(input.signal);
}

function checkPath(value: unknown, name: string): void {
  if (typeof value === 'string' && value !== '' && !value.includes('\0')) return;
  throw invalidArgument(name, 'a path', value);
}

function checkNames(value: unknown): void {
  if (value === undefined) return;
  if (!Array.isArray(value)) throw invalidArgument('collections', 'an array of names', value);
  for (const name of value) {
    if (typeof name !== 'string') throw invalidArgument('collections', 'an array of names', name);
  }
}
