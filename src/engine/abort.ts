/** Calls that are given up by their callers. */
import { DatabaseError } from '../base/index.ts';

/** The error of an aborted call; its cause is the signal's reason. */
export function abortError(signal: AbortSignal): DatabaseError {
  const message = 'The call was aborted by its signal before it began; nothing was changed.';
  return new DatabaseError('TESSERA_ABORTED', message, { cause: signal.reason });
}
