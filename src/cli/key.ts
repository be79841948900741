/** `tessera key create`: a new key, or a password for a user, and the line that lets its holder in. */
import { type AccessKind, formatGrantLine, hashKey, hashPassword, makeKey } from '../server/index.ts';
import type { Command, Terminal } from './command.ts';
import { type OptionValues, UsageError } from './options.ts';

const ACCESS_KINDS: readonly AccessKind[] = ['read', 'write', 'metrics'];

/** The command. */
export const keyCommand: Command = {
  name: 'key',
  summary: 'Makes a key for clients of a server',
  description:
    '`tessera key create NAME --tenant acme --access read >> keys` makes a key. The line for the key file,\n' +
    'which holds a hash and no secret, goes to standard output. The key itself is shown once, on standard\n' +
    'error; it is kept nowhere. A server that has the file lets the key in within two seconds.',
  operands: ['create', 'NAME'],
  options: [
    {
      name: 'tenant',
      value: 'TENANT',
      fallback: 'none, must be given',
      summary: 'The tenant that it may enter; * for all',
    },
    { name: 'access', value: 'KIND', fallback: 'none, must be given', summary: 'read, write, or metrics' },
    { name: 'database', value: 'A,B', fallback: 'all', summary: 'The databases that it may enter' },
    { name: 'collection', value: 'A,B', fallback: 'all', summary: 'The collections, by name or UUID' },
    {
      name: 'user',
      value: null,
      fallback: null,
      summary: 'Makes a password for the user NAME instead of a key',
    },
    { name: 'help', value: null, fallback: null, summary: 'Shows this text' },
  ],
  run,
};

async function run(values: OptionValues, terminal: Terminal): Promise<number> {
  if (values['create'] !== 'create') {
    throw new UsageError(`Expected tessera key create NAME, got tessera key ${String(values['create'])}.`);
  }
  const access = ACCESS_KINDS.find((kind) => kind === values['access']);
  if (access === undefined)
    throw new UsageError(`Expected --access to be one of ${ACCESS_KINDS.join(', ')}.`);
  const tenant = values['tenant'];
  if (tenant === undefined || tenant === '')
    throw new UsageError('Expected --tenant with a name, or * for all.');
  const name = String(values['NAME']);
  const grant = {
    name,
    tenant: tenant === '*' ? null : String(tenant),
    databases: readList(values['database']),
    collections: readList(values['collection']),
    access,
  };
  const isUser = values['user'] === true;
  const secret = makeKey();
  const hash = isUser ? await hashPassword(secret) : hashKey(secret);
  terminal.out(formatGrantLine({ grant, hash }));
  terminal.err(`${isUser ? `Password of ${name}` : 'Key'}, shown this once: ${secret}`);
  return 0;
}

function readList(value: OptionValues[string]): string[] | null {
  if (value === undefined) return null;
  const names = String(value)
    .split(',')
    .filter((name) => name !== '');
  if (names.length === 0) throw new UsageError('Expected names between commas, got none.');
  return names;
}
