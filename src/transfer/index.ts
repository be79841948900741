/** Moving whole databases: backups of a directory that is in use, and restoring them. */
export { type BackupEntry, type BackupInput, type BackupReport, backup } from './backup.ts';
export { type RestoreInput, type RestoreReport, restore } from './restore.ts';
