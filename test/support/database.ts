/** Opening databases in tests: on the test's own thread or on a worker thread of the built package. */
import { onTestFinished } from 'vitest';
import {
  type Backend,
  type CollectionScope,
  DEFAULT_DATABASE,
  DEFAULT_TENANT,
  defaultSchema,
  parseConfiguration,
  type Settings,
  type Space,
} from '../../src/api/index.ts';
import { type Components, openDatabase } from '../../src/engine/index.ts';

/** The worker's program. Threads run JavaScript, so tests need the build that `npm test` makes first. */
export const BUILT_WORKER: URL = new URL('../../dist/engine/worker.js', import.meta.url);

/** The default tenant and database. */
export const SCOPE = { tenant: DEFAULT_TENANT, database: DEFAULT_DATABASE };

/** Opens a database on the test's own thread, unless told otherwise, and closes it when the test ends. */
export async function openTestDatabase(
  settings: Partial<Settings> = {},
  components: Partial<Components> = {},
): Promise<Backend> {
  const backend = await openDatabase({ threads: 0, ...settings }, { workerUrl: BUILT_WORKER, ...components });
  onTestFinished(() => backend.close());
  return backend;
}

/** Makes a collection and returns its scope. */
export async function makeCollection(
  backend: Backend,
  name = 'tiles',
  space: Space = 'l2',
): Promise<CollectionScope> {
  const configuration = parseConfiguration({ hnsw: { space } }, null);
  const schema = defaultSchema(configuration);
  const input = { name, metadata: null, configuration, schema, getOrCreate: false };
  const { id } = await backend.createCollection(SCOPE, input);
  return { ...SCOPE, collectionId: id };
}

/** What `toThrow` and `rejects` compare with: an error of this code. */
export function withCode(code: string): unknown {
  return {
    asymmetricMatch: (error: unknown) => (error as { code?: unknown }).code === code,
    toString: () => code,
  };
}
