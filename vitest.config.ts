import { defineConfig } from 'vitest/config';

/** What both kinds have in common. */
const common = {
  pool: 'forks',
  testTimeout: 30_000,
  hookTimeout: 60_000,
  sequence: { shuffle: { files: true, tests: false } },
} as const;

/**
 * Units beside the code, what crosses rooms in `test/`. Files run in processes (`forks`), because a native
 * SQLite driver belongs to one process. Those in `test/` have one each, so that a crash of it does not take
 * other tests along; units follow one another in one, which saves a quarter of their time: starting a process
 * and loading the modules takes longer than most of them. The order of the files is shuffled by a seed that
 * vitest prints, so that no file can lean on one before it; repeat a run with `npx vitest run
 * --sequence.seed=N`. Random tests print their own seed when they fail. Every core has a process: by default
 * one is left idle, and of two that is half.
 */
export default defineConfig({
  test: {
    maxWorkers: '100%',
    ...common,
    projects: [
      { test: { ...common, name: 'units', include: ['src/**/*.test.ts'], isolate: false } },
      { test: { ...common, name: 'whole', include: ['test/**/*.test.ts'] } },
    ],
  },
});
