import { defineConfig } from 'vitest/config';

/**
 * Units beside the code, what crosses rooms in `test/`. Files run in processes of their own (`forks`),
 * because a native SQLite driver belongs to one process and a crash of it must not take the other tests
 * along. The order of the files is shuffled by a seed that vitest prints, so that no file can lean on one
 * before it; repeat a run with `npx vitest run --sequence.seed=N`. Random tests print their own seed when
 * they fail. Every core has a process: by default one is left idle, and of two that is half.
 */
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: '100%',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    sequence: { shuffle: { files: true, tests: false } },
  },
});
