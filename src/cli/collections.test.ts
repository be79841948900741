import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { batchOf } from '../../test/support/batches.ts';
import { makeCollection, openTestDatabase } from '../../test/support/database.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { type Backend, type CollectionScope, DEFAULT_SETTINGS } from '../api/index.ts';
import { absorbText } from '../maintenance/index.ts';
import { RecordStore } from '../records/index.ts';
import { TextIndex } from '../text/index.ts';
import { main } from './main.ts';

interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

async function run(...args: readonly string[]): Promise<Outcome> {
  const texts = { out: [] as string[], err: [] as string[] };
  const status = await main(args, {
    env: {},
    out: (text) => void texts.out.push(text),
    err: (text) => void texts.err.push(text),
    stopped: new Promise<string>(() => {}),
  });
  return { status, out: texts.out.join('\n'), err: texts.err.join('\n') };
}

/** A directory with two collections, which stays open meanwhile. */
async function prepare(): Promise<{ path: string; backend: Backend; films: CollectionScope }> {
  const path = temporaryDirectory();
  const backend = await openTestDatabase({ path });
  const films = await makeCollection(backend, 'films');
  await makeCollection(backend, 'nothing-yet');
  const records = ['alien', 'heat', 'ran'].map((id, i) => ({
    id,
    embedding: [i, 1],
    document: `A text about ${id}`,
  }));
  await backend.add(films, batchOf(...records));
  return { path, backend, films };
}

/** Works on a collection's file behind everybody's back. */
function tamper(path: string, { collectionId }: CollectionScope, work: (store: RecordStore) => void): void {
  const file = join(path, 'collections', `${collectionId}.sqlite3`);
  const store = RecordStore.open({ ...DEFAULT_SETTINGS, path: file });
  work(store);
  store.close();
}

describe('verify', () => {
  test('says of each collection that it is sound, while somebody writes to it', async () => {
    const { path, backend, films } = await prepare();
    const writing = backend.add(films, batchOf({ id: 'late', embedding: [5, 5] }));
    expect(await run('verify', path)).toEqual({
      status: 0,
      out: expect.stringMatching(/^films: [34] records, sound\nnothing-yet: 0 records, sound$/),
      err: '',
    });
    await writing;
  });

  test('shows faults, and tells by its status that there are any', async () => {
    const { path, films } = await prepare();
    tamper(path, films, ({ database }) => database.exec(`UPDATE records SET uri = 'x' WHERE id = 'heat'`));
    const { status, out } = await run('verify', path);
    expect(status).toBe(1);
    expect(out).toMatch(
      /^films: 3 records, 1 fault\n {2}"heat" \(record\): .*checksum.*\nnothing-yet: .*sound$/,
    );
    expect((await run('verify', path, '--collection', 'nothing-yet')).status).toBe(0);
  });

  test('prints JSON on request', async () => {
    const { path } = await prepare();
    const { status, out } = await run('verify', '--json', path);
    expect([status, JSON.parse(out)]).toEqual([
      0,
      [
        { collection: 'films', recordCount: 3, faultCount: 0, faults: [] },
        { collection: 'nothing-yet', recordCount: 0, faultCount: 0, faults: [] },
      ],
    ]);
  });

  test('goes on after a collection that cannot be opened at all', async () => {
    const { path, backend, films } = await prepare();
    await backend.close();
    writeFileSync(join(path, 'collections', `${films.collectionId}.sqlite3`), 'garbage '.repeat(1000));
    const { status, out } = await run('verify', path);
    expect(status).toBe(1);
    expect(out).toMatch(/^films: .*\n(.*\n)*nothing-yet: 0 records, sound$/);
    expect(out).not.toMatch(/^films: .*sound/);
    expect((await run('stats', path)).status).toBe(1);
  });
});

