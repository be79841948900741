/**
 * Damage to any file of a database: bits that flip, blocks of zeros or noise, blocks that stand in each
 * other's place, files cut short, grown, missing or in another's place. Whatever is done, a reader gets the
 * right answer or a typed error, and the other collections stay whole.
 *
 * What SQLite keeps without checksums cannot be noticed by reading alone: a damaged index of ids or of text
 * may miss a record, and a block that was put back from an earlier time may show a record's former content.
 * Whoever looks with `verify` must find each of these. A whole file, or a write-ahead log, of an earlier
 * time is that earlier time: what it shows must be one acknowledged state, not a mixture.
 */
import { cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Backend, CollectionScope, Space } from '../../src/api/index.ts';
import { seededRandom } from '../../src/base/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { LocalBackend } from '../../src/engine/local-backend.ts';
import { batchOf, deleteRequest } from '../support/batches.ts';
import { makeCollection } from '../support/database.ts';
import { SMALL_INDEX } from '../support/kept-cells.ts';
import { makeFleetingDirectory } from '../support/temporary.ts';
import {
  type Answer,
  answerByIndex,
  answerOf,
  attempt,
  attemptRead,
  DAMAGES,
  pick,
  recordOf,
  wholeAnswer,
} from './damages.ts';
import { Rounds } from './rounds.ts';

/** Mutations in every run of the tests. */
const rounds = Rounds.inHalves(600, 20_261_128);
const SPACES: readonly Space[] = ['l2', 'cosine', 'ip'];
const RECORD_COUNTS = [60, 150, 12];

/** The same files for a seed, down to the identifiers of the collections. */
const random = seededRandom(rounds.seed);

function open(path: string): Promise<Backend> {
  return openDatabase({ path, threads: 0, durability: 'relaxed' }, { indexTuning: SMALL_INDEX, random });
}

/** A database as a kill would leave it `before` and `after` some changes, and `closed` after them. */
interface Golden {
  readonly root: string;
  readonly scopes: readonly CollectionScope[];
  /** For each collection what it answered after each of its writes, the latest last. */
  readonly answers: readonly Answer[][];
}

let golden: Golden;

beforeAll(async () => {
  const root = makeFleetingDirectory();
  const live = join(root, 'live');
  const backend = await open(live);
  const scopes: CollectionScope[] = [];
  const answers: Answer[][] = [];
  for (const [i, space] of SPACES.entries()) {
    const scope = await makeCollection(backend, `tiles-${i}`, space);
    // Much of the catalogue's file shall be something that can be told from something else.
    await backend.updateCollection(scope, { metadata: JSON.stringify({ about: `tiles ${i} `.repeat(200) }) });
    scopes.push(scope);
    const records = Array.from({ length: RECORD_COUNTS[i]! }, (_, r) => recordOf(r, 0));
    await backend.add(scope, batchOf(...records));
    if (backend instanceof LocalBackend) backend.noteTextIndexWanted(scope);
    await backend.settle(scope);
    answers.push([await answerOf(backend, scope)]);
  }
  cpSync(live, join(root, 'before'), { recursive: true });
  for (const [i, scope] of scopes.entries()) {
    await backend.upsert(scope, batchOf(...[1, 4, 9].map((r) => recordOf(r, 1))));
    answers[i]!.push(await answerOf(backend, scope));
    await backend.delete(scope, deleteRequest({ ids: ['record-5', 'record-10'] }));
    answers[i]!.push(await answerOf(backend, scope));
  }
  cpSync(live, join(root, 'after'), { recursive: true });
  await backend.close();
  cpSync(live, join(root, 'closed'), { recursive: true });
  golden = { root, scopes, answers };
});

afterAll(() => rmSync(golden.root, { recursive: true, force: true }));

interface Figures {
  right: number;
  refused: number;
  earlier: number;
  foundByVerify: number;
  byDamage: Record<string, number>;
}

