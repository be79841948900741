/** Reads a database as a user without rights, command by command: a line in, a line out. */
import { createInterface } from 'node:readline';
import { EphemeralClient, PersistentClient } from '../../dist/index.js';

const [path, uid] = process.argv.slice(2);
// What is loaded late is loaded now, while it may be read.
const early = new EphemeralClient({ threads: 0 });
await early.countCollections();
await early.close();
if (process.getuid() === 0) {
  process.setgid(Number(uid));
  process.setuid(Number(uid));
}
const client = new PersistentClient({ path, threads: 0, readOnly: true });
for await (const name of createInterface({ input: process.stdin })) {
  try {
    const collection = await client.getCollection({ name, embeddingFunction: null });
    const found = await collection.query({ queryEmbeddings: [[1, 1]], nResults: 3 });
    const { faultCount } = await collection.verify();
    const { ids } = await collection.get();
    console.log(JSON.stringify({ ids, nearest: found.ids[0], faultCount }));
  } catch (error) {
    console.log(JSON.stringify({ code: error.code, message: error.message }));
  }
}
await client.close();
