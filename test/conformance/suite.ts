/**
 * What every `Backend` must do, in one suite that runs on all of them (see instances.test.ts).
 *
 * Most cases go through the client, as users do; where the client is stricter than the port (duplicate ids in
 * a batch, empty batches), they speak to the port itself. Every case makes a collection of its own in a
 * backend that the cases share; those that close or empty a backend make their own.
 */

import { afterAll, beforeAll, describe } from 'vitest';
import { parseBatch } from '../../src/api/index.ts';
import { DatabaseAdmin, DatabaseClient } from '../../src/client/index.ts';
import { argumentCases } from './arguments.ts';
import { collectionCases } from './collections.ts';
import { defaultFunctionCases } from './default-function.ts';
import { embeddingFunctionCases } from './embedding-functions.ts';
import { faultCases } from './faults.ts';
import { forkCases } from './forks.ts';
import { lifecycleCases } from './lifecycle.ts';
import { maintenanceCases } from './maintenance.ts';
import { queryCases } from './queries.ts';
import { readCases } from './reads.ts';
import { reembeddingCases } from './reembedding.ts';
import { type MakeBackend, type Opened, type Subject, scopeOf } from './subject.ts';
import { tenantCases } from './tenants.ts';
import { writeCases } from './writes.ts';

/** Defines the suite for one kind of backend. */
export function conformanceSuite(name: string, make: MakeBackend): void {
  describe(name, () => {
    let opened: Opened;
    let client: DatabaseClient;
    let admin: DatabaseAdmin;
    let nameCount = 0;

    beforeAll(async () => {
      opened = await make();
      client = new DatabaseClient(async () => opened.backend);
      admin = new DatabaseAdmin(client);
    });
    afterAll(() => opened.dispose());

    const subject: Subject = {
      make,
      get backend() {
        return opened.backend;
      },
      get client() {
        return client;
      },
      get admin() {
        return admin;
      },
      name: () => `name-${++nameCount}`,
      collection: (input = {}) => client.createCollection({ name: subject.name(), ...input }),
      write: (collection, verb, input) => opened.backend[verb](scopeOf(collection), parseBatch(input, verb)),
    };
    tenantCases(subject);
    collectionCases(subject);
    writeCases(subject);
    readCases(subject);
    queryCases(subject);
    maintenanceCases(subject);
    forkCases(subject);
    defaultFunctionCases(subject);
    embeddingFunctionCases(subject);
    reembeddingCases(subject);
    faultCases(subject);
    argumentCases(subject);
    lifecycleCases(subject);
  });
}
