/** The checker of histories, by ones whose verdict is plain: it is no use unless it finds what is wrong. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Action, isLinearizable, type Operation } from './history.ts';

const operation = (action: Action, madeAt: number, answeredAt: number): Operation => ({
  action,
  madeAt,
  answeredAt,
});
const write = (value: string, ...times: [number, number]): Operation =>
  operation({ kind: 'upsert', value }, ...times);
const read = (value: string | null, ...times: [number, number]): Operation =>
  operation({ kind: 'read', value }, ...times);
const NEVER = Number.POSITIVE_INFINITY;

describe('a history', () => {
  test.each<[string, Operation[], boolean]>([
    ['that is empty', [], true],
    ['of a read after a write', [write('a', 1, 2), read('a', 3, 4)], true],
    ['of a stale read', [write('a', 1, 2), write('b', 3, 4), read('a', 5, 6)], false],
    ['of a read that misses an acknowledged write', [write('a', 1, 2), read(null, 3, 4)], false],
    ['of a read that sees what nobody wrote', [write('a', 1, 2), read('z', 3, 4)], false],
    ['of a read beside a write, before it', [write('a', 1, 2), write('b', 3, 6), read('a', 4, 5)], true],
    ['of a read beside a write, after it', [write('a', 1, 2), write('b', 3, 6), read('b', 4, 5)], true],
    ['of reads that go back', [write('a', 1, 2), write('b', 3, 9), read('b', 4, 5), read('a', 6, 7)], false],
    ['of a lost update', [write('a', 1, 4), write('b', 2, 3), read('a', 5, 6), read('b', 7, 8)], false],
    ['of a write that was never answered and was done', [write('a', 1, NEVER), read('a', 5, 6)], true],
    ['of a write that was never answered and was not done', [write('a', 1, NEVER), read(null, 5, 6)], true],
    [
      'of a write that was never answered and was undone',
      [write('a', 1, NEVER), read('a', 5, 6), read(null, 7, 8)],
      false,
    ],
    [
      'of an add that found the record',
      [write('a', 1, 2), operation({ kind: 'add', value: 'b' }, 3, 4), read('a', 5, 6)],
      true,
    ],
    [
      'of an add that replaced the record',
      [write('a', 1, 2), operation({ kind: 'add', value: 'b' }, 3, 4), read('b', 5, 6)],
      false,
    ],
    ['of an update of nothing', [operation({ kind: 'update', value: 'a' }, 1, 2), read('a', 3, 4)], false],
    ['of a delete', [write('a', 1, 2), operation({ kind: 'delete' }, 3, 4), read('a', 5, 6)], false],
  ])('%s is judged rightly', (_, history, expected) => {
    expect(isLinearizable(history)).toBe(expected);
  });
});

/** Calls that happened one after the other, each answered some time around the moment when it happened. */
const happened = fc.array(
  fc.record({
    kind: fc.constantFrom('upsert', 'add', 'update', 'delete', 'read', 'read', 'read'),
    early: fc.nat(40),
    late: fc.nat(40),
  }),
  { maxLength: 40 },
);

function historyOf(calls: readonly { kind: string; early: number; late: number }[]): Operation[] {
  let value: string | null = null;
  return calls.map(({ kind, early, late }, i) => {
    const written = `v${i}`;
    if (kind === 'upsert' || (kind === 'add' && value === null) || (kind === 'update' && value !== null)) {
      value = written;
    }
    if (kind === 'delete') value = null;
    const action = { kind, ...(kind === 'read' ? { value } : { value: written }) } as Action;
    return { action, madeAt: 10 * i - early, answeredAt: 10 * i + late };
  });
}

test('a history that did happen is linearizable, whatever its calls were beside', () => {
  fc.assert(
    fc.property(happened, (calls) => {
      expect(isLinearizable(historyOf(calls))).toBe(true);
    }),
  );
});

test('a history of calls one after the other is not, once a read has seen something else', () => {
  const alone = happened.map((calls) => calls.map((call) => ({ ...call, early: 1, late: 1 })));
  fc.assert(
    fc.property(alone, fc.nat(), (calls, which) => {
      const history = historyOf(calls);
      const reads = history.flatMap(({ action }, i) => (action.kind === 'read' ? [i] : []));
      fc.pre(reads.length > 0);
      const wrong = reads[which % reads.length]!;
      const planted = history.map((call, i) =>
        i === wrong ? { ...call, action: { kind: 'read' as const, value: 'planted' } } : call,
      );
      expect(isLinearizable(planted)).toBe(false);
    }),
  );
});

/** Whether any order of the calls explains what was seen: all orders are tried. */
function canHaveHappened(left: readonly Operation[], value: string | null): boolean {
  if (left.every(({ answeredAt }) => answeredAt === NEVER)) return true;
  const firstAnswer = Math.min(...left.map(({ answeredAt }) => answeredAt));
  return left.some(({ action, madeAt }, i) => {
    if (madeAt > firstAnswer) return false;
    if (action.kind === 'read' && action.value !== value) return false;
    const isDone = { upsert: true, add: value === null, update: value !== null, delete: true, read: false };
    const written = action.kind === 'delete' ? null : action.value;
    return canHaveHappened(left.toSpliced(i, 1), isDone[action.kind] ? written : value);
  });
}

const few = fc.array(
  fc
    .record({
      kind: fc.constantFrom('upsert', 'add', 'update', 'delete', 'read', 'read'),
      // Few values, of which some are written by one call and others by several.
      value: fc.constantFrom('a', 'b', 'c', 'd', null),
      madeAt: fc.nat(20),
      lasts: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constant(NEVER)),
    })
    .filter(({ kind, value }) => kind === 'read' || value !== null)
    .map(({ kind, value, madeAt, lasts }) => operation({ kind, value } as Action, madeAt, madeAt + lasts)),
  { maxLength: 7 },
);

test('a history of a few calls is judged as by trying all orders', () => {
  let [rightCount, wrongCount] = [0, 0];
  fc.assert(
    fc.property(few, (history) => {
      const expected = canHaveHappened(history, null);
      if (expected) rightCount++;
      else wrongCount++;
      expect(isLinearizable(history)).toBe(expected);
    }),
    { numRuns: 3_000 },
  );
  expect(Math.min(rightCount, wrongCount)).toBeGreaterThan(300);
});
