/** The last line of `.ci/run`: what it counts as a failure, so that a broken run can never look whole. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from './tidy/tree.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tessera-summary-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

/** Writes a report of tests that ended as given, one test file each, and names the step that made it. */
function report(name: string, ...statuses: ('passed' | 'failed' | 'unloadable')[]): string {
  const testResults = statuses.map((status, i) => ({
    name: `${i}.test.ts`,
    status: status === 'passed' ? 'passed' : 'failed',
    assertionResults: status === 'unloadable' ? [] : [{ status, fullName: `test ${i}` }],
  }));
  const file = path.join(directory, name);
  writeFileSync(file, JSON.stringify({ testResults }));
  return `tests@${file}`;
}

function summarise(...steps: string[]): { status: number | null; last: string } {
  const run = spawnSync(process.execPath, ['scripts/test-summary.mjs', ...steps], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return { status: run.status, last: run.stdout.trimEnd().split('\n').at(-1)! };
}

describe('test-summary', () => {
  it('adds up two runs', () => {
    const steps = [`${report('a', 'passed', 'passed')}=0`, `${report('b', 'passed')}=0`, 'check=0'];
    expect(summarise(...steps)).toEqual({ status: 0, last: '3 passed, 0 failed' });
  });

  it('counts failed tests and files that do not load', () => {
    const steps = [`${report('a', 'passed', 'failed')}=1`, `${report('b', 'unloadable', 'passed')}=1`];
    expect(summarise(...steps)).toEqual({ status: 1, last: '2 passed, 2 failed' });
  });

  it('counts a step that failed', () => {
    expect(summarise(`${report('a', 'passed')}=0`, 'demo=3')).toEqual({
      status: 1,
      last: '1 passed, 1 failed',
    });
  });

  it('counts a run that failed outside of any test', () => {
    expect(summarise(`${report('a', 'passed')}=1`)).toEqual({ status: 1, last: '1 passed, 1 failed' });
  });

  it('counts a report that is missing or empty', () => {
    expect(summarise(`tests@${directory}/none=0`)).toEqual({ status: 1, last: '0 passed, 1 failed' });
    expect(summarise(`${report('a')}=0`)).toEqual({ status: 1, last: '0 passed, 1 failed' });
  });
});
