/**
 * Embeds the collection `films` of a directory anew, batch by batch, and prints a line after each: a program
 * to be killed. It waits for a line of its input before each batch, so that it is killed when it is to be,
 * however late that comes. Needs the build.
 */
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { PersistentClient } from '../../dist/index.js';

const [path] = process.argv.slice(2);
const lines = createInterface(process.stdin)[Symbol.asyncIterator]();
const embeddingFunction = {
  generate: async (texts) => {
    await lines.next();
    await setTimeout(2);
    return texts.map((text) => [text.length, 3, 3]);
  },
};
const client = new PersistentClient({ path, threads: 0 });
const films = await client.getCollection({ name: 'films' });
await films.reembed({ embeddingFunction, batchSize: 16, onProgress: () => console.log('batch') });
console.log('done');
await client.close();
process.stdin.destroy();
