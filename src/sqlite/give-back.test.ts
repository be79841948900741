import { expect, onTestFinished, test } from 'vitest';
import { openSqlDatabase } from './database.ts';
import { giveBack } from './give-back.ts';

test('the bytes of a blob that was read are free at once', () => {
  const database = openSqlDatabase({ path: ':memory:', readOnly: false, busyTimeoutMs: 50 });
  onTestFinished(() => database.close());
  const statement = database.prepare('SELECT zeroblob(?)');
  const read = (): Uint8Array => statement.get(16_384)![0] as Uint8Array;
  const bytes = read();
  const floats = new Float32Array(bytes.buffer, bytes.byteOffset, 4);
  giveBack(bytes);
  expect([bytes.length, floats.length]).toEqual([0, 0]);
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 1_000; i++) giveBack(read());
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
  giveBack(statement.get(0)![0] as Uint8Array);
});

test('bytes that share their memory with others are left alone', () => {
  const whole = new Uint8Array(16).fill(7);
  giveBack(whole.subarray(8));
  expect([...whole]).toEqual(new Array(16).fill(7));
  const shared = new Uint8Array(new SharedArrayBuffer(8));
  giveBack(shared);
  expect(shared.length).toBe(8);
  giveBack(whole);
  expect(whole.length).toBe(0);
});
