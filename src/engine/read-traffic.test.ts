import { expect, it } from 'vitest';
import { CallWatch, NO_READS, ReadTraffic } from './read-traffic.ts';

it('counts the calls of each reader, and reads apart, also beyond 2³¹', () => {
  const traffic = ReadTraffic.among(2);
  traffic.noteCall(0);
  traffic.noteCall(1);
  traffic.noteCall(1);
  traffic.noteRead();
  // As a thread is handed it.
  const seen = new ReadTraffic(traffic.counts);
  expect([seen.countOf(0), seen.countOf(1), seen.reads.count]).toEqual([1, 2, 1]);
  traffic.counts.fill(0x7fffffff);
  traffic.noteCall(0);
  traffic.noteRead();
  expect([seen.countOf(0), seen.reads.count]).toEqual([-(2 ** 31), -(2 ** 31)]);
});

it('tells how many reads are under way, and how far the reader is behind that is most so', () => {
  const traffic = ReadTraffic.among(3);
  traffic.noteRead();
  traffic.noteRead();
  traffic.noteAnswer();
  for (const [reader, count] of [5, 700, 30].entries()) traffic.notePending(reader, count);
  expect(traffic.reads).toEqual({ count: 2, underWayCount: 1, pendingCount: 700 });
  traffic.notePending(1, 0);
  traffic.noteAnswer();
  expect(traffic.reads).toEqual({ count: 2, underWayCount: 0, pendingCount: 30 });
  expect([0, 1, 2].map((reader) => traffic.countOf(reader))).toEqual([0, 0, 0]);
});

it('is there for a pool without readers', () => {
  expect(ReadTraffic.among(0).reads).toEqual(NO_READS);
});

it('tells a reader of a call that has been sent until it has been received', () => {
  const traffic = ReadTraffic.among(2);
  const calls = new CallWatch(traffic, 1);
  traffic.noteCall(0);
  expect(calls.isCalled).toBe(false);
  traffic.noteCall(1);
  expect(calls.isCalled).toBe(true);
  traffic.noteCall(1);
  calls.noteReceived();
  expect(calls.isCalled).toBe(true);
  calls.noteReceived();
  expect(calls.isCalled).toBe(false);
});

it('knows nothing of calls to the thread whose place a reader takes, and passes 2³¹ of its own', () => {
  const traffic = ReadTraffic.among(1);
  traffic.counts[0] = 0x7fffffff;
  const calls = new CallWatch(traffic, 0);
  expect(calls.isCalled).toBe(false);
  traffic.noteCall(0);
  expect(calls.isCalled).toBe(true);
  calls.noteReceived();
  expect(calls.isCalled).toBe(false);
});
