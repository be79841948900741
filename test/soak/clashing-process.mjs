/**
 * One of several processes of the built package that write and read the same few records without pause, and
 * say when each call was made, when it was answered, and what it saw. It is made to be killed.
 *
 *   node clashing-process.mjs '{"path": …, "threads": …, "seed": …, "name": …, "idCount": …}'
 *   node clashing-process.mjs '{"url": …, "clientCount": …, "seed": …, "name": …, "idCount": …}'
 *
 * A line is `made CLIENT NUMBER TIME KIND VALUE IDS` or `answered CLIENT NUMBER TIME VALUES`; times are of
 * the machine's monotonic clock, which all processes share. It stops when its input ends.
 */
import { writeSync } from 'node:fs';
import { seededNumbers } from '../../dist/base/index.js';
import { HttpClient, PersistentClient } from '../../dist/index.js';

const { path, threads, url, clientCount = 2, seed, name, idCount } = JSON.parse(process.argv[2]);
const client = url === undefined ? new PersistentClient({ path, threads }) : new HttpClient({ path: url });
const collection = await client.getCollection({ name: 'shared' });
const ids = Array.from({ length: idCount }, (_, i) => `r${i}`);
let isOver = false;
process.stdin.on('end', () => {
  isOver = true;
});
process.stdin.resume();

const now = () => String(process.hrtime.bigint());
/** The documents of some records, `null` for those that are not there. */
const valuesOf = (wanted, { ids: found, documents }) =>
  wanted.map((id) => documents[found.indexOf(id)] ?? null);

/** What a call does; gives the records it is about and how it is made. */
function draw(chance, value) {
  const first = Math.floor(chance() * idCount);
  const some = Array.from({ length: chance() < 0.3 ? 3 : 1 }, (_, i) => ids[(first + i) % idCount]);
  const records = {
    ids: some,
    embeddings: some.map(() => [chance(), chance(), chance()]),
    documents: some.map(() => value),
    metadatas: some.map((id) => ({ slot: id })),
  };
  const roll = chance();
  if (roll < 0.3) return ['upsert', some, () => collection.upsert(records)];
  if (roll < 0.37) return ['add', some, () => collection.add(records)];
  if (roll < 0.44) return ['update', some, () => collection.update(records)];
  if (roll < 0.52) return ['delete', some, () => collection.delete({ ids: some })];
  if (roll < 0.68) return ['read', some, async () => valuesOf(some, await collection.get({ ids: some }))];
  if (roll < 0.8) {
    const where = { slot: { $in: some } };
    return ['read', some, async () => valuesOf(some, await collection.get({ where }))];
  }
  // A query for more than there is finds all records, through the vector index.
  const query = { queryEmbeddings: [[chance(), chance(), chance()]], nResults: 2 * idCount };
  return [
    'read',
    ids,
    async () => {
      const found = await collection.query(query);
      return valuesOf(ids, { ids: found.ids[0], documents: found.documents[0] });
    },
  ];
}

async function work(number) {
  const chance = seededNumbers(seed + number);
  for (let i = 0; !isOver; i++) {
    const value = `${name}-${number}-${i}`;
    const [kind, some, call] = draw(chance, value);
    writeSync(1, `made ${number} ${i} ${now()} ${kind} ${value} ${some.join()}\n`);
    const seen = await call();
    writeSync(1, `answered ${number} ${i} ${now()} ${JSON.stringify(kind === 'read' ? seen : null)}\n`);
  }
}

await Promise.all(Array.from({ length: clientCount }, (_, i) => work(i)));
await client.close();
