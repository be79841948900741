/**
 * Adds up how the steps of `.ci/run` ended, and says so in one line.
 *
 *   node scripts/test-summary.mjs STEP=STATUS…
 *
 * A step that ran tests is named `tests@REPORT`, where REPORT is the file of vitest's JSON reporter: its
 * tests are counted. Any other step counts as one failure when its status is not 0. A report that is missing,
 * that holds no test, or that shows no failure although the step failed (an error outside of any test) counts
 * as one failure, too.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

let passed = 0;
const failures = [];

for (const argument of process.argv.slice(2)) {
  const [, step, status] = /^(.*)=(\d+)$/.exec(argument);
  const report = /^tests@(.*)$/.exec(step)?.[1];
  if (report !== undefined) addReport(report, status !== '0');
  else if (status !== '0') failures.push(`step ${step} ended with status ${status}`);
}

for (const failure of failures) console.log(`FAILED: ${failure}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length === 0 && passed > 0 ? 0 : 1;

/** Counts the tests of one report. */
function addReport(path, hasFailed) {
  const failureCount = failures.length;
  const files = readReport(path);
  const tests = files.flatMap((file) => file.assertionResults);
  passed += tests.filter((test) => test.status === 'passed').length;
  for (const test of tests) {
    if (test.status === 'failed') failures.push(`test ${test.fullName} (${basename(path)})`);
  }
  for (const file of files) {
    // A file that cannot be loaded has no tests of its own.
    if (file.status === 'failed' && file.assertionResults.length === 0)
      failures.push(`test file ${file.name}`);
  }
  if (tests.length === 0) failures.push(`no tests in ${path}`);
  else if (hasFailed && failures.length === failureCount)
    failures.push(`a test run, outside of any test (${path})`);
}

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).testResults;
  } catch {
    return [];
  }
}
