/**
 * Deeds that a power cut must not leave half done: bringing files up to a new format, backing up, restoring,
 * copying, saving, dropping and erasing.
 *
 * A deed is done by deed-process.mjs to a folder with databases in it, and says something after each part.
 * What is found after a cut is put in words, one for each thing that matters, and compared with the words
 * that are allowed when so much was said: as after that part, or as after the next one, or in between.
 */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Backend, CollectionScope } from '../../src/api/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { COLLECTION_MIGRATIONS } from '../../src/records/format.ts';
import { openFile } from '../../src/records/open-file.ts';
import { openSqlDatabase } from '../../src/sqlite/index.ts';
import { type BackupInput, backup, restore } from '../../src/transfer/index.ts';
import { batchOf, getRequest } from '../support/batches.ts';
import { makeCollection, SCOPE } from '../support/database.ts';

/** A deed; see the top of this file. */
export interface Deed {
  /** Fills a folder, which is there. */
  prepare(folder: string, chance: () => number): Promise<void>;
  /** What is found in such a folder after a cut. */
  find(folder: string): Promise<string>;
  /** Patterns of what may be found when so many things were said. */
  readonly allowed: readonly RegExp[];
}

/** The layout after the current one, for files to be brought up to. */
export const NEXT_FORMAT = [
  ...COLLECTION_MIGRATIONS,
  "ALTER TABLE records ADD COLUMN language TEXT DEFAULT 'en'",
];

const GOLDEN = new URL('../golden/', import.meta.url).pathname;
const FILM_COUNT = 60;
const BOOK_COUNT = 20;
/** What the records of each collection are numbered from. */
const FIRST = { films: 0, books: 100 };

const documentOf = (i: number): string => `Document number ${i} is called NAME${i}NAME.`;

/** Ids and documents of a collection; throws where it is damaged. */
type Contents = ReadonlyMap<string, readonly string[]>;

/** Opens a database as one that goes on working with it, and reads all of it. */
async function contentsOf(path: string): Promise<Contents> {
  const backend = await openDatabase({ path, threads: 0, durability: 'relaxed' });
  try {
    const contents = new Map<string, string[]>();
    const collections = await backend.listCollections(SCOPE, { limit: null, offset: 0 });
    for (const { id, name, configuration } of collections) {
      // The records of one that was succeeded are to be had by a fork alone.
      if (configuration.successorId !== undefined) continue;
      const scope = { ...SCOPE, collectionId: id };
      const { ids, documents } = await backend.get(scope, getRequest());
      const { faults } = await backend.verify(scope);
      if (faults.length > 0) throw new Error(`${name}: ${JSON.stringify(faults)}`);
      contents.set(
        name,
        ids.map((recordId, i) => `${recordId}: ${documents![i]}`),
      );
    }
    const files = readdirSync(join(path, 'collections'));
    const strays = files.filter((file) => !collections.some(({ id }) => file.startsWith(id)));
    if (strays.length > 0) throw new Error(`Nobody's files are left: ${strays.join(', ')}`);
    return contents;
  } finally {
    await backend.close();
  }
}

/** A word for a collection: by how many of its records there are, all of them as they should be. */
function wordOf(contents: Contents, name: string): string {
  const records = contents.get(name);
  if (records === undefined) return 'absent';
  const wrong = records.find((record) => {
    const [, number] = /^id-(\d+): /.exec(record) ?? [];
    if (number === undefined) return record !== 'added: The document of added';
    return record !== `id-${number}: ${documentOf(Number(number))}`;
  });
  return wrong === undefined ? String(records.length) : `wrong (${wrong})`;
}

/** Names that are in some file of a database, though no record says them. */
function remains(path: string, contents: Contents): string[] {
  const said = [...contents.values()].flat().join();
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
  const names = files.flatMap(({ parentPath, name }) => {
    return readFileSync(join(parentPath, name), 'latin1').match(/NAME\d+NAME/g) ?? [];
  });
  return [...new Set(names)].filter((name) => !said.includes(name));
}

