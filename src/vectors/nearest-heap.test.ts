import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NearestHeap } from './nearest-heap.ts';

/** Few distinct keys, so that ties are common, and both infinities. */
const keys = fc.array(fc.constantFrom(-1, 0, 0.5, 2, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY));

test('keeps the k smallest pairs by key, then slot, in whatever order they come', () => {
  fc.assert(
    fc.property(keys, fc.integer({ min: 1, max: 20 }), fc.infiniteStream(fc.nat()), (given, k, shuffle) => {
      const pairs = given.map((key, slot) => ({ key, slot, order: shuffle.next().value }));
      const heap = new NearestHeap(k);
      for (const { key, slot } of pairs.toSorted((a, b) => a.order - b.order)) {
        const isAccepted = heap.accepts(key, slot);
        expect(heap.push(key, slot)).toBe(isAccepted);
      }
      const best = pairs
        .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.slot - b.slot))
        .slice(0, k);
      expect(heap.isFull).toBe(given.length >= k);
      if (heap.isFull) expect(heap.worstKey).toBe(best.at(-1)!.key);
      const drained = heap.drain();
      expect([...drained.slots]).toEqual(best.map((pair) => pair.slot));
      expect([...drained.keys]).toEqual(best.map((pair) => pair.key));
    }),
  );
});
