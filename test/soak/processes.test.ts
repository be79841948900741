/**
 * Four processes write and read the same few records of one directory, one of them is killed, and what all
 * of them saw must be linearizable, record by record: no lost update, no stale read, no lock that a dead
 * process leaves behind. That batches are whole is what `crash`, `points` and `model` look at.
 */
import { join } from 'node:path';
import { test } from 'vitest';
import { openDatabase } from '../../src/engine/index.ts';
import { makeCollection } from '../support/database.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { expectLinearizable, PROCESS_COUNT } from './clashes.ts';
import { Rounds } from './rounds.ts';

/** Clashes in every run of the tests. */
const rounds = Rounds.inHalves(5, 20_261_130);

test(
  `${rounds.title} clashes of ${PROCESS_COUNT} processes, one of them killed, are linearizable`,
  {
    timeout: rounds.timeout,
  },
  () =>
    expectLinearizable(rounds, async () => {
      const path = join(temporaryDirectory(), 'shared');
      const maker = await openDatabase({ path, threads: 0 });
      await makeCollection(maker, 'shared');
      await maker.close();
      return (number) => ({ path, threads: number % 2 === 0 ? 0 : 2 });
    }),
);