/** Words for the collections of a database, or for why there is none. */
async function wordsOf(path: string, ...names: string[]): Promise<string> {
  if (!existsSync(path)) return 'nothing';
  try {
    const contents = await contentsOf(path);
    const rest = remains(path, contents);
    if (rest.length > 0) throw new Error(`Files still say ${rest.join(', ')}`);
    return names.map((name) => `${name} ${wordOf(contents, name)}`).join(', ');
  } catch (error) {
    return `broken (${String(error)})`;
  }
}

const wordsOfData = (folder: string): Promise<string> => wordsOf(join(folder, 'data'), 'films', 'books');

async function addRecords(backend: Backend, scope: CollectionScope, from: number, to: number): Promise<void> {
  for (let start = from; start < to; start += 20) {
    const numbers = Array.from({ length: Math.min(20, to - start) }, (_, i) => start + i);
    const records = numbers.map((i) => ({ id: `id-${i}`, embedding: [i, 1, 2], document: documentOf(i) }));
    await backend.add(scope, batchOf(...records));
  }
}

/** Makes the database that deeds begin with, closed or as a kill leaves it. */
async function makeData(
  folder: string,
  chance: () => number,
  { name = 'data', filmCount = FILM_COUNT } = {},
): Promise<void> {
  const live = join(folder, 'live');
  const backend = await openDatabase({ path: live, threads: 0, durability: 'relaxed' });
  for (const [collection, count] of [
    ['films', filmCount],
    ['books', BOOK_COUNT],
  ] as const) {
    const first = FIRST[collection];
    await addRecords(backend, await makeCollection(backend, collection), first, first + count);
  }
  const isKilled = chance() < 0.5;
  // Shared memory does not survive.
  const filter = (path: string): boolean => !path.endsWith('-shm');
  if (isKilled) cpSync(live, join(folder, name), { recursive: true, filter });
  await backend.close();
  if (!isKilled) cpSync(live, join(folder, name), { recursive: true });
  rmSync(live, { recursive: true });
}

/** Restores the backup of a folder elsewhere, and says what there is. */
async function wordsOfBackup(folder: string): Promise<string> {
  const proof = join(folder, 'proof');
  try {
    await restore({ from: join(folder, 'backup'), to: proof });
  } catch (error) {
    return `refused (${String(error)})`;
  }
  return wordsOf(proof, 'films', 'books');
}

/** What a backup is worth; where there is none, whether another attempt comes to one. */
async function findBackup(folder: string, again: Partial<BackupInput>): Promise<string> {
  const data = await wordsOfData(folder);
  const to = join(folder, 'backup');
  if (existsSync(to)) return `${data}; backup: ${await wordsOfBackup(folder)}`;
  await backup({ from: join(folder, 'data'), to, ...again });
  return `${data}; backup: none, then ${await wordsOfBackup(folder)}`;
}

const WHOLE = 'films 60, books 20';
const BACKED_UP = [
  new RegExp(`^${WHOLE}; backup: (?:none, then )?${WHOLE}$`),
  new RegExp(`^${WHOLE}; backup: ${WHOLE}$`),
];
const COPIED = [/^films 60, copy (?:absent|60)$/, /^films 60, copy 60$/];

/** What is in a file of a collection, in a format; the file is brought up to it. */
function countIn(file: string, migrations: readonly string[]): string {
  const options = { durability: 'full', readOnly: false, busyTimeoutMs: 1_000, walPagesMax: 1_000 } as const;
  const database = openFile({ ...options, path: file, migrations });
  try {
    const fault = database.pragma('integrity_check');
    const [count] = database.prepare('SELECT count(*) FROM records').get()!;
    return fault === 'ok' ? String(count) : `damaged (${fault})`;
  } finally {
    database.close();
  }
}

function findMigrated(folder: string): string {
  const path = join(folder, 'data', 'collections');
  const [name] = readdirSync(path).filter((each) => each.endsWith('.sqlite3'));
  const file = join(path, name!);
  const database = openSqlDatabase({ path: file, readOnly: false, busyTimeoutMs: 1_000 });
  const version = database.pragma('user_version');
  database.close();
  const former = `${file}.format-1`;
  const kept = existsSync(former) ? countIn(former, COLLECTION_MIGRATIONS) : 'none';
  const then = countIn(file, NEXT_FORMAT);
  const strays = readdirSync(path).filter((each) => ![name, `${name}.format-1`].includes(each));
  return `version ${version}, kept ${kept}, then ${then}, strays: ${strays.join(', ') || 'none'}`;
}

