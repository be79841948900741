/** Documents: what they point at exists, and every decision is in the list of decisions. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from './tidy/tree.ts';

const FOLDERS = ['.', 'docs', 'docs/adr', 'bench'];

const documents = FOLDERS.flatMap((folder) =>
  readdirSync(path.join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join(folder, name)),
);

const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

/** Targets of links to other files of ours, and names in backquotes that look like their paths. */
function targetsOf(file: string): string[] {
  const links = [...read(file).matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)].map(
    ([, target]) => target!,
  );
  const paths = [...read(file).matchAll(/`((?:src|test|bench|scripts|demo)\/[\w./-]+)`/g)];
  return [
    ...links.map((target) => path.join(path.dirname(file), target)),
    ...paths.map(([, target]) => target!),
  ];
}

describe('the documents', () => {
  it('are found', () => {
    expect(documents).toEqual(expect.arrayContaining(['README.md', 'ARCHITECTURE.md', 'docs/errors.md']));
    expect(documents.flatMap(targetsOf).length).toBeGreaterThan(30);
  });

  it.each(documents)('%s points at files that exist', (file) => {
    expect(targetsOf(file).filter((target) => !existsSync(path.join(ROOT, target)))).toEqual([]);
  });

  it('list every decision by its number and title', () => {
    const decisions = documents.filter((file) => /\/\d{4}-/.test(file));
    const titles = decisions.map((file) => {
      const [, number, title] = /^# (\d+)\. (.*)$/m.exec(read(file)) ?? [];
      return `${number}. [${title}](${path.basename(file)})`;
    });
    const listed = read('docs/adr/README.md')
      .split('\n')
      .filter((line) => /^\d+\. /.test(line));
    expect(listed).toEqual(titles);
  });
});
