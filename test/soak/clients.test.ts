/**
 * Sixty-four clients of one server, in four processes, write and read the same few records, one of the
 * processes is killed with its calls under way, and what all of them saw must be linearizable, record by
 * record.
 */
import { join } from 'node:path';
import { test } from 'vitest';
import { HttpClient } from '../../src/index.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { expectLinearizable, PROCESS_COUNT } from './clashes.ts';
import { IS_INTEGRATION, Rounds } from './rounds.ts';
import { startServer } from './served.ts';

/** Clashes of each Node; those of both Nodes in continuous integration take a minute. */
const rounds = new Rounds(IS_INTEGRATION ? 4 : 1, 20_261_134);
const CLIENT_COUNT = 64;

test(`${rounds.title} clashes of ${CLIENT_COUNT} clients of a server are linearizable`, {
  timeout: rounds.timeout,
}, async () => {
  const server = await startServer(join(temporaryDirectory(), 'data'));
  const client = new HttpClient({ path: server.url });
  await expectLinearizable(rounds, async () => {
    const names = (await client.listCollections()).map(({ name }) => name);
    if (names.includes('shared')) await client.deleteCollection({ name: 'shared' });
    await client.createCollection({ name: 'shared', embeddingFunction: null });
    return () => ({ url: server.url, clientCount: CLIENT_COUNT / PROCESS_COUNT });
  });
  await client.close();
  await server.stop();
});
