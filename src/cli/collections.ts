/**
 * What the commands that look into a database have in common: their options, and the walk over collections.
 *
 * They open the directory beside whatever process has it open already, which goes on meanwhile. A directory
 * that is no database is refused rather than made one.
 */
import { resolve } from 'node:path';
import {
  type Backend,
  type CollectionInfo,
  type CollectionScope,
  DEFAULT_DATABASE,
  DEFAULT_TENANT,
} from '../api/index.ts';
import { DatabaseError } from '../base/index.ts';
import { openDatabase } from '../engine/index.ts';
import type { OptionSpec, OptionValues } from './options.ts';

/** The operands of these commands. */
export const COLLECTION_OPERANDS: readonly string[] = ['PATH'];

/** The options of these commands. */
export const COLLECTION_OPTIONS: readonly OptionSpec[] = [
  { name: 'collection', value: 'NAME', fallback: 'all', summary: 'Only this collection' },
  { name: 'tenant', value: 'NAME', fallback: DEFAULT_TENANT, summary: 'Tenant of the database' },
  { name: 'database', value: 'NAME', fallback: DEFAULT_DATABASE, summary: 'Database of the collections' },
  { name: 'json', value: null, fallback: null, summary: 'Prints JSON instead of text' },
  { name: 'help', value: null, fallback: null, summary: 'Shows this text' },
];

/** What became of one collection. */
export type Visited<T> = { readonly collection: string } & (
  | { readonly report: T; readonly error: null }
  | { readonly report: null; readonly error: { readonly code: string; readonly message: string } }
);

/**
 * Calls `visit` for the collections that the options name, one after the other. What fails for one collection
 * is told of that one alone.
 *
 * Errors: those of opening, `TESSERA_TENANT_NOT_FOUND`, `TESSERA_DATABASE_NOT_FOUND`,
 * `TESSERA_COLLECTION_NOT_FOUND`.
 */
export async function visitCollections<T>(
  values: OptionValues,
  readOnly: boolean,
  visit: (backend: Backend, scope: CollectionScope) => Promise<T>,
): Promise<Visited<T>[]> {
  const path = resolve(String(values['PATH']));
  // Opened for reading first: who writes makes a database of a directory that is missing.
  let backend = await openDatabase({ path, threads: 0, readOnly: true });
  if (!readOnly) {
    await backend.close();
    backend = await openDatabase({ path, threads: 0 });
  }
  try {
    const visited: Visited<T>[] = [];
    for (const info of await chosenCollections(backend, values)) {
      visited.push(await visitOne(backend, info, visit));
    }
    return visited;
  } finally {
    await backend.close();
  }
}

async function chosenCollections(backend: Backend, values: OptionValues): Promise<CollectionInfo[]> {
  const tenant = String(values['tenant'] ?? DEFAULT_TENANT);
  const database = String(values['database'] ?? DEFAULT_DATABASE);
  await backend.getDatabase({ tenant, database });
  const name = values['collection'];
  if (name !== undefined) return [await backend.getCollection({ tenant, database }, String(name))];
  const collections = await backend.listCollections({ tenant, database }, { limit: null, offset: 0 });
  return collections.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function visitOne<T>(
  backend: Backend,
  { id, name, tenant, database }: CollectionInfo,
  visit: (backend: Backend, scope: CollectionScope) => Promise<T>,
): Promise<Visited<T>> {
  try {
    const report = await visit(backend, { tenant, database, collectionId: id });
    return { collection: name, report, error: null };
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    const { code, message } = error;
    return { collection: name, report: null, error: { code, message } };
  }
}
