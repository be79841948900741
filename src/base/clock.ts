/**
 * The only place that knows the time. Everything else is handed a `Clock`, so that tests can turn its hands.
 */
export interface Clock {
  /** Wall-clock time in nanoseconds since 1970-01-01 UTC. */
  nowNs(): bigint;
  /** Milliseconds on a clock that never goes back, from an arbitrary start; for measuring durations. */
  monotonicMs(): number;
}

/**
 * The machine's clock. Nanoseconds are built from a microsecond-grained source; consecutive readings may be
 * equal.
 */
export const systemClock: Clock = {
  nowNs: () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e3)) * 1000n,
  monotonicMs: () => performance.now(),
};
