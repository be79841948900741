import { describe, expect, test } from 'vitest';
import { type RequestPolicy, Requests } from './requests.ts';

const REQUEST = { url: 'http://provider.test/embed', headers: {}, body: {} };

/** Requests whose clock stands still but while they sleep, and what they slept. */
function requestsOf(
  answers: readonly Response[],
  policy: Partial<RequestPolicy> = {},
): { requests: Requests; slept: number[] } {
  const waiting = [...answers];
  const slept: number[] = [];
  let nowMs = 1000;
  const requests = new Requests('Provider', {
    fetch: async () => waiting.shift() ?? Response.json('done'),
    retryCount: 5,
    timeoutMs: 60_000,
    intervalMs: 0,
    clock: { monotonicMs: () => nowMs, nowNs: () => BigInt(Date.UTC(2026, 0, 1)) * 1_000_000n },
    sleep: async (ms) => {
      slept.push(ms);
      await Promise.resolve();
      nowMs += ms;
    },
    chance: () => 0,
    ...policy,
  });
  return { requests, slept };
}

const refused = (status: number, retryAfter?: string): Response =>
  new Response('', { status, headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter } });

describe('requests', () => {
  test('wait twice as long after each try, with a random part taken off', async () => {
    const answers = [500, 502, 503, 429, 408].map((status) => refused(status));
    const full = requestsOf(answers);
    expect(await full.requests.post(REQUEST, undefined)).toBe('done');
    expect(full.slept).toEqual([500, 1000, 2000, 4000, 8000]);
    const part = requestsOf([refused(500), refused(500)], { chance: () => 0.5 });
    await part.requests.post(REQUEST, undefined);
    expect(part.slept).toEqual([375, 750]);
  });

  test('wait as long as the provider asks, in seconds or until a date', async () => {
    const date = new Date(Date.UTC(2026, 0, 1, 0, 0, 9)).toUTCString();
    const { requests, slept } = requestsOf([refused(429, '7'), refused(503, date), refused(429, 'soon')]);
    await requests.post(REQUEST, undefined);
    expect(slept).toEqual([7000, 9000, 2000]);
  });

  test('give up after the last try', async () => {
    const { requests } = requestsOf([refused(500), refused(500), refused(500)], { retryCount: 2 });
    await expect(requests.post(REQUEST, undefined)).rejects.toMatchObject({
      code: 'TESSERA_EMBEDDING_PROVIDER',
      message: 'Provider answered 500: nothing, asked 3 times. Try again later.',
    });
  });

  test('start no closer together than the rate allows', async () => {
    const { requests, slept } = requestsOf([], { intervalMs: 100 });
    await Promise.all([1, 2, 3].map(() => requests.post(REQUEST, undefined)));
    expect(slept.slice(0, 2)).toEqual([100, 200]);
  });

  test('an abort ends the wait', async () => {
    const controller = new AbortController();
    const { requests } = requestsOf([refused(500)], { sleep: async () => controller.abort() });
    await expect(requests.post(REQUEST, controller.signal)).rejects.toMatchObject({
      code: 'TESSERA_ABORTED',
    });
  });

  test('the long messages of a provider are cut', async () => {
    const { requests } = requestsOf([new Response('x'.repeat(9999), { status: 400 })]);
    await expect(requests.post(REQUEST, undefined)).rejects.toThrow(/^Provider answered 400: x{300}\.\.\.$/);
  });
});
