/** What the cases of the conformance suite work with. */
import { expect } from 'vitest';
import type { Backend, BatchInput, CollectionScope, Settings, WriteVerb } from '../../src/api/index.ts';
import type {
  Collection,
  CreateCollectionInput,
  DatabaseAdmin,
  DatabaseClient,
} from '../../src/client/index.ts';

/**
 * A backend under test and how to be rid of it. `dispose` also closes it, however often it was closed before.
 */
export interface Opened {
  readonly backend: Backend;
  dispose(): Promise<void>;
}

/** Opens a fresh, empty backend. */
export type MakeBackend = (settings?: Pick<Settings, 'allowReset'>) => Promise<Opened>;

/** What the cases work with. */
export interface Subject {
  /** A fresh, empty backend of the same kind, which the case disposes of itself. */
  readonly make: MakeBackend;
  readonly backend: Backend;
  readonly client: DatabaseClient;
  readonly admin: DatabaseAdmin;
  /** A name that no other case uses. */
  name(): string;
  /** A new empty collection. */
  collection(input?: Omit<CreateCollectionInput, 'name'>): Promise<Collection>;
  /** Writes through the port, past the checks of the client. */
  write(collection: Collection, verb: WriteVerb, input: BatchInput): Promise<void>;
}

/** What names a collection at the port. */
export function scopeOf({ tenant, database, id }: Collection): CollectionScope {
  return { tenant, database, collectionId: id };
}

/** Expects a call to fail with a `DatabaseError` of this code, and its message to match. */
export async function expectFault(
  call: Promise<unknown>,
  code: string,
  message: RegExp = /./,
): Promise<void> {
  await expect(call).rejects.toMatchObject({
    name: 'DatabaseError',
    code,
    message: expect.stringMatching(message),
  });
}
