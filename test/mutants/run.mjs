/**
 * Plants bugs, one at a time, and sees whether the tests notice.
 *
 *   npm run mutants [-- NAME…] [--json FILE]
 *
 * A mutant is a patch in this folder: a sentence that says what is broken, a line `Tests: PATH…` with the
 * tests that should notice, and the difference. Each is applied to a copy of the tree, which is built and
 * tested; it is caught if a test fails or does not end. The copy as it is must pass all of these tests
 * first. Results go to `bench/results/mutants.json`. Exits with 0 if at least 95 % are caught.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine } from '../../bench/measure.mjs';

const ROOT = join(import.meta.dirname, '../..');
const SHARE_MIN = 0.95;
/** A mutant whose tests have not ended by then is caught: it hangs. All tests together may take longer. */
const TEST_MS_MAX = 300_000;
const ALL_TESTS_MS_MAX = 900_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'string' }, 'no-baseline': { type: 'boolean' } },
});

const mutants = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.patch'))
  .map((name) => name.slice(0, -'.patch'.length))
  .filter((name) => positionals.length === 0 || positionals.includes(name))
  .map((name) => {
    const file = join(import.meta.dirname, `${name}.patch`);
    const text = readFileSync(file, 'utf8');
    const tests = /^Tests: (.*)$/m.exec(text)[1].split(' ');
    return { name, file, what: text.split('\n')[0], tests, path: /^\+\+\+ b\/(.*)$/m.exec(text)[1] };
  });

/** A copy of the tree as it is, without its history. */
function copyTree() {
  const copy = mkdtempSync(join(tmpdir(), 'tessera-mutants-'));
  const list = ['ls-files', '--cached', '--others', '--exclude-standard', '-z'];
  const names = execFileSync('git', list, { cwd: ROOT, encoding: 'utf8' }).split('\0').filter(Boolean);
  for (const name of names) {
    mkdirSync(dirname(join(copy, name)), { recursive: true });
    cpSync(join(ROOT, name), join(copy, name));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** Builds and tests the copy; gives the status, and the first test that failed. */
function test(copy, tests, testMsMax = TEST_MS_MAX) {
  const run = (words, timeout) =>
    spawnSync(process.execPath, words, {
      cwd: copy,
      encoding: 'utf8',
      timeout,
      env: { ...process.env, NO_COLOR: '1' },
    });
  // A mutant may not please the compiler, which writes its programs all the same.
  run(['node_modules/typescript/bin/tsc', '-b', 'tsconfig.build.json'], TEST_MS_MAX);
  run(['scripts/bundle.mjs'], TEST_MS_MAX);
  const report = join(copy, 'report.json');
  rmSync(report, { force: true });
  const words = ['run', '--bail=1', '--reporter=json', `--outputFile.json=${report}`, ...tests];
  const { status } = run(['node_modules/vitest/vitest.mjs', ...words], testMsMax);
  if (status === null) return { isCaught: true, isSound: false, by: 'it does not end' };
  // A file that does not even load makes a broken mutant, and has noticed nothing.
  const failed = JSON.parse(readFileSync(report, 'utf8')).testResults.flatMap((file) =>
    file.assertionResults
      .filter((each) => each.status === 'failed')
      .map((each) => `${relative(copy, file.name)}: ${each.fullName}`),
  );
  return { isCaught: failed.length > 0, isSound: status === 0, by: failed[0] ?? null };
}

const copy = copyTree();
let isSound = true;
const results = [];
try {
  if (values['no-baseline'] !== true) {
    const all = [...new Set(mutants.flatMap(({ tests }) => tests))];
    const { isSound: isPassed, by } = test(copy, all, ALL_TESTS_MS_MAX);
    isSound = isPassed;
    console.log(isSound ? 'Without a mutant all tests pass.' : `Without a mutant a test fails: ${by}`);
  }
  for (const { name, file, what, tests, path } of isSound ? mutants : []) {
    const original = readFileSync(join(copy, path));
    const applied = spawnSync('git', ['apply', file], { cwd: copy, encoding: 'utf8' });
    if (applied.status !== 0) {
      console.log(`DOES NOT APPLY  ${name}: ${applied.stderr.trim()}`);
      results.push({ name, what, caught: false, by: 'it does not apply' });
      continue;
    }
    const { isCaught, by } = test(copy, tests);
    writeFileSync(join(copy, path), original);
    results.push({ name, what, caught: isCaught, by });
    console.log(`${isCaught ? 'caught  ' : 'SURVIVES'}  ${name}${by === null ? '' : `: ${by}`}`);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}

const caught = results.filter((result) => result.caught).length;
console.log(`${caught} of ${results.length} mutants are caught.`);
if (isSound && (positionals.length === 0 || values.json !== undefined)) {
  const json = values.json ?? join(ROOT, 'bench/results/mutants.json');
  const result = { caught, mutants: results.length, machine: describeMachine(), results };
  writeFileSync(json, `${JSON.stringify(result, null, 2)}\n`);
}
process.exitCode = isSound && caught >= SHARE_MIN * results.length ? 0 : 1;
