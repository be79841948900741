/** Where a client's life takes place: each kind of backend, and what can happen to it there. */
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '../../src/api/index.ts';
import { systemClock } from '../../src/base/index.ts';
import { HttpBackend } from '../../src/client/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import type { IndexTuning } from '../../src/query/index.ts';
import { createServer, type Listener, listen } from '../../src/server/index.ts';
import { backup, restore } from '../../src/transfer/index.ts';
import { BUILT_WORKER } from '../support/database.ts';
import { dropFollowers, SMALL_TUNING, withFile } from '../support/kept-cells.ts';

/**
 * Cells from eight rows on, for a collection of these lives has forty records at most: no cells would be
 * made, kept, lost or searched otherwise. Threads make their indexes themselves, and take no tuning.
 */
const TINY_INDEX: IndexTuning = {
  cells: { ...SMALL_TUNING, startCount: 8, sizeMin: 3 },
  keeper: { lagMin: 2, lagShare: 0 },
};

/** See the top of this file. What cannot happen there is left out. */
export interface Home {
  readonly backend: Backend;
  /** Closes everything and opens it again with other memory. */
  reopen?(memory: number): Promise<void>;
  /** The same without closing, as after a kill. */
  kill?(memory: number): Promise<void>;
  /** Closes, takes away what can be made again, and opens. */
  loseIndexes?(memory: number): Promise<void>;
  /** Backs up what is in use, and goes on with what is restored of that. */
  backUpAndRestore?(memory: number): Promise<void>;
  /** Goes on with another opener of the same directory. */
  changeOpener?(): Promise<void>;
  jumpClock?(ms: number): void;
  leave(): Promise<void>;
}

/** Cells that were taken away, in all lives. */
export let cellsLost = 0;

function cellCountOf(file: string): number {
  return withFile(file, (database) => {
    const hasTable = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'cells'").get() !== undefined;
    return hasTable ? Number(database.prepare('SELECT COUNT(*) FROM cells').get()![0]) : 0;
  });
}

/** How the backend is reached. */
type Way = 'direct' | 'fetch' | 'socket';

/** A database in memory or in a directory, on so many threads. */
class LocalHome {
  readonly #threads: number;
  readonly #way: Way;
  readonly #root: string | null;
  #path: string | null;
  #copyCount = 0;
  #memory: number | null = null;
  /** All openers of the directory; the last one is the one in use. */
  #openers: Backend[] = [];
  #listener: Listener | null = null;
  #clockOffsetMs = 0;
  backend!: Backend;

  constructor(threads: number, isPersistent: boolean, way: Way) {
    this.#threads = threads;
    this.#way = way;
    this.#root = isPersistent ? mkdtempSync(join(tmpdir(), 'tessera-home-')) : null;
    this.#path = this.#root && join(this.#root, '0');
  }

  get isPersistent(): boolean {
    return this.#root !== null;
  }

  /** Whether all that is written is written when a call is answered, so that a copy is what a kill leaves. */
  get canBeKilled(): boolean {
    return this.isPersistent && this.#threads === 0;
  }

