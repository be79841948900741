import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { batchOf } from '../../test/support/batches.ts';
import { makeCollection, openTestDatabase } from '../../test/support/database.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { openSqlDatabase } from '../sqlite/index.ts';
import { main } from './main.ts';

async function run(...args: readonly string[]): Promise<{ status: number; out: string; err: string }> {
  const texts = { out: [] as string[], err: [] as string[] };
  const status = await main(args, {
    env: {},
    out: (text) => void texts.out.push(text),
    err: (text) => void texts.err.push(text),
    stopped: new Promise<string>(() => {}),
  });
  return { status, out: texts.out.join('\n'), err: texts.err.join('\n') };
}

test('a database in use is backed up, since an earlier time as well, and restored', async () => {
  const parent = temporaryDirectory();
  const [path, first, second, target] = ['data', 'a', 'b', 'c'].map((name) => join(parent, name)) as [
    string,
    string,
    string,
    string,
  ];
  const backend = await openTestDatabase({ path });
  const films = await makeCollection(backend, 'films');
  await backend.add(films, batchOf({ id: 'a', embedding: [1, 2] }, { id: 'b', embedding: [1, 3] }));
  const whole = await run('backup', path, first);
  expect(whole).toMatchObject({ status: 0, err: '' });
  expect(whole.out).toMatch(/^films: 2 records, [\d.]+ KB\n.*\/a: [\d.]+ KB$/);
  expect((await run('backup', path, first)).err).toMatch(/new name for the backup/);
  await backend.add(films, batchOf({ id: 'c', embedding: [4, 4] }));
  expect((await run('backup', path, second, '--since', first)).out).toMatch(/^films: 3 records, changes, /);
  expect((await run('backup', path, `${second}2`, '--since', second)).out).toMatch(
    /^films: 3 records, unchanged/,
  );
  expect(await run('restore', second, target)).toMatchObject({
    status: 0,
    out: expect.stringMatching(/^films: 3 records, sound\n.*\/c: as of \d{4}-.*Z$/),
  });
  expect(await run('restore', second, target)).toMatchObject({
    status: 1,
    err: expect.stringMatching(/replace/),
  });
  const replaced = await run('restore', first, target, '--replace', '--json');
  const report = JSON.parse(replaced.out);
  expect([report.collections[0].recordCount, existsSync(report.replaced)]).toEqual([2, true]);
  const archive = join(parent, 'one.sqlar');
  await run('backup', path, archive, '--archive', '--collection=films');
  expect(readFileSync(archive).subarray(0, 15).toString()).toBe('SQLite format 3');
});

test('a backup of damaged records says so by its status', async () => {
  const parent = temporaryDirectory();
  const path = join(parent, 'data');
  const backend = await openTestDatabase({ path });
  const films = await makeCollection(backend, 'films');
  await backend.add(films, batchOf({ id: 'a', embedding: [1, 2] }));
  await backend.close();
  const file = join(path, 'collections', `${films.collectionId}.sqlite3`);
  const store = openSqlDatabase({ path: file, readOnly: false, busyTimeoutMs: 9 });
  store.exec(`UPDATE records SET document = 'forged'`);
  store.close();
  const copy = join(parent, 'copy');
  const outcome = await run('backup', path, copy);
  expect(outcome).toMatchObject({ status: 1, out: expect.stringMatching(/1 fault copied as they are/) });
  expect(await run('restore', copy, join(parent, 'r'))).toMatchObject({
    status: 1,
    err: expect.stringMatching(/backup is damaged/),
  });
  const accepted = await run('restore', copy, join(parent, 'r'), '--accept-damage');
  expect(accepted).toMatchObject({ status: 0, out: expect.stringMatching(/films: 1 record, \d faults?/) });
});
