import { expect, it } from 'vitest';
import { type BackupInput, backup, type RestoreInput, restore } from '../../src/transfer/index.ts';

/** Arguments that are wrong, with what the error names. */
const WRONG: readonly (readonly [argument: unknown, named: string])[] = [
  [undefined, 'undefined'],
  ['a path', 'a path'],
  [{ to: 'b' }, 'from'],
  [{ from: 7, to: 'b' }, 'from'],
  [{ from: ['a'], to: 'b' }, 'from'],
  [{ from: 'a', to: '' }, 'to'],
  [{ from: 'a', to: 'b\0c' }, 'to'],
  [{ from: 'a', to: 'b', form: 'a' }, 'form'],
  [{ from: 'a', to: 'b', signal: {} }, 'signal'],
];

const message = (named: string): unknown => ({
  code: 'TESSERA_INVALID_ARGUMENT',
  message: expect.stringContaining(named),
});

it.each([
  ...WRONG,
  [{ from: 'a', to: 'b', since: 7 }, 'since'],
  [{ from: 'a', to: 'b', archive: 'yes' }, 'archive'],
  [{ from: 'a', to: 'b', collections: 'a' }, 'collections'],
  [{ from: 'a', to: 'b', collections: ['a', 1] }, 'collections'],
] as [unknown, string][])('a backup refuses %j', async (argument, named) => {
  await expect(backup(argument as BackupInput)).rejects.toMatchObject(message(named) as object);
});

it.each([
  ...WRONG,
  [{ from: 'a', to: 'b', replace: 1 }, 'replace'],
  [{ from: 'a', to: 'b', acceptDamage: null }, 'acceptDamage'],
] as [unknown, string][])('a restore refuses %j', async (argument, named) => {
  await expect(restore(argument as RestoreInput)).rejects.toMatchObject(message(named) as object);
});
