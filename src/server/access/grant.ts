/**
 * What the holder of a key, or a user with a password, may do.
 *
 * The same text says it in a key file, in the environment and in the output of `tessera key create`: one line
 * for each holder,
 *
 *   NAME HASH tenant=TENANT|* [database=NAME,…] [collection=NAME|UUID,…] access=read|write|metrics
 *
 * Parts are separated by spaces; values are percent-encoded where they hold spaces, commas or `%`. Tenant and
 * access have no defaults, since a line that says too little must not allow much. Empty lines and lines that
 * begin with `#` say nothing.
 */
import { DatabaseError, nearestOf, show } from '../../base/index.ts';

/** Reading; reading and changing; or the figures of `/metrics` and nothing else. */
export type AccessKind = 'read' | 'write' | 'metrics';

const ACCESS_KINDS: readonly AccessKind[] = ['read', 'write', 'metrics'];

/** What somebody may do. `null` for a list means everything of that kind. */
export interface Grant {
  /** For people and logs; of no meaning otherwise. */
  readonly name: string;
  readonly tenant: string | null;
  readonly databases: readonly string[] | null;
  /** Names or UUIDs. */
  readonly collections: readonly string[] | null;
  readonly access: AccessKind;
}

/** A grant with the hash of what proves it. */
export interface GrantLine {
  readonly grant: Grant;
  readonly hash: string;
}

const SCOPES = ['tenant', 'database', 'collection', 'access'] as const;
type ScopeName = (typeof SCOPES)[number];

/**
 * Reads lines of grants; `source` names the place in messages, which never show a hash.
 *
 * Errors: `TESSERA_INVALID_ARGUMENT` naming the line.
 */
export function parseGrantLines(text: string, source: string): GrantLine[] {
  const lines: GrantLine[] = [];
  const names = new Set<string>();
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.trim().split(/\s+/);
    if (words[0] === '' || words[0]!.startsWith('#')) continue;
    const where = `${source}, line ${index + 1}`;
    const parsed = parseLine(words, where);
    if (names.has(parsed.grant.name)) throw malformed(where, `the name ${parsed.grant.name} stands twice`);
    names.add(parsed.grant.name);
    lines.push(parsed);
  }
  return lines;
}

function parseLine([name, hash, ...rest]: readonly string[], where: string): GrantLine {
  if (
    hash === undefined ||
    (hash.includes('=') === true && SCOPES.some((key) => hash.startsWith(`${key}=`)))
  ) {
    throw malformed(where, `expected a hash after the name ${show(name)}`);
  }
  const scope = new Map<ScopeName, string[]>();
  for (const word of rest) {
    const key = word.slice(0, Math.max(word.indexOf('='), 0));
    const known = SCOPES.find((candidate) => candidate === key);
    if (known === undefined) {
      const nearest = nearestOf(key === '' ? word : key, SCOPES);
      const hint = nearest === null ? `expected ${SCOPES.join('=, ')}=` : `did you mean ${nearest}=?`;
      throw malformed(where, `unknown part ${show(word)}: ${hint}`);
    }
    if (scope.has(known)) throw malformed(where, `${known}= stands twice`);
    scope.set(
      known,
      word
        .slice(key.length + 1)
        .split(',')
        .map((value) => decode(value, where)),
    );
  }
  return { grant: readGrant(decode(name!, where), scope, where), hash };
}

function readGrant(name: string, scope: ReadonlyMap<ScopeName, string[]>, where: string): Grant {
  const tenants = scope.get('tenant');
  if (tenants?.length !== 1) throw malformed(where, 'expected tenant= with one tenant, or tenant=* for all');
  const access = ACCESS_KINDS.find((kind) => kind === scope.get('access')?.join());
  if (access === undefined) throw malformed(where, `expected access= with one of ${ACCESS_KINDS.join(', ')}`);
  const tenant = tenants[0] === '*' ? null : tenants[0]!;
  const databases = scope.get('database') ?? null;
  const collections = scope.get('collection') ?? null;
  const isEmpty = [tenant, ...(databases ?? []), ...(collections ?? [])].includes('');
  if (isEmpty || name === '') throw malformed(where, 'a name is empty');
  if (access === 'metrics' && (tenant ?? databases ?? collections) !== null) {
    throw malformed(where, 'the figures are of the whole server: access=metrics goes with tenant=* alone');
  }
  return { name, tenant, databases, collections, access };
}

function decode(value: string, where: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw malformed(where, `${show(value)} is no percent-encoding`);
  }
}

function malformed(where: string, reason: string): DatabaseError {
  const form = 'NAME HASH tenant=TENANT [database=NAME,…] [collection=NAME,…] access=read|write';
  const message = `${where}: ${reason}. The form of a line is ${form}; \`tessera key create\` writes one.`;
  return new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { where } });
}

/** A grant as a line; inverse of `parseGrantLines`. */
export function formatGrantLine({ grant, hash }: GrantLine): string {
  const list = (key: ScopeName, values: readonly string[] | null): string =>
    values === null ? '' : ` ${key}=${values.map(encode).join(',')}`;
  const tenant = grant.tenant === null ? '*' : encode(grant.tenant);
  return (
    `${encode(grant.name)} ${hash} tenant=${tenant}${list('database', grant.databases)}` +
    `${list('collection', grant.collections)} access=${grant.access}`
  );
}

/** `*` is escaped, since it stands for all tenants. */
function encode(value: string): string {
  return encodeURIComponent(value).replaceAll('*', '%2A');
}
