/** Which families of vectors meet in one life. */
import fc from 'fast-check';
import { FAMILY_NAMES, type FamilyName } from '../support/hard-vectors.ts';

/** Families that cells serve well even where they are few and small; others are mostly searched exactly. */
const SERVED: readonly FamilyName[] = [
  'gaussian',
  'small integers',
  'a cluster far from the origin',
  'one dominating component',
];

/** One or two families: mostly one that is searched in cells, and often another one beside it. */
export const familyMixes: fc.Arbitrary<readonly FamilyName[]> = fc
  .tuple(
    fc.oneof(
      { weight: 2, arbitrary: fc.constantFrom(...SERVED) },
      { weight: 1, arbitrary: fc.constantFrom(...FAMILY_NAMES) },
    ),
    fc.array(fc.constantFrom(...FAMILY_NAMES), { maxLength: 1 }),
  )
  .map(([first, others]) => [first, ...others]);
