import { expect, it, onTestFinished } from 'vitest';
import { DEFAULT_SETTINGS, defaultSchema, parseConfiguration } from '../api/index.ts';
import { seededRandom } from '../base/index.ts';
import { CatalogueStore } from '../records/index.ts';
import { Catalogue } from './catalogue.ts';

it('a dimension that is noted stays, whatever a later write has not seen', () => {
  const store = CatalogueStore.open({ ...DEFAULT_SETTINGS, path: null });
  const catalogue = new Catalogue(store, seededRandom(1));
  onTestFinished(() => catalogue.close());
  const scope = { tenant: 'default_tenant', database: 'default_database' };
  const configuration = parseConfiguration({}, null);
  const schema = defaultSchema(configuration);
  const input = { name: 'tiles', metadata: null, configuration, schema, getOrCreate: false };
  const collection = { ...scope, collectionId: catalogue.createCollection(scope, input).id };
  catalogue.learn(collection, 4, []);
  catalogue.learn(collection, null, []);
  expect(catalogue.collection(collection).dimension).toBe(4);
  catalogue.learn(collection, null, [{ key: 'colour', type: 'int' }]);
  const { dimension, schema: grown } = catalogue.collection(collection);
  expect(dimension).toBe(4);
  expect(Object.keys(grown.keys)).toContain('colour');
});