const copyGolden = async (folder: string): Promise<void> =>
  cpSync(join(GOLDEN, '0.1.0'), join(folder, 'data'), { recursive: true });

async function makeBackedUp(folder: string, chance: () => number): Promise<void> {
  await makeData(folder, chance);
  await backup({ from: join(folder, 'data'), to: join(folder, 'backup') });
}

/** All deeds. */
export const DEEDS: Readonly<Record<string, Deed>> = {
  migrate: {
    prepare: copyGolden,
    find: async (folder) => findMigrated(folder),
    allowed: [
      /^version (?:1, kept (?:none|38)|2, kept 38), then 38, strays: none$/,
      /^version 2, kept 38, then 38, strays: none$/,
    ],
  },
  upgrade: {
    prepare: copyGolden,
    find: async (folder) => String((await contentsOf(join(folder, 'data'))).get('films')?.length),
    allowed: [/^3[89]$/, /^39$/],
  },
  backup: {
    prepare: makeData,
    find: (folder) => findBackup(folder, {}),
    allowed: BACKED_UP,
  },
  archive: {
    prepare: makeData,
    find: (folder) => findBackup(folder, { archive: true }),
    allowed: BACKED_UP,
  },
  changes: {
    prepare: async (folder, chance) => {
      await makeData(folder, chance, { filmCount: 40 });
      const path = join(folder, 'data');
      await backup({ from: path, to: join(folder, 'first') });
      const backend = await openDatabase({ path, threads: 0, durability: 'relaxed' });
      const { id } = await backend.getCollection(SCOPE, 'films');
      await addRecords(backend, { ...SCOPE, collectionId: id }, 40, FILM_COUNT);
      await backend.close();
    },
    find: (folder) => findBackup(folder, { since: join(folder, 'first') }),
    allowed: BACKED_UP,
  },
  restore: {
    prepare: makeBackedUp,
    find: async (folder) => {
      const restored = await wordsOf(join(folder, 'restored'), 'films', 'books');
      return `${restored}; backup: ${await wordsOfBackup(folder)}`;
    },
    allowed: [
      new RegExp(`^(?:nothing|${WHOLE}); backup: ${WHOLE}$`),
      new RegExp(`^${WHOLE}; backup: ${WHOLE}$`),
    ],
  },
  replace: {
    prepare: async (folder, chance) => {
      await makeBackedUp(folder, chance);
      await makeData(folder, chance, { name: 'restored', filmCount: 20 });
    },
    find: async (folder) => {
      const replaced = readdirSync(folder).find((name) => name.startsWith('restored.replaced-'));
      const words = await wordsOf(join(folder, 'restored'), 'films', 'books');
      const kept = replaced && (await wordsOf(join(folder, replaced), 'films', 'books'));
      return `${words}; kept: ${kept ?? 'nothing'}`;
    },
    allowed: [
      new RegExp(`^films 20, books 20; kept: nothing$|^(?:nothing|${WHOLE}); kept: films 20, books 20$`),
      new RegExp(`^${WHOLE}; kept: films 20, books 20$`),
    ],
  },
  fork: {
    prepare: makeData,
    find: (folder) => wordsOf(join(folder, 'data'), 'films', 'copy'),
    allowed: COPIED,
  },
  salvage: {
    prepare: makeData,
    find: (folder) => wordsOf(join(folder, 'data'), 'films', 'copy'),
    allowed: COPIED,
  },
  succeed: {
    prepare: makeData,
    find: wordsOfData,
    // It has the records of the one or of the other.
    allowed: [/^films 60, books 20$/, /^films 60, books 20$/],
  },
  drop: {
    prepare: makeData,
    find: wordsOfData,
    allowed: [
      /^films (?:60|absent), books 20$/,
      /^films absent, books (?:20|absent)$/,
      /^films (?:absent|0), books absent$/,
      /^films [01], books absent$/,
      /^films 1, books absent$/,
    ],
  },
  erase: {
    prepare: makeData,
    find: wordsOfData,
    allowed: [
      /^films (?:60|40), books 20$/,
      /^films 40, books 20$/,
      /^films (?:40|41), books 20$/,
      /^films 41, books 20$/,
    ],
  },
};
