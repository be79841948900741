// Another process of the built package: reads one command a line, answers one line each.
import { createInterface } from 'node:readline';
import { parseWhere } from '../../dist/api/index.js';
import { openDatabase } from '../../dist/engine/index.js';

const backend = await openDatabase({ path: process.argv[2], threads: 0 });
const scope = { tenant: 'default_tenant', database: 'default_database' };
const everything = { ids: null, where: null, whereDocument: null };
let known;

/** The collection's scope, looked up by name unless the one known before is asked for. */
async function collection(isKnown) {
  if (!isKnown) known = { ...scope, collectionId: (await backend.getCollection(scope, 'tiles')).id };
  return known;
}

async function answer(command) {
  const { verb, id, embedding, k } = command;
  const embeddings = embedding && {
    dimension: embedding.length,
    values: Float32Array.from(embedding),
    present: null,
  };
  switch (verb) {
    case 'heartbeat':
      await backend.heartbeat();
      return { ok: true };
    case 'add':
    case 'again': {
      const metadatas = [JSON.stringify({ k })];
      const metadataKeys = [{ key: 'k', type: 'int' }];
      const batch = { ids: [id], embeddings, documents: null, uris: null, metadatas, metadataKeys };
      await backend.add(await collection(verb === 'again'), batch);
      return { ok: true };
    }
    case 'find': {
      const request = { ...everything, where: parseWhere({ k }), limit: null, offset: 0, include: [] };
      return { ids: (await backend.get(await collection(), request)).ids };
    }
    case 'nearest': {
      const request = { ...everything, embeddings, nResults: 1, include: [], recall: 1 };
      return { ids: (await backend.query(await collection(), request))[0].ids };
    }
    default:
      throw new Error(`Unknown command ${verb}`);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const result = await answer(JSON.parse(line)).catch((error) => ({ code: error.code ?? String(error) }));
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
