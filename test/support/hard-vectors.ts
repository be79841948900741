/** Families of vectors that are each hard for an index in their own way, and the distance by definition. */
import type { Space } from '../../src/api/index.ts';
import { dot, squaredL2 } from '../../src/kernel/index.ts';

export type Chance = () => number;
export type Family = (dimension: number, chance: Chance) => () => Float32Array;

export const gaussian = (chance: Chance): number =>
  Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance());
export const vector = (dimension: number, component: (i: number) => number): Float32Array => {
  // `Float32Array.from` takes twice as long, and millions of components are drawn.
  const values = new Float32Array(dimension);
  for (let i = 0; i < dimension; i++) values[i] = component(i);
  return values;
};

/** Each makes a source of vectors that is hard in its own way. */
export const FAMILIES = {
  gaussian: (dimension, chance) => () => vector(dimension, () => gaussian(chance)),
  'clustered unit vectors': (dimension, chance) => {
    const centres = Array.from({ length: 3 }, () => vector(dimension, () => gaussian(chance)));
    return () => {
      const centre = centres[Math.floor(chance() * 3)]!;
      const point = vector(dimension, (i) => centre[i]! + 0.05 * gaussian(chance));
      const norm = Math.sqrt(dot(point, point));
      return point.map((x) => x / norm);
    };
  },
  'a cluster far from the origin': (dimension, chance) => () =>
    vector(dimension, () => 100 + 0.001 * gaussian(chance)),
  duplicates: (dimension, chance) => {
    const originals = Array.from({ length: 4 }, () => vector(dimension, () => gaussian(chance)));
    return () => originals[Math.floor(chance() * 4)]!.slice();
  },
  'all equal': (dimension, chance) => {
    const original = vector(dimension, () => gaussian(chance));
    return () => original.slice();
  },
  'one-hot': (dimension, chance) => () => {
    const hot = Math.floor(chance() * dimension);
    return vector(dimension, (i) => (i === hot ? 1 : 0));
  },
  collinear: (dimension, chance) => {
    const direction = vector(dimension, () => gaussian(chance));
    return () => {
      const factor = Math.round(gaussian(chance) * 8) / 4;
      return direction.map((x) => x * factor);
    };
  },
  huge: (dimension, chance) => () => vector(dimension, () => (2 * chance() - 1) * 3.4e38),
  denormal: (dimension, chance) => () => vector(dimension, () => gaussian(chance) * 1e-40),
  zeros: (dimension) => () => new Float32Array(dimension),
  'small integers': (dimension, chance) => () => vector(dimension, () => Math.floor(chance() * 3) - 1),
  'one dominating component': (dimension, chance) => () =>
    vector(dimension, (i) => (i === 0 ? 1e6 : 1) * gaussian(chance)),
  'neighbouring floats': (dimension, chance) => () =>
    vector(dimension, () => 1 + Math.floor(chance() * 3) * 2 ** -23),
} satisfies Readonly<Record<string, Family>>;
export type FamilyName = keyof typeof FAMILIES;
export const FAMILY_NAMES = Object.keys(FAMILIES) as FamilyName[];

/** The distance as the documentation defines it. */
export function distance(space: Space, row: Float32Array, query: Float32Array): number {
  if (space === 'l2') return Math.fround(squaredL2(query, row));
  if (space === 'ip') return Math.fround(1 - dot(query, row));
  const norms = Math.sqrt(dot(row, row)) * Math.sqrt(dot(query, query));
  return norms === 0 ? 1 : Math.fround(Math.min(2, Math.max(0, 1 - dot(query, row) / norms)));
}
