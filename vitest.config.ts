import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { seededNumbers } from './src/base/index.ts';

/**
 * The order of the files: shuffled, the tests with a process of their own first. Those that share a process
 * must follow one another, for a process ends where the next file is not for it; and they are the short ones,
 * so that no core idles at the end.
 */
class ShuffledWithin extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { sequence } = this.ctx.config;
    sequence.seed ??= Date.now();
    this.ctx.logger.log(`      Running tests with seed "${sequence.seed}"`);
    const chance = seededNumbers(sequence.seed);
    const drawn = [...files]
      .sort((a, b) => (a.moduleId < b.moduleId ? -1 : 1))
      .map((file) => ({ file, isShared: !file.project.config.isolate, at: chance() }));
    drawn.sort((a, b) => Number(a.isShared) - Number(b.isShared) || a.at - b.at);
    return drawn.map(({ file }) => file);
  }
}

/** Tests that kill, count, replace or damage what is their process's, or start many others. */
const APART = [
  'test/{model,processes,soak}/**/*.test.ts',
  'test/engine/{thread-death,threads}.test.ts',
  'test/embed/chroma-packages.test.ts',
  'test/package.test.ts',
];

/** What both kinds have in common. */
const common = { pool: 'forks', testTimeout: 30_000, hookTimeout: 60_000 } as const;

/**
 * Files run in processes (`forks`), because a native SQLite driver belongs to one process. Some have one
 * each, so that a crash of it takes no other tests along and nothing else is counted with theirs. The others
 * follow one another in one for each core, which saves a third of their time: starting a process and loading
 * the modules takes longer than most of them. The order is drawn by a seed that vitest prints, so that no
 * file can lean on one before it; repeat a run with `npx vitest run --sequence.seed=N`. Random tests print
 * their own seed when they fail. Every core has a process: by default one is left idle, and of two that is
 * half.
 */
export default defineConfig({
  test: {
    maxWorkers: '100%',
    ...common,
    sequence: { sequencer: ShuffledWithin },
    projects: [
      { test: { ...common, name: 'apart', include: APART, globalSetup: 'test/support/bundle-programs.ts' } },
      {
        test: {
          ...common,
          name: 'together',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: APART,
          isolate: false,
        },
      },
    ],
  },
});
