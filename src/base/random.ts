/** The only place that knows chance. Everything else is handed a `Random`, so that tests can repeat a run. */
export interface Random {
  /** A new random UUID (version 4), lower case with hyphens. */
  uuid(): string;
}

/** Randomness of the machine's cryptographic generator. */
export const systemRandom: Random = { uuid: () => globalThis.crypto.randomUUID() };

/**
 * A repeatable generator of numbers in [0, 1) for a 32-bit seed: mulberry32 (T. Ettinger, public domain),
 * which passes gjrand's small tests; good enough for test data and sampling, useless for secrets.
 */
export function seededNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A repeatable `Random` for a seed: its UUIDs have the right form and always come in the same order. */
export function seededRandom(seed: number): Random {
  const next = seededNumbers(seed);
  const hex = (digits: number): string =>
    Math.floor(next() * 16 ** digits)
      .toString(16)
      .padStart(digits, '0');
  return {
    uuid: () =>
      `${hex(8)}-${hex(4)}-4${hex(3)}-${'89ab'[Math.floor(next() * 4)]}${hex(3)}-${hex(6)}${hex(6)}`,
  };
}
