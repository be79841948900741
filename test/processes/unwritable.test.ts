/** A directory in which nothing can be written: all of it is read, and none of an earlier time. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, cpSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Backend } from '../../src/api/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { batchOf } from '../support/batches.ts';
import { makeCollection, openTestDatabase, SCOPE } from '../support/database.ts';
import { programPath } from '../support/programs.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const READER = programPath('reader');
const NOBODY = 65_534;

/** Takes the right to write from a directory and all in it, or gives it back. */
function setWritable(path: string, isWritable: boolean): void {
  for (const name of ['', ...readdirSync(path, { recursive: true, encoding: 'utf8' })]) {
    const entry = join(path, name);
    const mode = statSync(entry).isDirectory() ? 0o555 : 0o444;
    chmodSync(entry, isWritable ? mode | 0o200 : mode);
  }
}

/** A process that may not write; `ask` names a collection and gives what it finds there. */
class Reader {
  readonly #child: ChildProcess;
  readonly #answers: ((line: string) => void)[] = [];

  constructor(path: string) {
    this.#child = spawn(process.execPath, [READER, path, String(NOBODY)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#answers.shift()?.(line));
    onTestFinished(() => {
      this.#child.kill('SIGKILL');
    });
  }

  ask(name: string): Promise<unknown> {
    return new Promise((resolve) => {
      this.#answers.push((line) => resolve(JSON.parse(line)));
      this.#child.stdin!.write(`${name}\n`);
    });
  }
}

async function fill(backend: Backend): Promise<void> {
  const tiles = await makeCollection(backend, 'tiles');
  await makeCollection(backend, 'empty');
  await backend.add(tiles, batchOf({ id: 'a', embedding: [1, 1] }, { id: 'b', embedding: [5, 5] }));
}

/** A directory that everybody may reach. */
function reachable(): string {
  const parent = temporaryDirectory();
  chmodSync(parent, 0o755);
  const path = join(parent, 'data');
  onTestFinished(() => setWritable(path, true));
  return path;
}

const WHOLE = { ids: ['a', 'b'], nearest: ['a', 'b'], faultCount: 0 };
const EMPTY = { ids: [], nearest: [], faultCount: 0 };

// Windows has other rights.
describe.skipIf(process.platform === 'win32')('a directory in which nothing can be written', () => {
  it('is read whole once it was closed, and stays as it was', async () => {
    const path = reachable();
    const backend = await openDatabase({ path, threads: 0 });
    await fill(backend);
    await backend.close();
    setWritable(path, false);
    const before = readdirSync(path, { recursive: true });
    const reader = new Reader(path);
    expect([await reader.ask('tiles'), await reader.ask('empty')]).toEqual([WHOLE, EMPTY]);
    expect(readdirSync(path, { recursive: true })).toEqual(before);
  });

  it('is read whole with the logs that a process left which died', async () => {
    const path = reachable();
    const source = join(temporaryDirectory(), 'source');
    const backend = await openTestDatabase({ path: source });
    await fill(backend);
    cpSync(source, path, { recursive: true, filter: (name) => !name.endsWith('-shm') });
    expect(readdirSync(join(path, 'collections')).some((name) => name.endsWith('-wal'))).toBe(true);
    setWritable(path, false);
    const reader = new Reader(path);
    expect([await reader.ask('tiles'), await reader.ask('empty')]).toEqual([WHOLE, EMPTY]);
  });

  it('shows what somebody wrote who may, or says that it changed', async () => {
    const path = reachable();
    const backend = await openDatabase({ path, threads: 0 });
    await fill(backend);
    await backend.close();
    setWritable(path, false);
    const reader = new Reader(path);
    expect(await reader.ask('tiles')).toEqual(WHOLE);
    setWritable(path, true);
    const writer = await openDatabase({ path, threads: 0 });
    const { id: collectionId } = await writer.getCollection(SCOPE, 'tiles');
    await writer.add({ ...SCOPE, collectionId }, batchOf({ id: 'c', embedding: [1, 1] }));
    await writer.close();
    setWritable(path, false);
    const answer = (await reader.ask('tiles')) as { ids?: string[]; code?: string };
    expect(answer.code ?? answer.ids).toEqual(answer.code === undefined ? ['a', 'b', 'c'] : 'TESSERA_IO');
    expect(await new Reader(path).ask('tiles')).toMatchObject({ ids: ['a', 'b', 'c'] });
  });
});
