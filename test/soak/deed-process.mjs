/**
 * A process that does one thing to the databases in a folder and says when it is done, to be watched at the
 * system calls (see deeds.ts).
 *
 *   node deed-process.mjs DEED FOLDER
 */
import { readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { defaultSchema, parseConfiguration } from '../../dist/api/index.js';
import { openDatabase } from '../../dist/engine/index.js';
import { openFile } from '../../dist/records/open-file.js';
import { backup, restore } from '../../dist/transfer/index.js';

const [, , deed, folder, nextFormat] = process.argv;
const place = { tenant: 'default_tenant', database: 'default_database' };
const path = join(folder, 'data');
const say = (text) => writeSync(1, `${text}\n`);

/** Works on the database and closes it. */
async function withData(work, durability = 'full') {
  const backend = await openDatabase({ path, threads: 0, durability });
  await work(backend);
  await backend.close();
}

async function scopeOf(backend, name) {
  return { ...place, collectionId: (await backend.getCollection(place, name)).id };
}

function create(backend, name) {
  const configuration = parseConfiguration({}, null);
  const input = { name, metadata: null, configuration, schema: defaultSchema(configuration) };
  return backend.createCollection(place, { ...input, getOrCreate: false });
}

function batchOf(ids) {
  const embeddings = { dimension: 3, values: Float32Array.from(ids.flatMap(() => [1, 2, 3])), present: null };
  return {
    ids,
    embeddings,
    documents: ids.map((id) => `The document of ${id}`),
    metadatas: null,
    metadataKeys: [],
    uris: null,
  };
}

const DEEDS = {
  /** Brings each file up to a format that has one more column. */
  migrate() {
    const options = { durability: 'full', readOnly: false, busyTimeoutMs: 1_000, walPagesMax: 1_000 };
    for (const name of readdirSync(join(path, 'collections')).filter((file) => file.endsWith('.sqlite3'))) {
      const file = join(path, 'collections', name);
      const database = openFile({ ...options, path: file, migrations: JSON.parse(nextFormat) });
      say('migrated');
      database.close();
    }
  },
  upgrade: () =>
    withData(async (backend) => {
      await backend.add(await scopeOf(backend, 'films'), batchOf(['added']));
      say('added');
    }),
  async backup() {
    await backup({ from: path, to: join(folder, 'backup') });
    say('backed up');
  },
  async archive() {
    await backup({ from: path, to: join(folder, 'backup'), archive: true });
    say('backed up');
  },
  async changes() {
    await backup({ from: path, to: join(folder, 'backup'), since: join(folder, 'first') });
    say('backed up');
  },
  async restore() {
    await restore({ from: join(folder, 'backup'), to: join(folder, 'restored') });
    say('restored');
  },
  async replace() {
    await restore({ from: join(folder, 'backup'), to: join(folder, 'restored'), replace: true });
    say('restored');
  },
  fork: () =>
    withData(async (backend) => {
      await backend.fork(await scopeOf(backend, 'films'), 'copy');
      say('forked');
    }),
  salvage: () =>
    withData(async (backend) => {
      await backend.salvage(await scopeOf(backend, 'films'), 'copy');
      say('saved');
    }),
  /** Where records may wait for the disk, those of a successor must not. */
  succeed: () =>
    withData(async (backend) => {
      const scope = await scopeOf(backend, 'films');
      const { id: successorId } = await create(backend, 'next');
      const { sequence } = await backend.changes(scope, {
        after: 0,
        afterRow: 0,
        throughRow: null,
        limit: 1,
      });
      const columns = { include: ['documents'], ids: null, where: null, whereDocument: null };
      const { ids, documents } = await backend.get(scope, { ...columns, limit: null, offset: 0 });
      for (let from = 0; from < ids.length; from += 20) {
        const part = { ...batchOf(ids.slice(from, from + 20)), documents: documents.slice(from, from + 20) };
        await backend.add({ ...place, collectionId: successorId }, part);
      }
      await backend.succeed(scope, { successorId, sequence, formerName: 'former' });
      say('succeeded');
    }, 'relaxed'),
  drop: () =>
    withData(async (backend) => {
      // It is open when it is dropped, and it is not.
      await backend.count(await scopeOf(backend, 'films'));
      await backend.deleteCollection(place, 'films');
      say('dropped');
      await backend.deleteCollection(place, 'books');
      say('dropped both');
      const complete = parseConfiguration({}, null);
      const input = {
        name: 'films',
        metadata: null,
        configuration: complete,
        schema: defaultSchema(complete),
      };
      await backend.createCollection(place, { ...input, getOrCreate: false });
      say('made anew');
      await backend.add(await scopeOf(backend, 'films'), batchOf(['added']));
      say('added');
    }),
  erase: () =>
    withData(async (backend) => {
      const scope = await scopeOf(backend, 'films');
      const ids = Array.from({ length: 20 }, (_, i) => `id-${i * 2}`);
      await backend.delete(scope, { ids, where: null, whereDocument: null, limit: null });
      say('deleted');
      await backend.settle(scope);
      say('erased');
      await backend.add(scope, batchOf(['added']));
      say('added');
    }),
};

await DEEDS[deed]();