describe('repair', () => {
  test('makes anew what differs, and says what it did', async () => {
    const { path, films } = await prepare();
    tamper(path, films, (store) => {
      while (absorbText(store, true));
      store.write(() => TextIndex.open(store.database)!.remove(2));
    });
    expect((await run('verify', path)).out).toMatch(/"heat" \(text\): The text index holds no document/);
    const { status, out } = await run('repair', path, '--collection=films');
    expect([status, out]).toEqual([0, 'films: 3 records, 1 fault, 3 entries made anew, none left']);
    expect((await run('verify', path)).status).toBe(0);
  });

  test('leaves damaged records to people, and says so by its status', async () => {
    const { path, films } = await prepare();
    tamper(path, films, ({ database }) => database.exec(`UPDATE records SET uri = 'x' WHERE id = 'heat'`));
    const { status, out } = await run('repair', path, '--json');
    expect(status).toBe(1);
    expect(JSON.parse(out)[0]).toMatchObject({ collection: 'films', after: { faultCount: 1 } });
  });

  test('saves what can be read of a damaged collection on request, and lists what is lost', async () => {
    const { path, films } = await prepare();
    tamper(path, films, ({ database }) => database.exec(`UPDATE records SET uri = 'x' WHERE id = 'heat'`));
    const { status, out } = await run('repair', path, '--salvage');
    expect(status).toBe(1);
    expect(out).toMatch(
      /^films: 3 records, 1 fault,.*\n.*\n {2}2 records saved in films-salvaged, 1 lost:\n/,
    );
    expect(out).toMatch(/\n {4}"heat" \(row 2\): .*checksum.*\nnothing-yet: 0 records, sound$/);
    expect((await run('verify', path, '--collection', 'films-salvaged')).status).toBe(0);
    expect((await run('repair', path, '--salvage', '--collection=films')).out).toMatch(/already exists/);
    const sound = await run('repair', path, '--salvage', '--json', '--collection=films-salvaged');
    expect([sound.status, JSON.parse(sound.out)[0].salvage]).toEqual([0, null]);
  });

  test('saves what is in a file that cannot be opened', async () => {
    const { path, films } = await prepare();
    tamper(path, films, ({ database }) => database.exec('UPDATE state SET record_count = 9'));
    const { out } = await run('repair', path, '--salvage', '--collection=films');
    expect(out).toMatch(/3 records saved in films-salvaged, 0 lost$/);
  });

  test('makes no database of a directory that is none', async () => {
    const path = join(temporaryDirectory(), 'misspelt');
    expect(await run('repair', path)).toMatchObject({ status: 1, err: expect.stringMatching(/no database/) });
    expect(existsSync(path)).toBe(false);
  });
});

describe('stats', () => {
  test('shows what the collections hold', async () => {
    const { path } = await prepare();
    const { status, out } = await run('stats', path);
    expect(status).toBe(0);
    expect(out).toMatch(
      /^films\n {2}records {5}3 of 2 dimensions\n {2}changes {5}3\n {2}file {8}[\d.]+ KB\n/,
    );
    expect(out).toMatch(/text index {2}none\n {2}recall {6}0\.99\nnothing-yet\n {2}records {5}0\n/);
    const json = await run('stats', path, '--json', '--collection', 'films');
    expect(JSON.parse(json.out)).toMatchObject([{ collection: 'films', recordCount: 3, sequence: 3 }]);
  });
});

describe('all of them', () => {
  test.each(['verify', 'repair', 'stats'])(
    '%s tells what does not exist, and what makes no sense',
    async (name) => {
      const { path } = await prepare();
      const cases = [
        [[path, '--collection', 'nope'], 1, /Collection \[nope\] does not exist/],
        [[path, '--database', 'nope'], 1, /Database \[nope\] not found/],
        [[], 2, /Expected PATH, got nothing\./],
        [[path, 'more'], 2, /Expected PATH, got .* more\./],
        [[path, '--colection', 'x'], 2, /Did you mean --collection\?/],
      ] as const;
      for (const [args, status, message] of cases) {
        const outcome = await run(name, ...args);
        expect([args, outcome.status]).toEqual([args, status]);
        expect(outcome.err).toMatch(message);
      }
      const help = await run(name, '--help');
      expect(help).toMatchObject({
        status: 0,
        out: expect.stringContaining(`tessera ${name} PATH [OPTIONS]`),
      });
    },
  );

  test('say that there are no collections', async () => {
    const path = temporaryDirectory();
    await openTestDatabase({ path });
    expect(await run('verify', path)).toMatchObject({ status: 0, out: 'There are no collections.' });
  });
});
