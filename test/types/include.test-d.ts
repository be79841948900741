/** The include list decides what a result's columns are. Compiled, never run. */
import type { Collection, IncludeColumn, Metadata } from '../../src/index.ts';
import { type Equal, expectTrue } from './equal.ts';

declare const collection: Collection;
declare const columns: IncludeColumn[];
declare const isWanted: boolean;

export async function get(): Promise<void> {
  const fallback = await collection.get();
  expectTrue<Equal<typeof fallback.documents, (string | null)[]>>();
  expectTrue<Equal<typeof fallback.metadatas, (Metadata | null)[]>>();
  expectTrue<Equal<typeof fallback.embeddings, null>>();
  expectTrue<Equal<typeof fallback.uris, null>>();

  const some = await collection.get({ ids: 'a', include: ['documents', 'embeddings'] });
  expectTrue<Equal<typeof some.ids, string[]>>();
  expectTrue<Equal<typeof some.documents, (string | null)[]>>();
  expectTrue<Equal<typeof some.embeddings, number[][]>>();
  expectTrue<Equal<typeof some.metadatas, null>>();
  const [row] = some.rows();
  expectTrue<Equal<NonNullable<typeof row>['embedding'], number[]>>();
  expectTrue<Equal<NonNullable<typeof row>['metadata'], undefined>>();

  const none = await collection.get({ include: [] });
  expectTrue<Equal<typeof none.documents, null>>();

  const unknown = await collection.get({ include: columns });
  expectTrue<Equal<typeof unknown.documents, (string | null)[] | null>>();
  expectTrue<Equal<typeof unknown.embeddings, number[][] | null>>();
  const [loose] = unknown.rows();
  expectTrue<Equal<NonNullable<typeof loose>['uri'], string | null | undefined>>();

  const perhaps = await collection.get({ include: isWanted ? ['documents'] : [] });
  expectTrue<Equal<typeof perhaps.documents, (string | null)[] | null>>();
  expectTrue<Equal<typeof perhaps.uris, null>>();

  // @ts-expect-error: distances belong to queries
  await collection.get({ include: ['distances'] });
  // @ts-expect-error: no such column
  await collection.get({ include: ['vectors'] });
}

export async function query(): Promise<void> {
  const fallback = await collection.query({ queryEmbeddings: [[1]] });
  expectTrue<Equal<typeof fallback.distances, number[][]>>();
  expectTrue<Equal<typeof fallback.documents, (string | null)[][]>>();
  expectTrue<Equal<typeof fallback.embeddings, null>>();

  const some = await collection.query({ queryTexts: ['x'], include: ['embeddings', 'uris'] });
  expectTrue<Equal<typeof some.embeddings, number[][][]>>();
  expectTrue<Equal<typeof some.uris, (string | null)[][]>>();
  expectTrue<Equal<typeof some.distances, null>>();
  const [rows] = some.rows();
  expectTrue<Equal<NonNullable<typeof rows>[number]['distance'], undefined>>();
}

interface Film {
  readonly year: number;
}

export async function metadata(): Promise<void> {
  const films = await collection.get<Film>();
  expectTrue<Equal<typeof films.metadatas, (Film | null)[]>>();
  expectTrue<Equal<typeof films.documents, (string | null)[]>>();
  const some = await collection.get<Film>({ ids: 'a', limit: 1 });
  expectTrue<Equal<typeof some.metadatas, (Film | null)[]>>();
  const found = await collection.query<Film, ['metadatas']>({
    queryEmbeddings: [[1]],
    include: ['metadatas'],
  });
  expectTrue<Equal<typeof found.metadatas, (Film | null)[][]>>();
  expectTrue<Equal<typeof found.distances, null>>();
  const nearest = await collection.query<Film>({ queryEmbeddings: [[1]] });
  expectTrue<Equal<typeof nearest.metadatas, (Film | null)[][]>>();
  expectTrue<Equal<typeof nearest.distances, number[][]>>();
}

/** With the metadata's type alone, the list is taken, and each column is there or `null`. */
export async function metadataWithList(): Promise<void> {
  const films = await collection.get<Film>({ include: ['metadatas'] });
  expectTrue<Equal<typeof films.metadatas, (Film | null)[] | null>>();
  expectTrue<Equal<typeof films.embeddings, number[][] | null>>();
  const [row] = films.rows();
  expectTrue<Equal<NonNullable<typeof row>['metadata'], Film | null | undefined>>();
  const nearest = await collection.query<Film>({ queryTexts: ['x'], include: ['metadatas', 'distances'] });
  expectTrue<Equal<typeof nearest.metadatas, (Film | null)[][] | null>>();
  expectTrue<Equal<typeof nearest.distances, number[][] | null>>();
  const [rows] = nearest.rows();
  expectTrue<Equal<NonNullable<typeof rows>[number]['distance'], number | undefined>>();
  // @ts-expect-error: no such column
  await collection.get<Film>({ include: ['vectors'] });
  // @ts-expect-error: distances belong to queries
  await collection.get<Film>({ include: ['distances'] });
}
