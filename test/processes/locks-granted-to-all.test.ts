/** A file system that grants every lock to everybody: one that does not, whose answers are replaced. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { recorderFault } from '../soak/system-calls.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { ROOT } from '../tidy/tree.ts';

// Answering in place of the system is the tracer's work; `recorderFault` says why there is none.
it.skipIf(recorderFault() !== null)('is noticed', () => {
  const probe = join(temporaryDirectory(), 'probe');
  const program = [
    `import { seesLocks } from '${join(ROOT, 'dist/sqlite/index.js')}';`,
    `console.log(seesLocks('${probe}'));`,
  ].join('\n');
  const granting = ['strace', '-f', '-o', '/dev/null', '-P', probe, '-e', 'inject=fcntl:retval=0'];
  const node = [process.execPath, '--input-type=module', '--eval', program];
  const answers = [[], granting].map((tracer) => {
    const [command, ...words] = [...tracer, ...node];
    return spawnSync(command!, words, { encoding: 'utf8', timeout: 20_000 }).stdout;
  });
  expect(answers).toEqual(['true\n', 'false\n']);
});
