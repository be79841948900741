/** Which vectors cells can take, by their lengths. */
import type { Space } from '../api/index.ts';

/**
 * Lengths of vectors that cells take: float32 sums of their squares neither overflow nor vanish; in cosine
 * space, their inverse is a float32.
 */
const NORMS: Readonly<Record<Space, { readonly min: number; readonly max: number }>> = {
  l2: { min: 1e-12, max: 1e12 },
  ip: { min: 1e-12, max: 1e12 },
  cosine: { min: 1e-30, max: 1e30 },
};

/** Whether a vector of this length can be in a cell, or be looked for in cells. */
export function fitsCells(space: Space, norm: number): boolean {
  const { min, max } = NORMS[space];
  // A vector of zeros is an ordinary point, except where only directions count.
  return (norm === 0 && space !== 'cosine') || (norm > min && norm < max);
}
