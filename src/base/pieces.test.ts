import { afterEach, expect, test, vi } from 'vitest';
import { inTurns, type Pieces } from './index.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Three pieces, whose numbers it notes. */
function* threePieces(notes: string[]): Pieces<string> {
  for (let i = 0; i < 3; i++) {
    notes.push(`piece ${i}`);
    if (i < 2) yield;
  }
  return 'done';
}

test('other work goes between the pieces', async () => {
  const notes: string[] = [];
  const done = inTurns(threePieces(notes));
  setImmediate(() => notes.push('other'));
  expect(await done).toBe('done');
  expect(notes).toEqual(['piece 0', 'piece 1', 'other', 'piece 2']);
});

test('where there is no setImmediate, as in browsers, turns are messages and no timers', async () => {
  vi.stubGlobal('setImmediate', undefined);
  vi.stubGlobal('setTimeout', () => expect.unreachable('Browsers make timers in a row 4 ms each.'));
  const notes: string[] = [];
  const done = inTurns(threePieces(notes));
  expect(notes).toEqual(['piece 0']);
  const { port1, port2 } = new MessageChannel();
  port1.addEventListener('message', () => {
    notes.push('other');
    port1.close();
  });
  port1.start();
  port2.postMessage(null);
  expect(await done).toBe('done');
  expect(notes).toContain('other');
});
