/**
 * A process of the built package that works off commands, one a line, and says of each that it is stored.
 * It is made to be killed, to be watched at the system calls, and to meet faults.
 *
 *   node writing-process.mjs '{"path": …}'
 *
 * A command names its stream; streams run side by side unless `isSerial`. With `copyTo` everything that the
 * process does to SQLite or to files is a point, before and after it: what lies in the directory at a
 * point, and what was acknowledged by then, is copied to a folder of its own where it differs from the
 * point before. With `killAt` the process kills itself at that point.
 */
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { crc32 } from 'node:zlib';
import { defaultSchema, parseConfiguration } from '../../dist/api/index.js';
import { openDatabase } from '../../dist/engine/index.js';
import { sqlDriverName } from '../../dist/sqlite/index.js';
import { interpose } from './interpose.mjs';

const DEFAULTS = { threads: 0, isSerial: true, isTolerant: false };
const { path, threads, isSerial, isTolerant, tuning, copyTo, killAt, spare, ...settings } = {
  ...DEFAULTS,
  ...JSON.parse(process.argv[2]),
};
const place = { tenant: 'default_tenant', database: 'default_database' };
const everything = { ids: null, where: null, whereDocument: null };
const acknowledged = {};

/** What changes no file, and is no point. */
const ONLY_READS = /^(?:prepare|(?:get|all|iterate) SELECT)/;
let pointCount = 0;
let former = -1;
if (copyTo !== undefined || killAt !== undefined) {
  interpose((what, run) => {
    if (ONLY_READS.test(what)) return run();
    atPoint(`before ${what}`);
    const result = run();
    atPoint(`after ${what}`);
    return result;
  });
}

/** Checksum of all that a kill would leave, and a restart would read: the shared memory is made anew. */
function checksumOfDirectory() {
  if (!existsSync(path)) return 0;
  let sum = crc32(JSON.stringify(acknowledged));
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    sum = crc32(file, sum);
    if (entry.isFile() && !file.endsWith('-shm')) sum = crc32(readFileSync(file), sum);
  }
  return sum;
}

function atPoint(what) {
  pointCount++;
  if (pointCount === killAt) process.kill(process.pid, 'SIGKILL');
  if (copyTo === undefined) return;
  const sum = checksumOfDirectory();
  if (sum === former) return;
  former = sum;
  const folder = join(copyTo, String(pointCount));
  mkdirSync(folder);
  if (existsSync(path)) cpSync(path, join(folder, 'data'), { recursive: true });
  writeFileSync(join(folder, 'point.json'), JSON.stringify({ what, acknowledged }));
}

/** Opens the database; who is tolerant tries twice, and else has nothing more to do. */
async function open(triesLeft = 2) {
  try {
    return await openDatabase({ path, threads, ...settings }, { indexTuning: tuning });
  } catch (error) {
    if (!isTolerant || error.name !== 'DatabaseError') throw error;
    if (triesLeft > 1) return open(triesLeft - 1);
    writeSync(1, `unopened ${error.code}\n`);
    process.exit(0);
  }
}

function takeDescriptors() {
  // The driver's binary is a file, too.
  sqlDriverName();
  const taken = [];
  try {
    for (;;) taken.push(openSync('/dev/null'));
  } catch (error) {
    if (error.code !== 'EMFILE') throw error;
  }
  for (const descriptor of taken.slice(taken.length - spare)) closeSync(descriptor);
}

if (spare !== undefined) takeDescriptors();
const backend = await open();

const configuration = { hnsw: { space: 'l2' } };
async function create(name) {
  const complete = parseConfiguration(configuration, null);
  const input = { name, metadata: null, configuration: complete, schema: defaultSchema(complete) };
  await backend.createCollection(place, { ...input, getOrCreate: false });
}

async function work(name, dimension, call) {
  if (call.verb === 'create') return create(name);
  if (call.verb === 'drop') return backend.deleteCollection(place, name);
  const scope = { ...place, collectionId: (await backend.getCollection(place, name)).id };
  if (call.verb === 'settle') {
    backend.noteTextIndexWanted?.(scope);
    return backend.settle(scope);
  }
  const { ids } = call;
  if (call.verb === 'delete') return backend.delete(scope, { ...everything, ids, limit: null });
  const { values, documents, metadatas } = call;
  const embeddings = { dimension, values: Float32Array.from(values), present: null };
  const metadataKeys = [{ key: 'group', type: 'int' }];
  await backend[call.verb](scope, { ids, embeddings, documents, metadatas, metadataKeys, uris: null });
  // A query loads the indexes, and with it begins their upkeep.
  const query = { dimension, values: embeddings.values.slice(0, dimension), present: null };
  const request = { embeddings: query, nResults: 3, include: [], recall: 0.99, explain: false };
  return backend.query(scope, { ...everything, ...request });
}

const queues = new Map();
for await (const line of createInterface({ input: process.stdin })) {
  const { stream, number, name, dimension, calls } = JSON.parse(line);
  const obey = async () => {
    try {
      await Promise.all(calls.map((call) => work(name, dimension, call)));
    } catch (error) {
      if (!isTolerant || error.name !== 'DatabaseError') throw error;
      writeSync(1, `${stream} ${number} ${error.code}\n`);
      return;
    }
    acknowledged[stream] = number;
    writeSync(1, `${stream} ${number}\n`);
    // Between commands the upkeep has some turns.
    for (let turn = 0; turn < number % 4; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  const queue = isSerial ? 0 : stream;
  const done = (queues.get(queue) ?? Promise.resolve()).then(obey);
  // A fault ends the process with its stack.
  done.catch((error) => {
    console.error(error);
    process.exit(1);
  });
  queues.set(queue, done);
}
await Promise.all(queues.values());
try {
  await backend.close();
} catch (error) {
  if (!isTolerant || error.name !== 'DatabaseError') throw error;
}
writeSync(1, `points ${pointCount}\n`);
