/**
 * Hashes of secrets, as they stand in key files.
 *
 *   sha256:HEX                        of a key that `tessera key create` drew: 256 random bits need no salt
 *                                     and no slow hash, since nobody can try them all
 *   $scrypt$ln=15,r=8,p=3$SALT$HASH   of a password, by node:crypto; base64 without padding
 *   $2y$…, $2b$…, $2a$…               of a password, by bcrypt, as `htpasswd -B` writes it
 *
 * The weaker forms of htpasswd (MD5, SHA-1, crypt, plain text) are refused: a file of them that gets lost is
 * a list of passwords.
 */
import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { DatabaseError } from '../../base/index.ts';

/** Bytes of a key's randomness, and of a password's salt and hash. */
const KEY_BYTES = 32;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/**
 * Cost of a password's hash: 2^15 × 8 × 128 bytes = 32 MB and three passes, some 0.3 s for each guess; one of
 * the settings that OWASP's cheat sheet on passwords lists. Verified credentials are remembered, so it is
 * paid seldom.
 */
const SCRYPT = { ln: 15, r: 8, p: 3 };
/** Costlier hashes are refused, or a line could make the server stand still: 1 GB, 10 s a guess. */
const SCRYPT_WORK_MAX = 2 ** 23;
const BCRYPT_COST_MAX = 16;

const PREFIX = 'tsk_';
const SHA256 = /^sha256:[0-9a-f]{64}$/;
const SCRYPT_FORM = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w+/]{8,})\$([\w+/]{8,})$/;
const BCRYPT = /^\$2[aby]\$(\d\d)\$[\w./]{53}$/;

const scryptAsync = promisify(scrypt) as (
  password: string,
  salt: Buffer,
  length: number,
  options: { N: number; r: number; p: number; maxmem: number },
) => Promise<Buffer>;

/** How a hash is to be checked. */
export type HashKind = 'key' | 'scrypt' | 'bcrypt';

/** Which kind a hash is. Errors: `TESSERA_INVALID_ARGUMENT` for none of them; `where` names its place. */
export function kindOfHash(hash: string, where: string): HashKind {
  if (SHA256.test(hash)) return 'key';
  const [, cost] = BCRYPT.exec(hash) ?? [];
  if (cost !== undefined && Number(cost) <= BCRYPT_COST_MAX) return 'bcrypt';
  const [ln = 0, r = 0, p = 0] = (SCRYPT_FORM.exec(hash) ?? []).slice(1, 4).map(Number);
  if (Math.min(ln, r, p) > 0 && 2 ** ln * r * p <= SCRYPT_WORK_MAX) return 'scrypt';
  const message =
    `${where}: expected a hash of the form sha256:…, $scrypt$… or $2y$… (bcrypt). Make keys and passwords with ` +
    '`tessera key create`, or passwords with `htpasswd -B`.';
  throw new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { where } });
}

/** A new key. */
export function makeKey(): string {
  return PREFIX + randomBytes(KEY_BYTES).toString('base64url');
}

/** The hash of a key. */
export function hashKey(key: string): string {
  return `sha256:${Buffer.from(digestOf(key)).toString('hex')}`;
}

/** SHA-256 of a text. */
export function digestOf(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}

/** The hash of a password, with a salt of its own. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, HASH_BYTES, SCRYPT);
  const { ln, r, p } = SCRYPT;
  return `$scrypt$ln=${ln},r=${r},p=${p}$${base64(salt)}$${base64(hash)}`;
}

/** Whether a password has this hash of the kind `'scrypt'`. Runs on a thread of Node's own. */
export async function matchesScrypt(password: string, hash: string): Promise<boolean> {
  const [, ln, r, p, salt, expected] = SCRYPT_FORM.exec(hash)!;
  const bytes = Buffer.from(expected!, 'base64');
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  return timingSafeEqual(await derive(password, Buffer.from(salt!, 'base64'), bytes.length, cost), bytes);
}

function derive(
  password: string,
  salt: Buffer,
  length: number,
  { ln, r, p }: { readonly ln: number; readonly r: number; readonly p: number },
): Promise<Buffer> {
  const N = 2 ** ln;
  return scryptAsync(password, salt, length, { N, r, p, maxmem: 256 * N * r });
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
