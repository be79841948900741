/**
 * The main job, for a newcomer: real texts in, answers to questions in words out, by nearness, by filter and
 * by text; then the database is closed, opened again, and must give the same answers. The texts are embedded
 * by the default function, in this process.
 *
 *   npm run demo
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { PersistentClient, UseLiteEmbeddingFunction } from 'tesseradb';
import { bold, dim, green, heading, progressBar, say, table, thousands } from './paper.mjs';
import { readSentences, readTexts } from './texts.mjs';

const BATCH = 200;
const SPACES = ['cosine', 'l2', 'ip'];

const QUESTIONS = [
  'Which fish can be eaten?',
  'What do people drink in the morning?',
  'frozen water falling from the sky',
];

const ANSWER_COLUMNS = [
  { key: 'distance', name: 'distance', digits: 4 },
  { key: 'section', name: 'section' },
  { key: 'text', name: 'text' },
];

const texts = readTexts();
const sentences = readSentences();

/** Runs `work` and returns its result with the milliseconds it took. */
async function timed(work) {
  const start = performance.now();
  const result = await work();
  return { result, ms: performance.now() - start };
}

/** Adds all texts in batches, drawing how far it is; the collection embeds them. */
async function addTexts(collection) {
  const draw = progressBar(texts.length);
  const start = performance.now();
  for (let from = 0; from < texts.length; from += BATCH) {
    const batch = texts.slice(from, from + BATCH);
    await collection.add({
      ids: batch.map((text) => text.id),
      documents: batch.map((text) => text.text),
      metadatas: batch.map((text) => text.metadata),
    });
    const done = from + batch.length;
    draw(done, (done / (performance.now() - start)) * 1e3);
  }
}

/** Asks in words and prints the answers; `relevant` is the id of the one to mark. */
async function showAnswers(collection, question, title, { relevant, ...options } = {}) {
  const { result, ms } = await timed(() =>
    collection.query({ queryTexts: [question], nResults: 5, ...options }),
  );
  say(`\n  ${title}  ${dim(`${ms.toFixed(1)} ms`)}`);
  table(
    ANSWER_COLUMNS,
    result.ids[0].map((id, i) => ({
      distance: result.distances[0][i],
      section: result.metadatas[0][i].section,
      text: result.documents[0][i],
      isMarked: id === relevant,
    })),
  );
}

async function showQuestions(collection) {
  heading('Questions in words');
  for (const question of QUESTIONS) {
    await showAnswers(collection, question, bold(`“${question}”`), { nResults: 3 });
  }
  say(`\n  A sentence from WordNet; ${green('●')} marks the gloss that it illustrates.`);
  for (const { text, relevant } of sentences.filter(({ id }) => ['q144', 'q587', 'q968'].includes(id))) {
    await showAnswers(collection, text, bold(`“${text}”`), { relevant, nResults: 3 });
  }
}

async function showFilters(collection) {
  heading('Filters on metadata');
  const question = 'something small that flies';
  say(`  Near to ${bold(`“${question}”`)}, among the records that match:`);
  const filters = [
    ["section is 'noun.animal'", { section: { $eq: 'noun.animal' } }],
    ["section is one of 'noun.food', 'noun.plant'", { section: { $in: ['noun.food', 'noun.plant'] } }],
    [
      'a verb, of 40 to 60 characters',
      { $and: [{ pos: 'verb' }, { length: { $gte: 40 } }, { length: { $lte: 60 } }] },
    ],
  ];
  for (const [title, where] of filters) {
    await showAnswers(collection, question, title, { where, nResults: 3 });
  }
}

async function showTextSearch(collection) {
  heading('Text search');
  const question = 'a place to swim';
  say(`  Near to ${bold(`“${question}”`)}, among the documents that match:`);
  await showAnswers(collection, question, "$contains 'water'", {
    whereDocument: { $contains: 'water' },
    nResults: 4,
  });
  const pattern = '(?i)\\b(sea|lake|river)s?\\b';
  await showAnswers(collection, question, `$regex ${pattern}`, {
    whereDocument: { $regex: pattern },
    nResults: 4,
  });

  const { result, ms } = await timed(() =>
    collection.get({ whereDocument: { $contains: 'music' }, include: ['documents'] }),
  );
  say(`\n  Every document with 'music', no embedding needed  ${dim(`${ms.toFixed(1)} ms`)}`);
  table(
    [
      { key: 'id', name: 'id' },
      { key: 'text', name: 'text' },
    ],
    result.ids.map((id, i) => ({ id, text: result.documents[i] })),
  );
}

