// Another process of the built package, with a writer and two readers, that writes and queries without pause.
// It says the id of each record once its write is acknowledged, one a line.
import { PersistentClient } from '../../dist/index.js';

const [path, name] = process.argv.slice(2);
const client = new PersistentClient({ path, threads: 3 });
const collection = await client.getOrCreateCollection({ name: 'tiles' });
const embeddingOf = (task, i) => [task, i, 1];

async function write(task) {
  for (let i = 0; ; i++) {
    const ids = Array.from({ length: 20 }, (_, k) => `${name}-${task}-${i}-${k}`);
    const embeddings = ids.map((_, k) => embeddingOf(task, 20 * i + k));
    await collection.add({ ids, embeddings, documents: ids });
    process.stdout.write(ids.map((id) => `${id}\n`).join(''));
  }
}

async function ask(task) {
  for (let i = 0; ; i++) await collection.query({ queryEmbeddings: [embeddingOf(task, i)], nResults: 5 });
}

await Promise.all([0, 1, 2, 3].flatMap((task) => [write(task), ask(task)]));
