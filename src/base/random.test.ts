import { describe, expect, it } from 'vitest';
import { seededNumbers, seededRandom, systemRandom } from './random.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('seeded randomness', () => {
  it('repeats itself for a seed and differs between seeds', () => {
    const draw = (seed: number): number[] => Array.from({ length: 5 }, seededNumbers(seed));
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(seededRandom(7).uuid()).toBe(seededRandom(7).uuid());
  });

  it('makes identifiers of the same form as the system', () => {
    const random = seededRandom(3);
    const made = Array.from({ length: 1000 }, () => random.uuid());
    for (const id of [...made, systemRandom.uuid()]) expect(id).toMatch(UUID);
    expect(new Set(made).size).toBe(1000);
  });

  it('spreads its numbers over the unit interval', () => {
    const next = seededNumbers(11);
    const buckets = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) buckets[Math.floor(next() * 10)]!++;
    for (const count of buckets) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
