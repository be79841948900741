/**
 * Whether what several clients saw of one record can have happened in some order: linearizability.
 *
 * A history has the calls of all clients on one record, each with the times at which it was made and
 * answered. It is linearizable if the calls can be put into an order in which every call sees what the ones
 * before it have made of the record, and in which no call stands before one that was answered before it was
 * made. A call that was never answered, because its process died, may stand anywhere after it was made, or
 * nowhere.
 *
 * The search is the one of Wing and Gong (1993) with Lowe's memory of configurations: which calls are done,
 * and what the record is, are never tried twice. Records are independent of each other, so that each has a
 * search of its own (Herlihy and Wing: linearizability is local).
 *
 * With many clients at once there are far too many orders to try them all, and most of them are the same in
 * all that matters. What is written by one call alone and seen by some reads tells more: that call must have
 * taken effect, and nothing may replace what it wrote before the last of those reads (after Gibbons and
 * Korach, 1997, for whom each value is written once). So the search neither goes on where one of these is
 * out of reach, nor tells apart values that no read waits for.
 */

/** What a call does to the record, or what it saw; `null` stands for no record. */
export type Action =
  | { readonly kind: 'upsert' | 'add' | 'update'; readonly value: string }
  | { readonly kind: 'delete' }
  | { readonly kind: 'read'; readonly value: string | null };

/** A call on the record. */
export interface Operation {
  readonly action: Action;
  readonly madeAt: number;
  /** Infinity for a call that was never answered. */
  readonly answeredAt: number;
}

/** The record after an action; `undefined` where a read cannot have seen it so. */
function after(value: string | null, action: Action): string | null | undefined {
  switch (action.kind) {
    case 'upsert':
      return action.value;
    case 'add':
      return value ?? action.value;
    case 'update':
      return value === null ? null : action.value;
    case 'delete':
      return null;
    case 'read':
      return action.value === value ? value : undefined;
  }
}

/**
 * A configuration of the search. All operations before `first` are done, and of those from there on the
 * ones whose bit is set in `done`, the lowest bit being that of `first`; `left` of the others were
 * answered, and `readsLeft` of these are reads of `value`, if a single call has written that.
 */
interface Configuration {
  readonly first: number;
  readonly done: bigint;
  readonly left: number;
  readonly value: string | null;
  readonly readsLeft: number;
}

/** Stands in the memory of configurations for a record whose value no read waits for. */
const SOME_VALUE = '\0';

/** Whether a history can have happened, from no record on. */
export function isLinearizable(history: readonly Operation[]): boolean {
  const operations = [...history].sort((a, b) => a.madeAt - b.madeAt);
  const readsOf = readsOfSingleWrites(operations);
  const left = operations.filter(isAnswered).length;
  const waiting: Configuration[] = [{ first: 0, done: 0n, left, value: null, readsLeft: 0 }];
  const seen = new Set<string>();
  for (let here = waiting.pop(); here !== undefined; here = waiting.pop()) {
    if (here.left === 0) return true;
    const isAwaited = here.value === null || here.readsLeft > 0 || !readsOf.has(here.value);
    const key = `${here.first} ${here.done} ${isAwaited ? here.value : SOME_VALUE}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const enabled = nextOperations(operations, here);
    // A read that sees the record as it is may as well happen now: it changes nothing for the others.
    const read = enabled.find((next) => isReadOf(operations[next]!.action, here.value));
    if (read !== undefined) {
      const readsLeft = Math.max(0, here.readsLeft - (isAnswered(operations[read]!) ? 1 : 0));
      waiting.push(withDone(operations, here, read, here.value, readsLeft));
      continue;
    }
    // The last of them is tried first: what was answered first is most likely what happened first.
    enabled.sort((a, b) => operations[b]!.answeredAt - operations[a]!.answeredAt);
    for (const next of enabled) {
      const { action } = operations[next]!;
      const value = after(here.value, action);
      if (value === undefined) continue;
      const isEffect = value !== here.value;
      if (isEffect && here.readsLeft > 0) continue;
      const written = writtenBy(action);
      const reads = written === null ? 0 : (readsOf.get(written) ?? 0);
      if (!isEffect && reads > 0) continue;
      waiting.push(withDone(operations, here, next, value, isEffect ? reads : here.readsLeft));
    }
  }
  return false;
}

/** For each value that a single operation writes, how many answered reads have seen it. */
function readsOfSingleWrites(operations: readonly Operation[]): Map<string, number> {
  const writes = new Map<string, number>();
  for (const { action } of operations) {
    const value = writtenBy(action);
    if (value !== null) writes.set(value, (writes.get(value) ?? 0) + 1);
  }
  const reads = new Map<string, number>();
  for (const [value, count] of writes) if (count === 1) reads.set(value, 0);
  for (const { action } of operations.filter(isAnswered)) {
    if (action.kind !== 'read' || action.value === null) continue;
    const count = reads.get(action.value);
    if (count !== undefined) reads.set(action.value, count + 1);
  }
  return reads;
}

/** The value that an action puts there, if it takes effect. */
function writtenBy(action: Action): string | null {
  return action.kind === 'read' || action.kind === 'delete' ? null : action.value;
}

function isReadOf(action: Action, value: string | null): boolean {
  return action.kind === 'read' && action.value === value;
}

function isAnswered({ answeredAt }: Operation): boolean {
  return answeredAt !== Number.POSITIVE_INFINITY;
}

/** The operations that may come next: those made before any other one that is not done was answered. */
function nextOperations(operations: readonly Operation[], { first, done }: Configuration): number[] {
  const next: number[] = [];
  let firstAnswer = Number.POSITIVE_INFINITY;
  for (let i = first; i < operations.length; i++) {
    if ((done >> BigInt(i - first)) & 1n) continue;
    const { madeAt, answeredAt } = operations[i]!;
    // Sorted by when they were made: all later ones were made after an answer that is still to come.
    if (madeAt > firstAnswer) break;
    next.push(i);
    firstAnswer = Math.min(firstAnswer, answeredAt);
  }
  return next;
}

function withDone(
  operations: readonly Operation[],
  here: Configuration,
  operation: number,
  value: string | null,
  readsLeft: number,
): Configuration {
  let { first } = here;
  let done = here.done | (1n << BigInt(operation - first));
  for (; done & 1n; done >>= 1n) first++;
  return { first, done, left: here.left - (isAnswered(operations[operation]!) ? 1 : 0), value, readsLeft };
}
