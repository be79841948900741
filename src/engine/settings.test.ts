/** Settings: what is refused, what is filled in, and how memory is shared out. */
import { describe, expect, it } from 'vitest';
import { completeSettings, memoryBytes, settingsOfThread } from './settings.ts';

const MACHINE_BYTES = 8_000_000_000;

describe('memory', () => {
  it.each([
    ['512MB', 512_000_000],
    ['1.5GB', 1_500_000_000],
    ['800MiB', 838_860_800],
    ['2 gib', 2_147_483_648],
    ['1000000B', 1_000_000],
    [1_234_567, 1_234_567],
  ])('of %j is that many bytes', (memory, bytes) => {
    expect(memoryBytes(memory)).toBe(bytes);
  });

  it('leaves to indexes what the process and its threads do not take, or a quarter', () => {
    const left = (memory: string, threads: number): number =>
      completeSettings({ path: './data', memory, threads }, MACHINE_BYTES).memory;
    expect(left('512MB', 0)).toBe(332_000_000);
    expect(left('512MB', 2)).toBe(252_000_000);
    expect(left('100MB', 2)).toBe(25_000_000);
  });

  it.each([[512], ['512'], ['lots'], ['-1GB'], ['1e9GB'], [''], [0.5], [true], [Number.NaN], ['1kB']])(
    'of %j is refused and named',
    (memory) => {
      const refusal = /^Expected memory to be a number of bytes from 1000000, a text such as '512MB'.* got /;
      expect(() => completeSettings({ memory: memory as never }, MACHINE_BYTES)).toThrow(refusal);
    },
  );

  it('is half of the machine’s where nothing is said', () => {
    expect(completeSettings({}, MACHINE_BYTES).memory).toBe(3_780_000_000);
    expect(completeSettings({ memory: null, threads: 0 }, MACHINE_BYTES).memory).toBe(3_820_000_000);
  });

  it('is shared out without exceeding what was given', () => {
    for (const memory of [1_000_000, 512_000_000, 64_000_000_000]) {
      const settings = completeSettings({ memory }, MACHINE_BYTES);
      for (const readerCount of [1, 2, 7]) {
        const writer = settingsOfThread(settings, 'writer', readerCount).memory;
        const reader = settingsOfThread(settings, 'reader', readerCount).memory;
        expect(writer).toBeLessThanOrEqual(memory / 8);
        expect(writer + readerCount * reader).toBeLessThanOrEqual(settings.memory);
        expect(writer + readerCount * reader).toBeGreaterThan(settings.memory - readerCount - 1);
      }
    }
  });
});

describe('threads', () => {
  it.each([[-1], [65], [1.5], ['2'], [null]])('of %j are refused and named', (threads) => {
    const refusal = /^Expected threads to be an integer from 0 to 64, got /;
    expect(() => completeSettings({ threads: threads as never }, MACHINE_BYTES)).toThrow(refusal);
  });

  it('are two for a directory and one in memory, where threads have nothing to share', () => {
    expect(completeSettings({ path: './data' }, MACHINE_BYTES).threads).toBe(2);
    expect(completeSettings({ path: './data', threads: 8 }, MACHINE_BYTES).threads).toBe(8);
    expect(completeSettings({}, MACHINE_BYTES).threads).toBe(1);
    expect(completeSettings({ threads: 8 }, MACHINE_BYTES).threads).toBe(1);
    expect(completeSettings({ threads: 0 }, MACHINE_BYTES).threads).toBe(0);
  });
});
