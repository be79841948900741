import { describe, expect, it } from 'vitest';
import { ReadyPlaces } from './ready-places.ts';

/** Makes places ready until there is nothing left to do; returns how many there are. */
function makeReady(ready: ReadyPlaces, given: number, free: number, capacity: number): number {
  for (;;) {
    const next = ready.next(given, Math.min(capacity, ready.wanted(given, free)));
    if (next === undefined) return ready.count;
    expect(next.first).toBeGreaterThanOrEqual(given);
    expect(next.end).toBeLessThanOrEqual(capacity);
  }
}

describe('places made ready', () => {
  it('are none while no rows come', () => {
    const ready = new ReadyPlaces();
    expect(makeReady(ready, 5_000, 0, 10_000)).toBe(0);
  });

  it('are some beyond those given out, each once, and not beyond the capacity', () => {
    const ready = new ReadyPlaces();
    ready.noteRow();
    expect(makeReady(ready, 5_000, 0, 10_000)).toBe(6_024);
    expect(ready.next(5_000, 6_024)).toBeUndefined();
    ready.noteRow();
    expect(makeReady(ready, 5_500, 0, 6_200)).toBe(6_200);
  });

  it('are fewer where places that were given out are free again', () => {
    const ready = new ReadyPlaces();
    ready.noteRow();
    expect(makeReady(ready, 5_000, 1_000, 10_000)).toBe(5_024);
    ready.noteRow();
    expect(makeReady(ready, 5_000, 2_000, 10_000)).toBe(5_024);
  });
});
