/** The built package in processes that were started in unusual ways: the default thread must start in all. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ROOT } from '../tidy/tree.ts';

const PROGRAM = `
import { EphemeralClient } from 'tesseradb';
const client = new EphemeralClient();
console.log(await client.countCollections());
await client.close();
`;

test.each([
  [['--input-type=module']],
  [['--input-type', 'module']],
  [['--input-type=module', '--max-old-space-size=200', '--no-warnings']],
  [['--input-type=module', '--import', 'data:text/javascript,process.env.LOADED=1']],
])('a program given by node %j -e works on the default thread', async (options) => {
  const run = promisify(execFile)(process.execPath, [...options, '-e', PROGRAM], { cwd: ROOT });
  await expect(run).resolves.toMatchObject({ stdout: '0\n' });
});
