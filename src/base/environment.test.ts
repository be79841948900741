import { afterEach, expect, test, vi } from 'vitest';
import { systemEnvironment } from './environment.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

test('a variable has its value; one that is empty or missing has none', () => {
  vi.stubEnv('TESSERA_TEST_KEY', 'secret');
  vi.stubEnv('TESSERA_TEST_EMPTY', '');
  expect(systemEnvironment.variable('TESSERA_TEST_KEY')).toBe('secret');
  expect(systemEnvironment.variable('TESSERA_TEST_EMPTY')).toBeUndefined();
  expect(systemEnvironment.variable('TESSERA_TEST_MISSING')).toBeUndefined();
});

test('a browser, which has no process, has no variables', () => {
  vi.stubGlobal('process', undefined);
  expect(systemEnvironment.variable('PATH')).toBeUndefined();
});
