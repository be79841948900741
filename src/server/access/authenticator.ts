/**
 * Who sent a request: from its headers to a grant.
 *
 *   Authorization: Bearer KEY · X-Chroma-Token: KEY · Authorization: Basic base64(user:password)
 *
 * A key is looked for among all of them, each compared in constant time, so that the time tells neither which
 * key nor how much of it was right. A password is checked by its slow hash, one at a time; an unknown user
 * takes as long as a known one. What was verified is remembered under a hash of the header with a key that
 * lives as long as the process, so that the next request with it costs one hash; the memory is dropped
 * whenever the lists are read anew.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { DatabaseError, LruMap } from '../../base/index.ts';
import { BcryptThread } from './bcrypt-thread.ts';
import type { Grant, GrantLine } from './grant.ts';
import { digestOf, kindOfHash, matchesScrypt } from './secrets.ts';

/** Headers that prove something: what `Authorization` and `X-Chroma-Token` hold. */
export interface Credentials {
  readonly authorization: string | null;
  readonly chromaToken: string | null;
}

/** Verified credentials that are remembered: far more than a server has callers at a time. */
const REMEMBERED_MAX = 10_000;
/** Passwords that wait to be checked, at up to 0.3 s each; more would wait longer than a client does. */
const WAITING_MAX = 32;

interface Key {
  readonly digest: Buffer;
  readonly grant: Grant;
}

interface User {
  readonly kind: 'scrypt' | 'bcrypt';
  /** The hash of the password. */
  readonly proof: string;
  readonly grant: Grant | null;
}

/** See the top of this file. */
export class Authenticator {
  readonly #bcrypt: BcryptThread;
  readonly #secret = randomBytes(32).toString('base64');
  #verified = new LruMap<string, Grant>(REMEMBERED_MAX, () => {});
  #keys: readonly Key[] = [];
  #users: ReadonlyMap<string, User> = new Map();
  #checking: Promise<unknown> = Promise.resolve();
  #waitingCount = 0;

  /** `bcryptUrl` is the built program that checks bcrypt hashes. */
  constructor(bcryptUrl: URL = new URL('./bcrypt-worker.js', import.meta.url)) {
    this.#bcrypt = new BcryptThread(bcryptUrl);
  }

  /** Takes these lines instead of all before. Errors: `TESSERA_INVALID_ARGUMENT`, with the old ones kept. */
  replace(lines: readonly GrantLine[]): void {
    const keys: Key[] = [];
    const users = new Map<string, User>();
    for (const { grant, hash: proof } of lines) {
      const kind = kindOfHash(proof, `The hash of ${grant.name}`);
      if (kind === 'key') keys.push({ digest: Buffer.from(proof.slice('sha256:'.length), 'hex'), grant });
      else users.set(grant.name, { kind, proof, grant });
    }
    this.#keys = keys;
    this.#users = users;
    this.#verified = new LruMap(REMEMBERED_MAX, () => {});
  }

  /** Schemes that a client may be asked for, as `WWW-Authenticate` lists them. */
  get challenge(): string {
    const basic = this.#users.size > 0 ? ', Basic realm="tessera", charset="UTF-8"' : '';
    return `Bearer realm="tessera"${basic}`;
  }

  /**
   * Who these credentials are of; at once where they are known. Errors: `TESSERA_UNAUTHORIZED`,
   * `TESSERA_OVERLOADED` when too many passwords wait to be checked.
   */
  identify({ authorization, chromaToken }: Credentials): Grant | Promise<Grant> {
    // Chroma's own header first: the other may be for a proxy on the way.
    const presented = chromaToken === null ? authorization : `Bearer ${chromaToken}`;
    if (presented === null) throw unauthorized('This server wants a key, and the request has none.');
    const id = hash('sha256', this.#secret + presented, 'base64');
    const known = this.#verified.get(id);
    if (known !== undefined) return known;
    const [scheme = '', value = ''] = presented.split(/ +(.*)/s, 2);
    switch (scheme.toLowerCase()) {
      case 'bearer':
        return this.#remember(id, this.#verified, this.#holderOf(value.trim()));
      case 'basic':
        return this.#holderOfPassword(id, value.trim());
      default:
        throw unauthorized('Expected Authorization: Bearer with a key, or Basic with a user and password.');
    }
  }

  /** Ends what runs beside the calling thread. */
  close(): Promise<void> {
    return this.#bcrypt.close();
  }

  #remember(id: string, verified: LruMap<string, Grant>, grant: Grant): Grant {
    verified.set(id, grant);
    return grant;
  }

  #holderOf(key: string): Grant {
    const digest = digestOf(key);
    let found: Grant | null = null;
    for (const candidate of this.#keys) {
      if (timingSafeEqual(candidate.digest, digest)) found = candidate.grant;
    }
    if (found === null) throw unauthorized('The key is not one that this server knows.');
    return found;
  }

  async #holderOfPassword(id: string, value: string): Promise<Grant> {
    const text = Buffer.from(value, 'base64').toString();
    const colon = text.indexOf(':');
    const [name, password] = [text.slice(0, Math.max(colon, 0)), text.slice(colon + 1)];
    const verified = this.#verified;
    const user = this.#users.get(name) ?? this.#nobody();
    const isMatch = user !== null && (await this.#check(password, user));
    if (!isMatch || user.grant === null) throw unauthorized('User and password do not belong together.');
    return this.#remember(id, verified, user.grant);
  }

  /** A user whom nobody is, with the hash of another one; `null` where there are no users. */
  #nobody(): User | null {
    const [first] = this.#users.values();
    return first === undefined ? null : { ...first, grant: null };
  }

  /** One after the other: each takes a core, and memory. */
  async #check(password: string, { kind, proof }: User): Promise<boolean> {
    if (this.#waitingCount >= WAITING_MAX) {
      throw new DatabaseError('TESSERA_OVERLOADED', 'Too many passwords wait to be checked. Try again.');
    }
    this.#waitingCount++;
    const turn = this.#checking.then(() =>
      kind === 'scrypt' ? matchesScrypt(password, proof) : this.#bcrypt.matches(password, proof),
    );
    this.#checking = turn.catch(() => {}).finally(() => this.#waitingCount--);
    return turn;
  }
}

function unauthorized(message: string): DatabaseError {
  return new DatabaseError('TESSERA_UNAUTHORIZED', message);
}
