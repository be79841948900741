/** Bodies that are huge or deep, yet within the limit of a body: each of them is JSON or nearly so. */
import type { PlainRequest } from './requests.ts';

/** Clauses of a filter, elements of a list, depth of a nesting. */
const COUNT = 100_000;

const repeated = (text: string): string => `[${`${text},`.repeat(COUNT - 1)}${text}]`;
const nested = (open: string, close: string): string => `${open.repeat(COUNT)}${close.repeat(COUNT)}`;

/** Values that stand where a filter is expected, and where a list is. */
const FILTERS: readonly string[] = [
  `{"$or":${repeated('{"n":1}')}}`,
  `{"$and":${repeated('{"s":{"$ne":"x"}}')}}`,
  `{"$or":${repeated('{"f":{"$gt":1.5}}')}}`,
  `{"$and":${repeated('{"tags":{"$contains":"p"}}')}}`,
  `{"$or":${repeated('{"#document":{"$contains":"fox"}}')}}`,
  `{"$and":${repeated('{"#document":{"$not_regex":"fo+x"}}')}}`,
  `{"n":{"$in":${repeated('1')}}}`,
  nested('{"$and":[', ']}'),
  nested('{"$or":[{"n":1},', ']}'),
];
const LISTS: readonly string[] = [
  repeated('"a"'),
  repeated('null'),
  repeated('1.5'),
  `[${repeated('1')}]`,
  repeated('[1,2,3]'),
  nested('[', ']'),
  `"${'\\ud800'.repeat(COUNT)}"`,
  '9'.repeat(10 * COUNT),
  `{${Array.from({ length: COUNT }, (_, i) => `"k${i}":${i}`).join()}}`,
];

/** The members of requests that may be replaced, by what stands there. */
const PLACES: Readonly<Record<string, readonly string[]>> = {
  where: FILTERS,
  where_document: FILTERS,
  ids: LISTS,
  embeddings: LISTS,
  query_embeddings: LISTS,
  documents: LISTS,
  metadatas: LISTS,
  include: LISTS,
  metadata: LISTS,
};

/** The body of a request with something huge in the place of a member; `null` where none can be replaced. */
export function hugeBody({ body }: PlainRequest, next: () => number): string | null {
  const members = Object.keys(body ?? {}).filter((name) => name in PLACES);
  const member = members[Math.floor(next() * members.length)];
  if (member === undefined) return null;
  const texts = PLACES[member]!;
  const text = texts[Math.floor(next() * texts.length)]!;
  const others = JSON.stringify({ ...(body as object), [member]: '\u0001' });
  return others.replace(JSON.stringify('\u0001'), () => text);
}
