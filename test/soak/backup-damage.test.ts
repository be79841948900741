/**
 * Damage to what is kept for the day of need: backups in folders, chains of changes and archives, and the
 * copies of files of an earlier format.
 *
 * Restoring a damaged backup gives the right content, or a typed error that says of the backup that it is
 * damaged, none, or of a later release. After an error nothing is at the target, or what was there before. A
 * damaged copy of an earlier format does nothing to the database beside it; put back by hand it is a file
 * like any other: the right answer, a typed error, or a fault that `verify` finds, and where the whole file
 * is one of an earlier time, that earlier time.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Backend, CollectionScope } from '../../src/api/index.ts';
import { DatabaseError, seededRandom } from '../../src/base/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { CATALOGUE_MIGRATIONS, COLLECTION_MIGRATIONS } from '../../src/records/format.ts';
import { openFile } from '../../src/records/open-file.ts';
import { backup, restore } from '../../src/transfer/index.ts';
import { batchOf, deleteRequest } from '../support/batches.ts';
import { makeCollection, SCOPE } from '../support/database.ts';
import { makeFleetingDirectory } from '../support/temporary.ts';
import { type Answer, answerOf, attempt, attemptRead, DAMAGES, pick, recordOf } from './damages.ts';
import { Rounds } from './rounds.ts';

/** Damages of each Node in every run of the tests. */
const rounds = new Rounds(64, 20_261_139);
const RECORD_COUNTS = [60, 12];
/** The same files for a seed, down to the identifiers of the collections. */
const random = seededRandom(rounds.seed);
/** What is said of a backup that cannot be restored. */
const REFUSALS = ['TESSERA_CORRUPT', 'TESSERA_NOT_A_DATABASE', 'TESSERA_NEWER_FORMAT'];

/** A backup, the folders or the file that it is of, and what its collections answer. */
interface Golden {
  readonly name: string;
  readonly parts: readonly string[];
  readonly answers: readonly Answer[];
}

/** Where all lies: the backups, and `upgraded`, a database of a later format with its copies. */
let root: string;
let scopes: CollectionScope[];
let goldens: Golden[];

const answersOf = (backend: Backend): Promise<Answer[]> =>
  Promise.all(scopes.map((scope) => answerOf(backend, scope)));

const open = (path: string): Promise<Backend> =>
  openDatabase({ path, threads: 0, durability: 'relaxed' }, { random });

