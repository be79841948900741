/**
 * From an error to a status and a body: the only place where a `kind` or a `code` becomes a number.
 *
 *   details.reason 'type'   422  ChromaError            TESSERA_UNAUTHORIZED   401  AuthError
 *   invalid, limit          400  InvalidArgumentError   TESSERA_FORBIDDEN      403  ChromaError
 *   TESSERA_ABORTED         400  ChromaError            the same of a key's    403  AuthorizationError
 *   not_found               404  NotFoundError          unavailable, closed    503  ChromaError
 *   conflict                409  ChromaError            TESSERA_TIMEOUT        504  ChromaError
 *   body too large          413  ChromaError            corrupt                500  InternalError
 *   wrong content type      415  ChromaError            any other error        500  InternalError
 *                                                       unsupported            501  ChromaError
 *
 * The names are those that Chroma's Python client turns into classes; its JavaScript client goes by the
 * status. `code` is ours: our own client rebuilds the error by it. What is not a `DatabaseError` is a fault
 * of ours, whose text may hold anything: the answer says an id, and the log the rest.
 */
import { DatabaseError, type ErrorCode } from '../base/index.ts';
import type { Answer } from './answer.ts';
import { MediaTypeError } from './body.ts';

/** Chroma's names of errors, as far as they are used here. */
export type WireErrorName =
  | 'ChromaError'
  | 'InvalidArgumentError'
  | 'NotFoundError'
  | 'InternalError'
  | 'AuthError'
  | 'AuthorizationError';

/** Seconds until what a server under load refused may be tried again: the least that the header can say. */
const RETRY_AFTER_S = '1';

/** What every 422 begins with; our own client cuts it off again. */
export const TYPE_FAULT_PREFIX = 'Failed to deserialize the JSON body into the target type: ';

/**
 * The answer to a request that failed. `incidentId` names an unexpected error, in the answer and in the log;
 * `nameFailure` is the route's.
 */
export function answerFailure(
  error: unknown,
  incidentId: () => string,
  nameFailure: (error: unknown) => string | null = () => null,
): Answer {
  if (error instanceof MediaTypeError) {
    return failure(415, 'ChromaError', error.message, 'TESSERA_INVALID_ARGUMENT');
  }
  if (!(error instanceof DatabaseError)) {
    const message = `An unexpected error happened. The server's log tells more under the id ${incidentId()}.`;
    return failure(500, 'InternalError', message);
  }
  const { code, message } = error;
  const [status, name] = classify(error);
  const told = status === 422 ? TYPE_FAULT_PREFIX + message : message;
  const answer = failure(status, nameFailure(error) ?? name, told, code);
  return code === 'TESSERA_OVERLOADED' ? { ...answer, headers: { 'retry-after': RETRY_AFTER_S } } : answer;
}

function classify(error: DatabaseError): [status: number, name: WireErrorName] {
  const { code, kind, details } = error;
  if (details['reason'] === 'type') return [422, 'ChromaError'];
  if (code === 'TESSERA_ABORTED') return [400, 'ChromaError'];
  switch (kind) {
    case 'invalid':
      return [400, 'InvalidArgumentError'];
    case 'limit':
      return details['reason'] === 'body' ? [413, 'ChromaError'] : [400, 'InvalidArgumentError'];
    case 'not_found':
      return [404, 'NotFoundError'];
    case 'conflict':
      return [409, 'ChromaError'];
    case 'unsupported':
      return [501, 'ChromaError'];
    case 'unauthorized':
      if (code === 'TESSERA_UNAUTHORIZED') return [401, 'AuthError'];
      return [403, details['reason'] === 'access' ? 'AuthorizationError' : 'ChromaError'];
    case 'unavailable':
      return [code === 'TESSERA_TIMEOUT' ? 504 : 503, 'ChromaError'];
    case 'closed':
      return [503, 'ChromaError'];
    case 'corrupt':
      return [500, 'InternalError'];
  }
}

function failure(status: number, error: string, message: string, code?: ErrorCode): Answer {
  return { status, body: JSON.stringify({ error, message, code }) };
}
