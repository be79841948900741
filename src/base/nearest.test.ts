import { describe, expect, test } from 'vitest';
import { nearestOf } from './nearest.ts';

describe('nearestOf', () => {
  test('finds the name that was probably meant', () => {
    const known = ['--path', '--port', '--allow-reset'];
    expect(nearestOf('--prot', known)).toBe('--port');
    expect(nearestOf('--alow-rest', known)).toBe('--allow-reset');
    expect(nearestOf('--path', known)).toBe('--path');
    expect(nearestOf('nresult', ['nResults', 'include'])).toBe('nResults');
  });

  test('finds none when all are far, however short the name', () => {
    expect(nearestOf('--verbose', ['--path', '--port'])).toBe(null);
    expect(nearestOf('--foo', ['--path', '--log', '--host', '--port'])).toBe(null);
    expect(nearestOf('x', [])).toBe(null);
  });
});