  async open(): Promise<void> {
    const clock = {
      nowNs: (): bigint => systemClock.nowNs() + BigInt(Math.round(this.#clockOffsetMs)) * 1_000_000n,
      monotonicMs: (): number => systemClock.monotonicMs(),
    };
    const settings = { path: this.#path, threads: this.#threads, memory: this.#memory };
    const tuning = this.#threads === 0 ? { indexTuning: TINY_INDEX } : {};
    const opened = await openDatabase(settings, { workerUrl: BUILT_WORKER, clock, ...tuning });
    this.#openers.push(opened);
    this.backend = await this.#reached(opened);
  }

  async close(): Promise<void> {
    await this.backend.close();
    await this.#listener?.close();
    this.#listener = null;
    for (const opener of this.#openers.splice(0)) await opener.close();
  }

  async reopen(memory: number): Promise<void> {
    await this.close();
    this.#memory = memory;
    await this.open();
  }

  async kill(memory: number): Promise<void> {
    const next = join(this.#root!, String(++this.#copyCount));
    cpSync(this.#path!, next, { recursive: true });
    await this.close();
    this.#path = next;
    this.#memory = memory;
    await this.open();
  }

  async loseIndexes(memory: number): Promise<void> {
    await this.close();
    const folder = join(this.#path!, 'collections');
    for (const name of readdirSync(folder)) {
      cellsLost += cellCountOf(join(folder, name));
      dropFollowers(join(folder, name));
    }
    this.#memory = memory;
    await this.open();
  }

  async backUpAndRestore(memory: number): Promise<void> {
    const next = join(this.#root!, String(++this.#copyCount));
    const copy = `${next}-backup`;
    await backup({ from: this.#path!, to: copy, archive: this.#copyCount % 2 === 0 });
    await this.close();
    await restore({ from: copy, to: next });
    rmSync(copy, { recursive: true });
    this.#path = next;
    this.#memory = memory;
    await this.open();
  }

  async changeOpener(): Promise<void> {
    if (this.#openers.length === 1) return this.open();
    this.#openers.reverse();
    this.backend = await this.#reached(this.#openers.at(-1)!);
  }

  jumpClock(ms: number): void {
    this.#clockOffsetMs += ms;
  }

  async leave(): Promise<void> {
    await this.close();
    if (this.#root !== null) rmSync(this.#root, { recursive: true, force: true });
  }

  async #reached(opened: Backend): Promise<Backend> {
    if (this.#way === 'direct') return opened;
    const server = createServer(opened);
    if (this.#way === 'fetch') {
      return new HttpBackend({
        baseUrl: 'http://tessera.test',
        headers: {},
        fetch: (request) => server.fetch(request),
      });
    }
    await this.#listener?.close();
    this.#listener = await listen(server, { port: 0 });
    return new HttpBackend({ baseUrl: this.#listener.url, headers: {}, fetch: (request) => fetch(request) });
  }
}

/** Opens a home of a kind. */
async function homeOf(threads: number, isPersistent: boolean, way: Way): Promise<Home> {
  const home = new LocalHome(threads, isPersistent, way);
  await home.open();
  const lasting = {
    reopen: (memory: number) => home.reopen(memory),
    loseIndexes: (memory: number) => home.loseIndexes(memory),
    backUpAndRestore: (memory: number) => home.backUpAndRestore(memory),
    changeOpener: () => home.changeOpener(),
  };
  return {
    get backend() {
      return home.backend;
    },
    ...(home.isPersistent ? lasting : {}),
    ...(home.canBeKilled ? { kill: (memory: number) => home.kill(memory) } : {}),
    ...(threads === 0 ? { jumpClock: (ms: number) => home.jumpClock(ms) } : {}),
    leave: () => home.leave(),
  };
}

/** A kind of home. */
export interface Kind {
  open(): Promise<Home>;
  /** Whether it takes the start of threads to open it, which is as long as a hundred calls. */
  readonly isSlowToOpen: boolean;
}

function kindOf(threads: number, isPersistent: boolean, way: Way): Kind {
  return { open: () => homeOf(threads, isPersistent, way), isSlowToOpen: threads > 0 };
}

/** Every kind of backend that the conformance suite runs on. */
export const HOMES: Readonly<Record<string, Kind>> = {
  'in memory, on the calling thread': kindOf(0, false, 'direct'),
  'in memory, on a worker thread': kindOf(1, false, 'direct'),
  'in a directory, on the calling thread': kindOf(0, true, 'direct'),
  'in a directory, on a worker thread': kindOf(1, true, 'direct'),
  'in a directory, on a writer and two readers': kindOf(3, true, 'direct'),
  'over HTTP without a socket': kindOf(0, true, 'fetch'),
  'over HTTP and a socket': kindOf(0, true, 'socket'),
};
