import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { distance, FAMILIES, FAMILY_NAMES, type FamilyName } from '../../test/support/hard-vectors.ts';
import type { Space } from '../api/index.ts';
import { assert, Bitset, seededNumbers } from '../base/index.ts';
import { dot } from '../kernel/index.ts';
import { NearestHeap } from './nearest-heap.ts';
import { VectorCache } from './vector-cache.ts';
import type { NearestSlots, VectorSource } from './vector-rows.ts';

const SPACES: readonly Space[] = ['l2', 'ip', 'cosine'];

/** How much room a cache gets: for all, for some (it evicts), or for hardly any. */
const ROOMS = { ample: Number.POSITIVE_INFINITY, some: 60, tiny: 3 } as const;
type Room = keyof typeof ROOMS;

/** Vectors that can always be read, and a cache of them. */
class World {
  readonly cache: VectorCache;
  readonly model = new Map<number, Float32Array>();
  readonly #space: Space;
  readonly #dimension: number;
  readonly #draws: readonly (() => Float32Array)[];
  readonly #chance: () => number;

  constructor(space: Space, dimension: number, families: readonly FamilyName[], room: Room, seed: number) {
    this.#space = space;
    this.#dimension = dimension;
    this.#chance = seededNumbers(seed);
    this.#draws = families.map((family) => FAMILIES[family](dimension, this.#chance));
    let isGranted = true;
    const grant = (): boolean => isGranted || room === 'ample';
    const source = { read: this.#read };
    this.cache = new VectorCache({ space, dimension, source, grant });
    if (room !== 'ample') this.cache.reserve(ROOMS[room]);
    isGranted = false;
  }

  draw(): Float32Array {
    return this.#draws[Math.floor(this.#chance() * this.#draws.length)]!();
  }

  /** A vector that the cache is given, or only told of. */
  put(slot: number, isGiven: boolean): void {
    const embedding = this.draw();
    this.model.set(slot, embedding);
    if (isGiven) this.cache.set(slot, embedding);
    else this.cache.announce(slot);
  }

  remove(slot: number): void {
    if (this.model.delete(slot)) this.cache.remove(slot);
  }

  /** Slots with a vector: all, or a share. */
  allowed(share: number): Bitset {
    const set = new Bitset();
    for (const slot of this.model.keys()) if (this.#chance() < share) set.add(slot);
    return set;
  }

  query(): Float32Array {
    const slots = [...this.model.keys()];
    if (slots.length === 0 || this.#chance() < 0.5) return this.draw();
    return this.model.get(slots[Math.floor(this.#chance() * slots.length)]!)!.slice();
  }

  naive(query: Float32Array, k: number, allowed: Bitset): Hit[] {
    const hits: Hit[] = [];
    for (const [slot, row] of this.model) {
      if (allowed.has(slot)) hits.push({ slot, distance: distance(this.#space, row, query) });
    }
    return hits.sort(byDistance).slice(0, k);
  }

  /** All that a cache answers about its vectors, compared. */
  check(): void {
    for (const [slot, embedding] of this.model) {
      expect(this.cache.normOf(slot)).toBe(Math.sqrt(dot(embedding, embedding)));
      expect(this.cache.embeddingOf(slot)).toEqual(embedding);
    }
    expect(this.cache.cachedCount).toBeLessThanOrEqual(this.model.size);
  }

  renumber(): void {
    const slots = [...this.model.keys()].sort((a, b) => a - b);
    const slotOf = new Int32Array(this.cache.slotCount).fill(-1);
    slots.forEach((slot, i) => {
      slotOf[slot] = i;
    });
    const embeddings = slots.map((slot) => this.model.get(slot)!);
    this.model.clear();
    embeddings.forEach((embedding, slot) => {
      this.model.set(slot, embedding);
    });
    this.cache.renumber(slotOf, slots.length);
    expect(this.cache.slotCount).toBe(slots.length);
  }

  readonly #read = (
    slots: Uint32Array,
    count: number,
    visit: (index: number, embedding: Float32Array) => void,
  ): void => {
    // The view is good for one call only: another vector is in it at the next.
    const view = new Float32Array(this.#dimension);
    for (let i = 0; i < count; i++) {
      assert(i === 0 || slots[i]! > slots[i - 1]!, 'Slots were read that do not ascend.');
      const embedding = this.model.get(slots[i]!);
      assert(embedding !== undefined, 'A slot was read that has no vector.');
      view.set(embedding);
      visit(i, view);
      view.fill(Number.NaN);
    }
  };
}

/** What the types of Node leave out. */
interface WithMemory {
  readonly WebAssembly: { readonly Memory: { readonly prototype: { grow(pages: number): number } } };
}

interface Hit {
  readonly slot: number;
  readonly distance: number;
}

// With comparisons, since the difference of two infinities is NaN.
function byDistance(a: Hit, b: Hit): number {
  return a.distance < b.distance ? -1 : a.distance > b.distance ? 1 : a.slot - b.slot;
}

function hitsOf({ slots, distances }: NearestSlots): Hit[] {
  return Array.from(slots, (slot, i) => ({ slot, distance: distances[i]! }));
}

/** The answers of all slices together. */
function searchInSlices(world: World, queries: Float32Array[], k: number, allowed: Bitset): Hit[][] {
  const nearest = queries.map(() => new NearestHeap(k));
  const left = allowed.clone();
  for (let cursor = 0; cursor !== -1; ) cursor = world.cache.searchSlice(queries, nearest, left, cursor);
  expect(left.count()).toBe(0);
  return nearest.map((heap) => {
    const { slots, keys } = heap.drain();
    return Array.from(slots, (slot, i) => ({ slot, distance: keys[i]! }));
  });
}

type Deed =
  | { readonly kind: 'set' | 'announce' | 'remove' | 'load'; readonly first: number; readonly count: number }
  | { readonly kind: 'search' | 'rank' | 'slices'; readonly k: number; readonly share: number }
  | { readonly kind: 'warm' | 'renumber' | 'check' };

const kind = <Kind extends string>(...kinds: readonly Kind[]): fc.Arbitrary<Kind> =>
  fc.constantFrom(...kinds);

const deeds: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: kind('set', 'set', 'announce', 'announce', 'remove', 'load'),
      first: fc.nat(150),
      count: fc.integer({ min: 1, max: 60 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: kind('search', 'rank', 'slices'),
      k: fc.constantFrom(1, 3, 10, 300),
      share: fc.constantFrom(1, 0.5, 0.05),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind('warm', 'renumber', 'check') }) },
);

function act(world: World, deed: Deed): void {
  if ('share' in deed) {
    expectSame(world, deed);
  } else if ('first' in deed) {
    const slots = Array.from({ length: deed.count }, (_, i) => deed.first + i);
    if (deed.kind === 'load') world.cache.load(slots.filter((slot) => world.model.has(slot)).reverse());
    else if (deed.kind === 'remove') for (const slot of slots) world.remove(slot);
    else for (const slot of slots) world.put(slot, deed.kind === 'set');
  } else if (deed.kind === 'renumber') {
    world.renumber();
  } else if (deed.kind === 'check') {
    world.check();
  } else {
    let next = 0;
    for (let step = 0; next !== -1; step++) {
      expect(step).toBeLessThan(300);
      next = world.cache.warm(world.allowed(1), next, 7);
    }
    expect(world.cache.isFull || world.cache.cachedCount === world.model.size).toBe(true);
  }
}

function expectSame(world: World, deed: Extract<Deed, { readonly share: number }>): void {
  const allowed = world.allowed(deed.share);
  const allowedCount = allowed.count();
  const query = world.query();
  const expected = world.naive(query, deed.k, allowed);
  if (deed.kind === 'search') {
    const found = world.cache.search(query, deed.k, allowed, allowedCount);
    expect(hitsOf(found)).toEqual(expected);
    if (deed.k > 0 && allowedCount > 0) expect(found.scanned + found.read).toBe(allowedCount);
  } else if (deed.kind === 'rank') {
    const candidates = Uint32Array.from(allowed.toArray()).reverse();
    expect(hitsOf(world.cache.rank(query, deed.k, candidates, allowedCount))).toEqual(expected);
  } else {
    const queries = [query, world.query(), world.query()];
    const expectedOfAll = queries.map((one) => world.naive(one, deed.k, allowed));
    expect(searchInSlices(world, queries, deed.k, allowed)).toEqual(expectedOfAll);
  }
}

describe('a cache of vectors answers as computing every distance does', () => {
  const lives = fc.record({
    space: fc.constantFrom(...SPACES),
    dimension: fc.constantFrom(1, 3, 8, 17, 40),
    families: fc.array(fc.constantFrom(...FAMILY_NAMES), { minLength: 1, maxLength: 3 }),
    seed: fc.nat(),
    deeds: fc.array(deeds, { minLength: 5, maxLength: 30, size: 'max' }),
  });

  test.each(Object.keys(ROOMS) as Room[])('whatever happened before, with %s room', (room) => {
    fc.assert(
      fc.property(lives, ({ space, dimension, families, seed, deeds }) => {
        const world = new World(space, dimension, families, room, seed);
        for (const deed of deeds) act(world, deed);
        world.check();
        for (const kind of ['search', 'rank', 'slices'] as const) act(world, { kind, k: 5, share: 0.8 });
      }),
      { numRuns: 60 },
    );
  });

  describe.each(SPACES)('in space %s', (space) => {
    test.each(FAMILY_NAMES)('%s', (family) => {
      for (const [seed, dimension] of [2, 33].entries()) {
        for (const room of Object.keys(ROOMS) as Room[]) {
          const world = new World(space, dimension, [family], room, seed);
          for (let slot = 0; slot < 200; slot++) world.put(slot, slot % 2 === 0);
          for (const kind of ['search', 'rank', 'slices', 'search'] as const) {
            expectSame(world, { kind, k: 10, share: 0.9 });
          }
        }
      }
    });
  });

  test('also with more rows than one call of a kernel takes, most of them read', () => {
    for (const room of ['ample', 'some'] as const) {
      const world = new World('l2', 4, ['gaussian'], room, 5);
      for (let slot = 0; slot < 2_500; slot++) world.put(slot, slot % 2 === 0);
      for (const kind of ['search', 'rank', 'slices', 'search'] as const)
        expectSame(world, { kind, k: 20, share: 0.9 });
    }
  });
});

test('the nearest of many queries are found in slices that begin with what others found', () => {
  for (const space of SPACES) {
    const world = new World(space, 8, ['gaussian', 'duplicates'], 'ample', 7);
    for (let slot = 0; slot < 3_000; slot++) world.put(slot, true);
    // So many that a slice has 512 places.
    const queries = Array.from({ length: 64 }, () => world.query());
    const allowed = world.allowed(0.9);
    const expected = queries.map((query) => world.naive(query, 40, allowed));
    expect(searchInSlices(world, queries, 40, allowed)).toEqual(expected);
  }
});

test('the length of a vector is right when reading it makes the memory grow', () => {
  // 4,096 dimensions make a step of 64 places, so that many of these reads add places.
  const world = new World('cosine', 4_096, ['gaussian'], 'ample', 1);
  for (let slot = 0; slot < 300; slot++) world.put(slot, false);
  for (const [slot, embedding] of world.model) {
    expect(world.cache.normOf(slot)).toBe(Math.sqrt(dot(embedding, embedding)));
  }
  expect(world.cache.cachedCount).toBe(300);
});

test('a vector is right when reading it makes the memory grow', () => {
  const world = new World('l2', 4_096, ['gaussian'], 'ample', 2);
  for (let slot = 0; slot < 300; slot++) world.put(slot, false);
  for (const [slot, embedding] of world.model) expect(world.cache.embeddingOf(slot)).toEqual(embedding);
});

test('vectors that are used stay, and those that are not go', () => {
  const world = new World('l2', 4, ['gaussian'], 'some', 3);
  for (let slot = 0; slot < 1_000; slot++) world.put(slot, false);
  const used = Uint32Array.from({ length: 20 }, (_, i) => i * 7);
  world.cache.rank(world.query(), 3, used, used.length);
  let reads = 0;
  for (let slot = 500; slot < 900; slot++) {
    world.cache.normOf(slot);
    reads += world.cache.rank(world.query(), 3, used, used.length).read;
  }
  // When all are marked as used, the hand takes the first that it comes to.
  expect(reads).toBeLessThan(5);
  expect(world.cache.cachedCount).toBe(ROOMS.some);
});

test('looking at every vector evicts none', () => {
  const world = new World('l2', 4, ['gaussian'], 'some', 4);
  for (let slot = 0; slot < 1_000; slot++) world.put(slot, false);
  const used = Array.from({ length: ROOMS.some }, (_, i) => i * 9);
  world.cache.load(used);
  expectSame(world, { kind: 'search', k: 5, share: 1 });
  expectSame(world, { kind: 'slices', k: 5, share: 1 });
  expect(used.filter((slot) => !world.cache.isCached(slot))).toEqual([]);
});

test('rows that leave memory between two slices, or come into it, are each found once', () => {
  const world = new World('l2', 4, ['gaussian'], 'some', 6);
  for (let slot = 0; slot < 400; slot++) world.put(slot, false);
  world.cache.load(Array.from({ length: ROOMS.some }, (_, i) => i));
  const query = world.query();
  const nearest = [new NearestHeap(400)];
  const left = world.allowed(1);
  const expected = world.naive(query, 400, left.clone());
  let cursor = 0;
  for (let first = 300; cursor !== -1; first = (first + 60) % 400) {
    cursor = world.cache.searchSlice([query], nearest, left, cursor);
    // These take the places of others, some that were looked at and some that were not.
    for (let slot = first; slot < first + 60; slot++) world.cache.normOf(slot % 400);
  }
  const { slots, keys } = nearest[0]!.drain();
  expect(Array.from(slots, (slot, i) => ({ slot, distance: keys[i] }))).toEqual(expected);
});

test('an exact search finds each row once where memory is granted that the machine does not give', () => {
  const draw = FAMILIES.gaussian(512, seededNumbers(1));
  const rows = Array.from({ length: 6_000 }, draw);
  const source: VectorSource = {
    read: (slots, count, visit) => {
      for (let i = 0; i < count; i++) visit(i, rows[slots[i]!]!);
    },
  };
  const cache = new VectorCache({ space: 'l2', dimension: 512, source, grant: () => true });
  cache.announce(5_999);
  cache.load(Array.from({ length: 3_000 }, (_, i) => 2_999 + i));
  const { Memory } = (globalThis as unknown as WithMemory).WebAssembly;
  const grown = vi.spyOn(Memory.prototype, 'grow').mockImplementation(() => {
    throw new RangeError('no memory');
  });
  onTestFinished(() => grown.mockRestore());
  const query = draw();
  const nearest = rows.map((row, slot) => ({ slot, distance: distance('l2', row, query) }));
  const { slots } = cache.search(query, 10, Bitset.full(6_000), 6_000);
  expect(grown).toHaveBeenCalled();
  const expected = nearest.sort(byDistance).slice(0, 10);
  expect([...slots]).toEqual(expected.map(({ slot }) => slot));
});

test('without a source all vectors stay, whatever is granted', () => {
  const cache = new VectorCache({ space: 'l2', dimension: 2, grant: () => false });
  for (let slot = 0; slot < 40_000; slot++) cache.set(slot, Float32Array.of(slot, 1));
  expect(cache.cachedCount).toBe(40_000);
  expect(cache.isFull).toBe(false);
  expect(cache.embeddingOf(39_999)).toEqual(Float32Array.of(39_999, 1));
});
