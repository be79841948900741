/**
 * Names of errors in the API v1, which its clients turn into classes. Statuses are those of the API v2, and
 * so are all names that are not here.
 */
import { DatabaseError, type ErrorCode } from '../../base/index.ts';

const NAMES: { readonly [code in ErrorCode]?: string } = {
  TESSERA_DIMENSION_MISMATCH: 'InvalidDimension',
  TESSERA_COLLECTION_NOT_FOUND: 'InvalidCollection',
  TESSERA_ALREADY_EXISTS: 'UniqueConstraintError',
  TESSERA_UNAUTHORIZED: 'AuthorizationError',
  TESSERA_FORBIDDEN: 'AuthorizationError',
};

/** What clients of the API v1 call an error; `null` where they have no name of their own for it. */
export function nameFailure(error: unknown): string | null {
  if (!(error instanceof DatabaseError)) return null;
  if (error.details['reason'] === 'uuid') return 'InvalidUUID';
  return NAMES[error.code] ?? null;
}
