/** Time that passes by being looked at, so that slices of work have the same length in every run. */
import type { Clock } from '../../src/base/index.ts';

/** A clock that goes on by `stepMs` at each reading. */
export function tickingClock(stepMs: number): Clock {
  let nowMs = 0;
  return {
    nowNs: () => BigInt(Math.round(nowMs * 1e6)),
    monotonicMs: () => {
      nowMs += stepMs;
      return nowMs;
    },
  };
}
