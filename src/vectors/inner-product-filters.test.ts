import { describe, expect, test } from 'vitest';
import { FAMILIES } from '../../test/support/hard-vectors.ts';
import { Bitset, seededNumbers } from '../base/index.ts';
import { dot } from '../kernel/index.ts';
import { ClusteredIndex } from './clustered-index.ts';

const COUNT = 6_000;
const K = 10;

/** Slots with the products of a query and their rows, the least first. */
type Products = readonly { readonly slot: number; readonly product: number }[];

describe('filtered searches for the largest inner product', () => {
  const draw = FAMILIES['clustered unit vectors'](64, seededNumbers(5));
  const rows = Array.from({ length: COUNT }, () => draw());
  const index = new ClusteredIndex(
    { space: 'ip', dimension: 64, random: seededNumbers(1) },
    { startCount: 1_000, exactCountMax: 200 },
  );
  for (const [slot, row] of rows.entries()) index.set(slot, row);
  while (index.maintain(0, () => 0));

  test.each<[string, (products: Products) => Products]>([
    ['the half that is farthest from the query', (products) => products.slice(0, COUNT / 2)],
    ['the fifth that is farthest from it', (products) => products.slice(0, COUNT / 5)],
    ['a third of all', (products) => products.filter(({ slot }) => slot % 3 === 0)],
  ])('find their share of %s', (_, choose) => {
    let [found, exactCount] = [0, 0];
    for (let turn = 0; turn < 20; turn++) {
      const query = draw();
      const products = rows.map((row, slot) => ({ slot, product: dot(query, row) }));
      const chosen = choose(products.sort((a, b) => a.product - b.product));
      const allowed = new Bitset(COUNT);
      for (const { slot } of chosen) allowed.add(slot);
      const tenth = chosen.map(({ product }) => product).sort((a, b) => b - a)[K - 1]!;
      const { slots, isExact } = index.search(query, K, allowed, chosen.length);
      exactCount += Number(isExact);
      found += slots.filter((slot) => dot(query, rows[slot]!) >= tenth).length;
    }
    expect(exactCount).toBe(0);
    expect(found / (20 * K)).toBeGreaterThanOrEqual(0.98);
  });
});
