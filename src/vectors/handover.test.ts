import { expect, test } from 'vitest';
import { Bitset } from '../base/index.ts';
import { FlatIndex } from './flat-index.ts';
import { Handover } from './handover.ts';
import type { VectorSource } from './vector-rows.ts';

/** A source whose vectors say where they come from, and a former holder of some slots. */
function scene(): { handover: Handover; reads: number[][] } {
  const reads: number[][] = [];
  const source: VectorSource = {
    read: (slots, count, visit) => {
      reads.push([...slots.subarray(0, count)]);
      for (let i = 0; i < count; i++) visit(i, Float32Array.of(slots[i]!, 1));
    },
  };
  const former = new FlatIndex({ space: 'l2', dimension: 2 });
  const held = new Bitset();
  for (const slot of [1, 3, 5]) {
    former.set(slot, Float32Array.of(slot, 0));
    held.add(slot);
  }
  return { handover: new Handover(former, held, source), reads };
}

function read(handover: Handover, slots: number[]): (readonly [index: number, vector: number[]])[] {
  const seen: (readonly [number, number[]])[] = [];
  // The array may be longer than what is asked for.
  handover.read(Uint32Array.of(...slots, 99), slots.length, (i, vector) => seen.push([i, [...vector]]));
  return seen.sort(([a], [b]) => a - b);
}

test('vectors come from the former holder where it has them, and from the source where not', () => {
  const { handover, reads } = scene();
  expect(read(handover, [0, 1, 2, 3])).toEqual([
    [0, [0, 1]],
    [1, [1, 0]],
    [2, [2, 1]],
    [3, [3, 0]],
  ]);
  expect(reads).toEqual([[0, 2]]);
  expect(read(handover, [1, 5])).toEqual([
    [0, [1, 0]],
    [1, [5, 0]],
  ]);
  expect(reads).toHaveLength(1);
});

test('a slot that has got another vector is read at the source', () => {
  const { handover } = scene();
  handover.forget(3);
  expect(read(handover, [1, 3])).toEqual([
    [0, [1, 0]],
    [1, [3, 1]],
  ]);
});

test('after its end nothing of the former holder is used or held', () => {
  const { handover, reads } = scene();
  expect(handover.bytes).toBeGreaterThan(0);
  handover.finish();
  expect(handover.bytes).toBe(0);
  expect(read(handover, [1, 2])).toEqual([
    [0, [1, 1]],
    [1, [2, 1]],
  ]);
  expect(reads).toEqual([[1, 2]]);
});
