/**
 * The registry of error codes, its documentation and the tests: three lists that must be one.
 *
 * A code without a page helps nobody, a page without a code lies, and a code that no test provokes may be a
 * code that nothing throws.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../src/base/index.ts';
import { ROOT, readTree } from './tidy/tree.ts';

const page = readFileSync(path.join(ROOT, 'docs/errors.md'), 'utf8');

/** The codes of the page with the kind whose group they stand in, and the text under each. */
function readPage(): Map<string, { kind: string; text: string }> {
  const codes = new Map<string, { kind: string; text: string }>();
  for (const group of page.split(/^## /m).slice(1)) {
    const kind = /^\w+/.exec(group)![0];
    for (const section of group.split(/^### /m).slice(1)) {
      const [code, ...text] = section.split('\n');
      codes.set(code!, { kind, text: text.join('\n') });
    }
  }
  return codes;
}

describe('docs/errors.md', () => {
  it('has a heading for every code under its kind, and no other', () => {
    const documented = [...readPage()].map(([code, { kind }]) => `${code} ${kind}`);
    const registered = Object.entries(ERROR_CODES).map(([code, kind]) => `${code} ${kind}`);
    expect(documented.sort()).toEqual(registered.sort());
  });

  it.each([...readPage()])('says of %s what happened and what to do', (_code, { text }) => {
    expect(text).toMatch(/\*\*What happened\.\*\* \S.*[.)]\n[\s\S]*\*\*What to do\.\*\* \S.*[.)]\n/);
  });
});

describe('every error code', () => {
  const files = readTree().filter(({ path: file }) => !file.startsWith('test/errors'));
  const sources = files.filter(({ path: file }) => file.startsWith('src/') && !file.endsWith('.test.ts'));
  const tests = files.filter(({ path: file }) => file.endsWith('.test.ts') || file.startsWith('test/'));

  /** Whether a file has the code as a string, outside of comments. */
  const holds = (file: (typeof files)[number], code: string): boolean => {
    for (let at = file.text.indexOf(code); at >= 0; at = file.text.indexOf(code, at + 1)) {
      const isWhole = !/\w/.test(file.text[at + code.length] ?? '');
      if (isWhole && /["'`]/.test(file.code[at - 1] ?? '')) return true;
    }
    return false;
  };

  it.each(Object.keys(ERROR_CODES))('%s is thrown somewhere', (code) => {
    const throwers = sources.filter((file) => file.path !== 'src/base/errors.ts' && holds(file, code));
    expect(throwers).not.toEqual([]);
  });

  it.each(Object.keys(ERROR_CODES))('%s is provoked by a test', (code) => {
    expect(tests.filter((file) => holds(file, code))).not.toEqual([]);
  });
});
