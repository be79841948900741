/**
 * Sixty-four clients of one server, in four processes, write and read the same few records, one of the
 * processes is killed with its calls under way, and what all of them saw must be linearizable, record by
 * record.
 */
import { join } from 'node:path';
import { test } from 'vitest';
import { HttpClient } from '../../src/index.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { expectLinearizable, PROCESS_COUNT, type Whereabouts } from './clashes.ts';
import { IS_INTEGRATION, IS_SOAK, Rounds } from './rounds.ts';
import { startServer } from './served.ts';

/** In continuous integration those of both Nodes together go on for a quarter of a minute. */
const CLASH_MS = IS_SOAK ? 15_000 : IS_INTEGRATION ? 8_000 : 1_000;
const rounds = new Rounds(1, 20_261_134);
const CLIENT_COUNT = 64;

test(`${rounds.title} clashes of ${CLIENT_COUNT} clients of a server are linearizable`, {
  timeout: rounds.timeout,
}, async () => {
  const server = await startServer(join(temporaryDirectory(), 'data'));
  const client = new HttpClient({ path: server.url });
  const prepare = async (): Promise<() => Whereabouts> => {
    const names = (await client.listCollections()).map(({ name }) => name);
    if (names.includes('shared')) await client.deleteCollection({ name: 'shared' });
    await client.createCollection({ name: 'shared', embeddingFunction: null });
    return () => ({ url: server.url, clientCount: CLIENT_COUNT / PROCESS_COUNT });
  };
  await expectLinearizable(rounds, prepare, CLASH_MS);
  await client.close();
  await server.stop();
});
