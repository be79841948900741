import { expect, test } from 'vitest';
import { seededNumbers } from '../base/index.ts';
import { AskedQueries } from './asked-queries.ts';

const CAPACITY = 20;

/** The numbers of the queries that are kept after `count` different ones. */
function keptOf(count: number, seed: number): number[] {
  const asked = new AskedQueries(CAPACITY, seededNumbers(seed));
  for (let i = 0; i < count; i++) asked.note(Float32Array.of(i, 1));
  expect(asked.isFull).toBe(count >= CAPACITY);
  return asked.list().map((query) => query[0]!);
}

test('queries are kept once each, as they were when they were asked', () => {
  const asked = new AskedQueries(CAPACITY, seededNumbers(1));
  expect(asked.bytes).toBe(0);
  const query = Float32Array.of(1, 2, 3);
  for (let i = 0; i < 10; i++) asked.note(query);
  query[0] = 4;
  asked.note(query);
  expect(asked.list()).toEqual([Float32Array.of(1, 2, 3), Float32Array.of(4, 2, 3)]);
  expect(asked.bytes).toBe(24);
  expect(asked.isFull).toBe(false);
});

test('early and late queries are kept alike, until there were many', () => {
  let early = 0;
  for (let seed = 1; seed <= 100; seed++) {
    const kept = keptOf(200, seed);
    expect(new Set(kept).size).toBe(CAPACITY);
    early += kept.filter((i) => i < 100).length;
  }
  expect(early).toBeGreaterThan(900);
  expect(early).toBeLessThan(1_100);
});

test('queries of long ago give way', () => {
  const kept = keptOf(5_000, 1);
  expect(kept).toHaveLength(CAPACITY);
  expect(kept.filter((i) => i < 2_500).length).toBeLessThanOrEqual(2);
});