/** Judges what one collection answers. Throws where it is wrong and nothing says so. */
async function judge(
  backend: Backend,
  index: number,
  isOldAllowed: boolean,
  figures: Figures,
): Promise<'right' | 'refused' | 'earlier' | 'found'> {
  const scope = golden.scopes[index]!;
  // Who was refused asks again: a second question must not be answered by what the first has left behind.
  const first = await attempt(() => wholeAnswer(backend, scope));
  const whole = first ?? (await attempt(() => wholeAnswer(backend, scope)));
  const byIndex = await attempt(() => answerByIndex(backend, scope));
  if (whole === null || byIndex === null) {
    figures.refused++;
    return 'refused';
  }
  const answers = golden.answers[index]!;
  const found = answers.findIndex((answer) => answer.whole === whole && answer.byIndex === byIndex);
  if (found === answers.length - 1) {
    figures.right++;
    return 'right';
  }
  if (isOldAllowed && found !== -1) {
    figures.earlier++;
    return 'earlier';
  }
  const report = await attempt(() => backend.verify(scope));
  expect({ index, whole, faults: report?.faultCount }).not.toEqual({ index, whole, faults: 0 });
  figures.foundByVerify++;
  return 'found';
}

/** Damages one file of a copy and judges what is left of it. */
async function damageAndJudge(round: number, chance: () => number, figures: Figures): Promise<void> {
  const kinds = Object.keys(DAMAGES);
  const kind = kinds[round % kinds.length]!;
  const source = chance() < 0.5 ? 'closed' : 'after';
  const path = join(golden.root, 'damaged');
  rmSync(path, { recursive: true, force: true });
  cpSync(join(golden.root, source), path, { recursive: true });
  const files = readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.sqlite3(-wal)?$/.test(name))
    .sort();
  const file = files[pick(files.length, chance)]!;
  const read = (folder: string, name: string): Buffer | null => attemptRead(join(golden.root, folder, name));
  const former = read('before', file) ?? Buffer.alloc(0);
  // Nothing ties a log to its file, so that a foreign one is replayed: only whole files change places.
  const others = files.filter((name) => name.endsWith('.sqlite3'));
  const another = file.endsWith('-wal') ? former : read(source, others[pick(others.length, chance)]!)!;
  const bytes = DAMAGES[kind]!(read(source, file)!, chance, { former, another });
  if (bytes === null) rmSync(join(path, file));
  else writeFileSync(join(path, file), bytes);

  const owner = golden.scopes.findIndex(({ collectionId }) => file.includes(collectionId));
  const about = `${kind}: ${file} of ${source}, round ${round} (seed ${rounds.seed})`;
  const backend = await attempt(() => open(path));
  try {
    for (const index of golden.scopes.keys()) {
      if (backend === null) {
        expect(owner, `${about}: a collection's file keeps nobody from opening the others`).toBe(-1);
        figures.refused++;
        continue;
      }
      const isOwner = owner === -1 || owner === index;
      // A log whose end is not to be believed ends earlier, as after a power cut.
      const isOldAllowed = isOwner && (file.endsWith('-wal') || kind === 'the file is of an earlier time');
      const verdict = await judge(backend, index, isOldAllowed, figures).catch((error) => {
        throw new Error(about, { cause: error });
      });
      if (!isOwner) expect(verdict, `${about}: another collection is whole`).toBe('right');
      if (verdict !== 'right')
        figures.byDamage[`${kind}: ${verdict}`] = (figures.byDamage[`${kind}: ${verdict}`] ?? 0) + 1;
    }
  } finally {
    await backend?.close();
  }
}

test(`${rounds.title} damages: the right answer, a typed error, or a fault that verify finds`, {
  timeout: rounds.timeout,
}, async () => {
  const chance = rounds.chance();
  const figures: Figures = { right: 0, refused: 0, earlier: 0, foundByVerify: 0, byDamage: {} };
  for (const round of rounds) await damageAndJudge(round, chance, figures);
  // Were nothing refused, nothing would have been damaged.
  expect(figures.refused).toBeGreaterThan(rounds.done / 10);
  rounds.report({ mutations: rounds.done, silentlyWrong: 0, ...figures });
});
