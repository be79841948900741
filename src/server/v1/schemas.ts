/** Shapes of the bodies of the API v1 that are not those of the API v2. */
import type { Include } from '../../api/index.ts';
import { list, object, optional, type Shape, variant } from '../shape.ts';
import { GET_MEMBERS, type GetBody, INCLUDES, QUERY_MEMBERS, type QueryBody } from '../v2/schemas.ts';

/** What `include` may list: `data` is what clients load from the URIs themselves. */
export type OldInclude = Include | 'data';

const include = (fallback: readonly OldInclude[]): Shape<readonly OldInclude[]> =>
  optional<readonly OldInclude[]>(list(variant<OldInclude>([...INCLUDES, 'data'])), fallback);

/** Which records, and which columns of them. */
export const getBody: Shape<Omit<GetBody, 'include'> & { readonly include: readonly OldInclude[] }> = object({
  ...GET_MEMBERS,
  include: include(['metadatas', 'documents']),
});

/** Which neighbours. */
export const queryBody: Shape<Omit<QueryBody, 'include'> & { readonly include: readonly OldInclude[] }> =
  object({ ...QUERY_MEMBERS, include: include(['metadatas', 'documents', 'distances']) });
