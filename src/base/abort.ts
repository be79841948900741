/** The only place that says that a call was aborted: rooms on every floor take signals. */
import { DatabaseError } from './errors.ts';

/** What an aborted call has come to, at the end of the sentence that says so. */
const EFFECTS = {
  unknown: '',
  notBegun: ' before it began; nothing was changed',
  undone: '; what it had begun was removed',
} as const;

/** See `EFFECTS`. */
export type AbortEffect = keyof typeof EFFECTS;

/** The error of an aborted call; its cause is the signal's reason. */
export function abortError(signal: AbortSignal, effect: AbortEffect = 'unknown'): DatabaseError {
  const message = `The call was aborted by its signal${EFFECTS[effect]}.`;
  return new DatabaseError('TESSERA_ABORTED', message, { cause: signal.reason });
}

/** Errors: `TESSERA_ABORTED` when the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined, effect?: AbortEffect): void {
  if (signal?.aborted === true) throw abortError(signal, effect);
}
