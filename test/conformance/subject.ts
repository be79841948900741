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

/** A new collection of `count` records, `id-0` and on, with embeddings of three numbers. */
export async function filledCollection(
  subject: Subject,
  count: number,
  input: Omit<CreateCollectionInput, 'name'> = {},
): Promise<Collection> {
  const made = await subject.collection(input);
  const ids = Array.from({ length: count }, (_, i) => `id-${i}`);
  await made.add({
    ids,
    embeddings: ids.map((_, i) => [i, 1, 2]),
    documents: ids.map((id) => `The document of ${id}`),
    metadatas: ids.map((_, i) => ({ parity: i % 2 })),
  });
  return made;
}