beforeAll(async () => {
  root = makeFleetingDirectory();
  const from = join(root, 'live');
  const backend = await open(from);
  scopes = [];
  for (const [i, count] of RECORD_COUNTS.entries()) {
    scopes.push(await makeCollection(backend, `tiles-${i}`));
    await backend.add(scopes[i]!, batchOf(...Array.from({ length: count }, (_, r) => recordOf(r, 0))));
  }
  const whole = await answersOf(backend);
  await backup({ from, to: join(root, 'folder') });
  await backup({ from, to: join(root, 'archive'), archive: true });
  await backend.upsert(scopes[0]!, batchOf(...[1, 4, 9].map((r) => recordOf(r, 1))));
  await backend.delete(scopes[0]!, deleteRequest({ ids: ['record-5', 'record-10'] }));
  await backup({ from, to: join(root, 'changes'), since: join(root, 'folder') });
  const changed = await answersOf(backend);
  await backend.upsert(scopes[0]!, batchOf(recordOf(70, 0)));
  await backend.upsert(scopes[1]!, batchOf(recordOf(2, 2)));
  await backup({ from, to: join(root, 'more-changes'), since: join(root, 'changes') });
  const latest = await answersOf(backend);
  await backend.close();
  goldens = [
    { name: 'folder', parts: ['folder'], answers: whole },
    { name: 'changes', parts: ['folder', 'changes'], answers: changed },
    { name: 'archive', parts: ['archive'], answers: whole },
    { name: 'more-changes', parts: ['folder', 'changes', 'more-changes'], answers: latest },
  ];
  cpSync(from, join(root, 'upgraded'), { recursive: true });
  for (const file of databaseFiles('upgraded')) rowsOf(join(root, 'upgraded', file));
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Every file below a folder, or the path itself where it is a file, by its path from `root`. */
function filesOf(path: string): string[] {
  if (!statSync(join(root, path)).isDirectory()) return [path];
  const names = readdirSync(join(root, path), { recursive: true, encoding: 'utf8' }).sort();
  return names.map((name) => join(path, name)).filter((name) => statSync(join(root, name)).isFile());
}

const bytesOf = (path: string): [string, string][] =>
  filesOf(path).map((file) => [file, attemptRead(join(root, file))!.toString('latin1')]);

function databaseFiles(path: string): string[] {
  return filesOf(path)
    .filter((name) => name.endsWith('.sqlite3'))
    .map((name) => name.slice(path.length + 1));
}

/** What else befalls a manifest: a member of it is missing or something else, and it still is JSON. */
function changeManifest(bytes: Buffer, chance: () => number): Buffer {
  const manifest = JSON.parse(bytes.toString('utf8'));
  const places: [holder: Record<string, unknown>, key: string][] = [];
  const walk = (holder: Record<string, unknown>): void => {
    for (const [key, value] of Object.entries(holder)) {
      // Nothing says when a backup was made but this, and a restored database does not depend on these.
      if (!['createdAt', 'release', 'life', 'damagedCount'].includes(key)) places.push([holder, key]);
      if (typeof value === 'object' && value !== null) walk(value as Record<string, unknown>);
    }
  };
  walk(manifest);
  const [holder, key] = places[pick(places.length, chance)]!;
  const others = [undefined, null, 0, 1, -1, 2 ** 60, '', 'a', '../a', '\0', 'a'.repeat(9_000), [], {}, true];
  const other = others[pick(others.length, chance)];
  if (Array.isArray(holder) && other === undefined) holder.splice(Number(key), 1);
  else holder[key] = other;
  return Buffer.from(JSON.stringify(manifest));
}

const MANIFEST_CHANGED = 'a member of the manifest is another';
const KINDS = [...Object.keys(DAMAGES), MANIFEST_CHANGED];

/** Damages one file in the copy of a backup or database at `work`; returns what was done, for people. */
function damageOne(work: string, files: readonly string[], round: number, chance: () => number): string {
  const manifests = files.filter((name) => name.endsWith('manifest.json'));
  const kinds = manifests.length > 0 ? KINDS : Object.keys(DAMAGES);
  const kind = kinds[Math.floor(round / 5) % kinds.length]!;
  // Of a chain, the manifest that nothing vouches for is the last.
  const file = kind === MANIFEST_CHANGED ? manifests.at(-1)! : files[pick(files.length, chance)]!;
  const path = join(root, file);
  const bytes = attemptRead(path)!;
  const another = attemptRead(join(root, files[pick(files.length, chance)]!))!;
  // The backup before this one has a file of the same name, or of the whole collection.
  const formerName = basename(file)
    .replace('.changes', '')
    .replace(/\.format-1$/, '');
  const folders = ['folder', 'folder/collections', 'live', 'live/collections'];
  const former = folders
    .map((folder) => attemptRead(join(root, folder, formerName)))
    .find((one) => one !== null);
  const damaged =
    kind === MANIFEST_CHANGED
      ? changeManifest(bytes, chance)
      : DAMAGES[kind]!(bytes, chance, { former: former ?? Buffer.alloc(0), another });
  if (damaged === null) rmSync(path);
  else writeFileSync(path, damaged);
  return `${kind}: ${file.slice(work.length + 1)}, round ${round} (seed ${rounds.seed})`;
}

const figures = {
  restored: 0,
  refused: 0,
  byCode: {} as Record<string, number>,
  restoredAfter: {} as Record<string, number>,
  formerCopies: { right: 0, refused: 0, earlier: 0, foundByVerify: 0 },
};

/** Throws unless each collection answers as it did, and is whole. */
async function compare(path: string, answers: readonly Answer[], about: string): Promise<void> {
  const backend = await open(path);
  try {
    expect(await answersOf(backend), `${about}: restored, and not as it was`).toEqual(answers);
    expect(await backend.countCollections(SCOPE), about).toBe(scopes.length);
    for (const scope of scopes) expect((await backend.verify(scope)).faultCount, about).toBe(0);
  } finally {
    await backend.close();
  }
}

/** Restores a damaged copy of a backup, to where nothing is or in another database's place. */
async function restoreDamaged(golden: Golden, round: number, chance: () => number): Promise<void> {
  for (const part of golden.parts) {
    cpSync(join(root, part), join(root, 'work', part), { recursive: true });
  }
  const files = golden.parts.flatMap((part) => filesOf(join('work', part)));
  const about = damageOne('work', files, round, chance);
  const isTaken = chance() < 0.5;
  mkdirSync(join(root, 'work/to'));
  const to = join(root, 'work/to/data');
  if (isTaken) cpSync(join(root, 'live'), to, { recursive: true });
  const before = bytesOf('work/to');
  const backups = bytesOf('work').filter(([name]) => !name.startsWith('work/to'));
  try {
    await restore({ from: join(root, 'work', golden.name), to, replace: isTaken });
  } catch (error) {
    const code = error instanceof DatabaseError ? error.code : 'none';
    if (!REFUSALS.includes(code)) throw new Error(`${about}: ${code}`, { cause: error });
    expect(readdirSync(join(root, 'work/to')), `${about}: nothing half-made`).toEqual(
      isTaken ? ['data'] : [],
    );
    expect(bytesOf('work/to'), `${about}: the target is as it was`).toEqual(before);
    figures.refused++;
    figures.byCode[code] = (figures.byCode[code] ?? 0) + 1;
    return;
  }
  const after = bytesOf('work').filter(([name]) => !name.startsWith('work/to'));
  expect(after, `${about}: the backup is as it was`).toEqual(backups);
  await compare(to, golden.answers, about);
  figures.restored++;
  const what = about.slice(0, about.indexOf(','));
  const kind = `${what.slice(0, what.indexOf(':'))} (${golden.name})`;
  figures.restoredAfter[kind] = (figures.restoredAfter[kind] ?? 0) + 1;
}

/** All rows of a file, brought up to a format that does not exist yet. */
function rowsOf(path: string): unknown[] {
  const [now, table] = path.endsWith('catalogue.sqlite3')
    ? [CATALOGUE_MIGRATIONS, 'collections']
    : [COLLECTION_MIGRATIONS, 'records'];
  const migrations = [...now, `ALTER TABLE ${table} ADD COLUMN language TEXT DEFAULT 'en'`];
  const opening = { path, migrations, readOnly: false, busyTimeoutMs: 100, walPagesMax: 1_000 };
  const database = openFile({ ...opening, durability: 'relaxed' });
  try {
    return database.prepare(`SELECT * FROM ${table}`).all();
  } finally {
    database.close();
  }
}

/** Damages a copy of a file of the earlier format, uses the database, and puts the copies back. */
async function goBack(round: number, chance: () => number): Promise<void> {
  cpSync(join(root, 'upgraded'), join(root, 'work/upgraded'), { recursive: true });
  const path = join(root, 'work/upgraded');
  const working = databaseFiles('work/upgraded').map((name) => join(path, name));
  const expected = working.map(rowsOf);
  // A process may have died between the copy and the work.
  if (chance() < 0.5) cpSync(join(root, 'live'), path, { recursive: true });
  const copies = filesOf('work/upgraded').filter((name) => name.endsWith('.format-1'));
  const about = damageOne('work', copies, round, chance);
  const damaged = copies.map((name) => attemptRead(join(root, name)));
  expect(working.map(rowsOf), `${about}: the database beside it`).toEqual(expected);
  for (const [i, name] of copies.entries()) {
    const copy = join(root, name);
    // A copy that was taken away is made anew where the file is still of the earlier format.
    if (damaged[i] !== null) expect(attemptRead(copy)!.equals(damaged[i]!), about).toBe(true);
    const file = copy.slice(0, -'.format-1'.length);
    rmSync(file);
    if (existsSync(copy)) renameSync(copy, file);
  }
  await judgeFormer(path, about);
}

/** The way back leads to the right answer, an error, or a fault that `verify` finds. */
async function judgeFormer(path: string, about: string): Promise<void> {
  const backend = await attempt(() => open(path));
  try {
    for (const [i, scope] of scopes.entries()) {
      const answer = backend === null ? null : await attempt(() => answerOf(backend, scope));
      const states = goldens.map(({ answers }) => JSON.stringify(answers[i]));
      const state = states.lastIndexOf(JSON.stringify(answer));
      if (answer === null) figures.formerCopies.refused++;
      else if (state === states.length - 1) figures.formerCopies.right++;
      else if (state >= 0 && about.startsWith('the file is of an earlier time')) {
        figures.formerCopies.earlier++;
      } else {
        const report = await attempt(() => backend!.verify(scope));
        expect(report?.faultCount, `${about}: wrong, and verify finds nothing`).not.toBe(0);
        figures.formerCopies.foundByVerify++;
      }
    }
  } catch (error) {
    throw new Error(about, { cause: error });
  } finally {
    await backend?.close();
  }
}

test(`${rounds.title} damages to backups and former files: the right content or a typed error`, {
  timeout: rounds.timeout,
}, async () => {
  const chance = rounds.chance();
  for (const round of rounds) {
    mkdirSync(join(root, 'work'));
    const golden = goldens[round % (goldens.length + 1)];
    if (golden === undefined) await goBack(round, chance);
    else await restoreDamaged(golden, round, chance);
    rmSync(join(root, 'work'), { recursive: true });
  }
  // Were nothing refused, nothing would have been damaged; were all refused, nothing would be compared.
  expect(figures.refused).toBeGreaterThan(rounds.done / 4);
  expect(figures.restored).toBeGreaterThan(0);
  rounds.report({ damages: rounds.done, silentlyWrong: 0, ...figures });
});
