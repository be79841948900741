/// <reference lib="esnext.disposable" preserve="true" />
/** The client for tenants and databases. */
import {
  type Backend,
  checkName,
  checkTenantName,
  type DatabaseInfo,
  type DatabaseScope,
} from '../api/index.ts';
import { checkMembers, membersOf, parseCount, parseText } from './arguments.ts';
import { DatabaseClient, LIST_MEMBERS, type ListInput } from './client.ts';
import { type Cancellable, Connection } from './connection.ts';

/** Names a database within a tenant. */
export interface DatabaseInput extends Cancellable {
  readonly name: string;
  readonly tenant: string;
}

const TENANT_MEMBERS: readonly string[] = ['name', 'signal'];
const DATABASE_MEMBERS = membersOf<DatabaseInput>({ name: true, tenant: true, signal: true });

/** What administrators can do. Made as `AdminClient`. Errors of every method: as `DatabaseClient`. */
export class DatabaseAdmin {
  readonly #connection: Connection;

  /** Works in the database that `source` opens, or in that of a client, which then goes on to own it. */
  constructor(source: (() => Promise<Backend>) | DatabaseClient) {
    this.#connection =
      source instanceof DatabaseClient
        ? new Connection(() => source.backend(), false)
        : new Connection(source);
  }

  /** Creates a tenant. Errors: `TESSERA_ALREADY_EXISTS`, `TESSERA_INVALID_NAME`. */
  async createTenant(input: { readonly name: string } & Cancellable): Promise<void> {
    checkMembers(input, 'createTenant', TENANT_MEMBERS);
    checkTenantName(parseText(input.name, 'name'));
    const backend = await this.#connection.backend(input);
    await backend.createTenant(input.name, { signal: input.signal });
  }

  /** The name of a tenant that exists. Errors: `TESSERA_TENANT_NOT_FOUND`. */
  async getTenant(input: { readonly name: string } & Cancellable): Promise<string> {
    checkMembers(input, 'getTenant', TENANT_MEMBERS);
    const name = parseText(input.name, 'name');
    const backend = await this.#connection.backend(input);
    return (await backend.getTenant(name, { signal: input.signal })).name;
  }

  /** Creates a database. Errors: `TESSERA_ALREADY_EXISTS`, `TESSERA_INVALID_NAME`. */
  async createDatabase(input: DatabaseInput): Promise<void> {
    const scope = scopeOf(input, 'createDatabase');
    checkName(scope.database, '');
    const backend = await this.#connection.backend(input);
    await backend.createDatabase(scope, { signal: input.signal });
  }

  /** A database that exists. Errors: `TESSERA_DATABASE_NOT_FOUND`. */
  async getDatabase(input: DatabaseInput): Promise<DatabaseInfo> {
    const scope = scopeOf(input, 'getDatabase');
    const backend = await this.#connection.backend(input);
    return backend.getDatabase(scope, { signal: input.signal });
  }

  /** Databases of a tenant, ordered by name. */
  async listDatabases(input: { readonly tenant: string } & ListInput): Promise<DatabaseInfo[]> {
    checkMembers(input, 'listDatabases', ['tenant', ...LIST_MEMBERS]);
    const tenant = parseText(input.tenant, 'tenant');
    const page = {
      limit: parseCount(input.limit, 'limit', 0, null),
      offset: parseCount(input.offset, 'offset', 0, 0),
    };
    const backend = await this.#connection.backend(input);
    return backend.listDatabases(tenant, page, { signal: input.signal });
  }

  /** Deletes a database with all its collections. Errors: `TESSERA_DATABASE_NOT_FOUND`. */
  async deleteDatabase(input: DatabaseInput): Promise<void> {
    const scope = scopeOf(input, 'deleteDatabase');
    const backend = await this.#connection.backend(input);
    await backend.deleteDatabase(scope, { signal: input.signal });
  }

  /** Finishes what has begun, then releases files, threads and connections. Idempotent. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function scopeOf(input: DatabaseInput, call: string): DatabaseScope {
  checkMembers(input, call, DATABASE_MEMBERS);
  return { tenant: parseText(input.tenant, 'tenant'), database: parseText(input.name, 'name') };
}
