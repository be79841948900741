import { expect, it } from 'vitest';
import { LruMap } from './lru.ts';

it('hands back what was used longest ago, and nothing that was taken', () => {
  const evicted: string[] = [];
  const map = new LruMap<string, number>(2, (_, key) => evicted.push(key));
  map.set('a', 1);
  map.set('b', 2);
  expect(map.get('a')).toBe(1);
  map.set('c', 3);
  expect(evicted).toEqual(['b']);
  expect(map.take('a')).toBe(1);
  expect(map.take('a')).toBeUndefined();
  expect(map.peek('c')).toBe(3);
  map.set('d', 4);
  expect(map.peek('b')).toBeUndefined();
  expect([...map.values()]).toEqual([3, 4]);
  expect(map.size).toBe(2);
  expect(evicted).toEqual(['b']);
});
