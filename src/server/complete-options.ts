/** Options that are counts, with what is left out filled in and what makes no sense refused. */
import { DatabaseError, show } from '../base/index.ts';

type Counts = { readonly [name: string]: number | null };

/** Options for which 0 means something. */
const MAY_BE_ZERO: ReadonlySet<string> = new Set(['callMs']);

/**
 * The members of `defaults`, as far as `given` has them from there. `null` is for those alone whose default
 * it is. Errors: `TESSERA_INVALID_ARGUMENT`.
 */
export function completeCounts<T extends object>(defaults: T, given: Partial<T>): T {
  const complete: Record<string, number | null> = {};
  for (const [name, fallback] of Object.entries(defaults as Counts)) {
    const value = (given as Partial<Counts>)[name];
    complete[name] = value === undefined ? fallback : value;
    if (value === undefined || (value === null && fallback === null)) continue;
    const least = MAY_BE_ZERO.has(name) ? 0 : 1;
    if (Number.isSafeInteger(value) && value! >= least) continue;
    const message = `Expected ${name} to be a whole number from ${least}, got ${show(value)}.`;
    throw new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { setting: name } });
  }
  return complete as T;
}
