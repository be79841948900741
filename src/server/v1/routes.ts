/**
 * The route table of the API v1, which Chroma's clients 0.4 to 0.6 speak: tenants and databases are
 * parameters of the query string, and a collection's UUID alone names it. A slash at the end of a path makes
 * no difference.
 */
import type { Route } from '../route.ts';
import { COLLECTION_ROUTES } from './collections.ts';
import { nameFailure } from './failure.ts';
import { RECORD_ROUTES } from './records.ts';
import { SYSTEM_ROUTES } from './system.ts';

const ROUTES: readonly Route[] = [...SYSTEM_ROUTES, ...COLLECTION_ROUTES, ...RECORD_ROUTES];

/** Every route, in the order in which they are matched. */
export const V1_ROUTES: readonly Route[] = ROUTES.flatMap((route) => [
  { ...route, nameFailure },
  { ...route, nameFailure, path: `${route.path}/` },
]);