/** The same records under the three distances. */
async function showSpaces(client, wordnet) {
  heading('Three spaces');
  const question = 'an instrument with strings';
  say(`  Distances from ${bold(`“${question}”`)}.`);
  say('  For embeddings of length 1, as here, all three agree on the order: ip is 1 − the dot product,');
  say('  cosine the same after normalising, and l2 (squared) is twice as much.\n');
  const { ids, embeddings, documents } = await wordnet.get({ include: ['embeddings', 'documents'] });
  const distances = new Map();
  for (const space of SPACES) {
    const collection = await client.createCollection({
      name: `texts-${space}`,
      configuration: { hnsw: { space } },
      embeddingFunction: new UseLiteEmbeddingFunction(),
    });
    await collection.add({ ids, embeddings });
    const result = await collection.query({ queryTexts: [question], nResults: 5 });
    result.ids[0].forEach((id, i) => {
      distances.set(id, { ...distances.get(id), [space]: result.distances[0][i] });
    });
  }
  const textOf = new Map(ids.map((id, i) => [id, documents[i]]));
  table(
    [...SPACES.map((space) => ({ key: space, name: space, digits: 4 })), { key: 'text', name: 'text' }],
    [...distances].map(([id, row]) => ({ ...row, text: textOf.get(id) })),
  );
}

/** What must be the same before and after: the count and the neighbours of every sentence. */
async function ask(collection) {
  const { result, ms } = await timed(() =>
    collection.query({ queryTexts: sentences.map(({ text }) => text), nResults: 10 }),
  );
  return { count: await collection.count(), ids: result.ids, distances: result.distances, ms };
}

function directoryBytes(directory) {
  return readdirSync(directory, { recursive: true })
    .map((name) => statSync(path.join(directory, name)))
    .reduce((total, entry) => total + (entry.isFile() ? entry.size : 0), 0);
}

async function fill(directory) {
  const client = new PersistentClient({ path: directory });
  const collection = await client.createCollection({
    name: 'wordnet',
    configuration: { hnsw: { space: 'cosine' } },
  });
  heading('Adding');
  await addTexts(collection);
  await showQuestions(collection);
  await showFilters(collection);
  await showTextSearch(collection);
  await showSpaces(client, collection);
  const answers = await ask(collection);
  await client.close();
  return answers;
}

/** Opens the database again and returns whether it gives the same answers. */
async function reopen(directory, before) {
  heading('Closed, and opened again');
  const { result: opened, ms } = await timed(async () => {
    const client = new PersistentClient({ path: directory });
    const collection = await client.getCollection({ name: 'wordnet' });
    return { client, collection, count: await collection.count() };
  });
  const after = await ask(opened.collection);
  await opened.client.close();
  const isSame =
    after.count === texts.length &&
    isDeepStrictEqual([after.ids, after.distances], [before.ids, before.distances]);
  say(`  ${thousands(opened.count)} records are there, ${ms.toFixed(0)} ms after opening the directory.`);
  const times = `${before.ms.toFixed(1)} ms before, ${after.ms.toFixed(1)} ms after`;
  say(`  ${sentences.length} questions in one call: ${times}.`);
  say(isSame ? `  ${green('✓')} The answers are the same, digit for digit.` : '  ✗ The answers differ.');
  return isSame;
}

const directory = mkdtempSync(path.join(tmpdir(), 'tessera-demo-'));
// A signal ends the process past the `finally` below.
for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
]) {
  process.once(signal, () => {
    rmSync(directory, { recursive: true, force: true });
    process.exit(status);
  });
}
try {
  say(bold('\nTessera: texts in, answers out'));
  say(dim(`${thousands(texts.length)} glosses of WordNet, embedded as they are added`));
  say(dim(`in ${directory}`));
  const before = await fill(directory);
  const bytes = directoryBytes(directory);
  const isSame = await reopen(directory, before);
  say(
    dim(`\n  The directory took ${(bytes / 1e6).toFixed(1)} MB for four collections and is removed now.\n`),
  );
  process.exitCode = isSame ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
