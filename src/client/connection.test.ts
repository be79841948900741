/** What the collections of a client share: the order of their writes. */
import { expect, test } from 'vitest';
import type { Backend } from '../api/index.ts';
import type { Pieces } from '../base/index.ts';
import { Connection } from './connection.ts';

function* inPieces<T>(count: number, result: () => T): Pieces<T> {
  for (let i = 1; i < count; i++) yield;
  return result();
}

function connect(): Connection {
  return new Connection(async () => ({}) as Backend);
}

test('writes arrive in the order of their calls, however long each takes to prepare', async () => {
  const connection = connect();
  const arrived: string[] = [];
  const write = (name: string, pieceCount: number): Promise<void> =>
    connection.write(
      {},
      inPieces(pieceCount, () => name),
      async (_, value) => {
        arrived.push(value);
      },
    );
  await Promise.all([write('large', 20), write('small', 1), write('middle', 5), write('last', 1)]);
  expect(arrived).toEqual(['large', 'small', 'middle', 'last']);
});

test('a write does not wait for the answer of the one before it', async () => {
  const connection = connect();
  let answer = (): void => {};
  const unanswered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const write = (send: () => Promise<unknown>): Promise<unknown> =>
    connection.write(
      {},
      inPieces(1, () => 0),
      send,
    );
  const first = write(() => unanswered);
  expect(await write(async () => 'second')).toBe('second');
  answer();
  await first;
});

test('a write that cannot be prepared fails alone', async () => {
  const connection = connect();
  const fail = (): never => {
    throw new Error('not a batch');
  };
  const failing = connection.write({}, inPieces(3, fail), async () => {});
  const next = connection.write(
    {},
    inPieces(1, () => 'fine'),
    async (_, value) => value,
  );
  await expect(failing).rejects.toThrow('not a batch');
  expect(await next).toBe('fine');
});

test('the first piece is computed before the call returns, and the event loop comes round before the next', async () => {
  const connection = connect();
  const events: string[] = [];
  function* pieces(): Pieces<void> {
    events.push('first');
    setImmediate(() => events.push('turn of the loop'));
    yield;
    events.push('second');
  }
  const done = connection.write({}, pieces(), async () => {});
  events.push('called');
  await done;
  expect(events).toEqual(['first', 'called', 'turn of the loop', 'second']);
});
