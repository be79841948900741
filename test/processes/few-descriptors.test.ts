/** A process that may open few files: collections are closed rather than calls refused. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { temporaryDirectory } from '../support/temporary.ts';
import { ROOT } from '../tidy/tree.ts';

const COLLECTIONS = 40;

const PROGRAM = `
import { readdirSync } from 'node:fs';
import { PersistentClient } from 'tesseradb';
const client = new PersistentClient({ path: process.argv[1], threads: 0 });
const made = [];
for (let i = 0; i < ${COLLECTIONS}; i++) {
  const collection = await client.createCollection({ name: 'name-' + i, embeddingFunction: null });
  await collection.add({ ids: ['a'], embeddings: [[i, 1]] });
  made.push(collection);
}
let sum = 0;
for (const collection of made.reverse()) {
  sum += (await collection.query({ queryEmbeddings: [[0, 1]] })).ids[0].length;
}
await made[3].add({ ids: ['b'], embeddings: [[1, 1]] });
console.log(JSON.stringify({ sum, count: await made[3].count() }));
await client.close();
`;

// Only a POSIX shell can lower the limit.
it.skipIf(process.platform === 'win32')(
  'more collections than files may be open are written and read',
  async () => {
    const command = 'ulimit -n 96 && exec "$0" --input-type=module -e "$1" "$2"';
    const args = ['-c', command, process.execPath, PROGRAM, temporaryDirectory()];
    const { stdout } = await promisify(execFile)('/bin/sh', args, { cwd: ROOT });
    expect(JSON.parse(stdout)).toEqual({ sum: COLLECTIONS, count: 2 });
  },
);
