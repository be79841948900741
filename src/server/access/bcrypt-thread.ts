/**
 * Checks bcrypt hashes on a thread of its own, which is started for the first of them and never keeps the
 * process alive.
 */
import { Worker } from 'node:worker_threads';
import { AssertionError } from '../../base/index.ts';

interface Check {
  readonly resolve: (isMatch: boolean) => void;
  readonly reject: (error: Error) => void;
}

/** See the top of this file. */
export class BcryptThread {
  readonly #url: URL;
  readonly #checks = new Map<number, Check>();
  #worker: Worker | null = null;
  #nextId = 1;

  /** `url` is the built program's. */
  constructor(url: URL) {
    this.#url = url;
  }

  /** Whether a password has this hash. */
  matches(password: string, hash: string): Promise<boolean> {
    const worker = this.#start();
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#checks.set(id, { resolve, reject });
      worker.postMessage({ id, password, hash });
    });
  }

  #start(): Worker {
    if (this.#worker !== null) return this.#worker;
    const worker = new Worker(this.#url, { name: 'tessera-passwords', execArgv: [] });
    const fail = (cause: unknown): void => {
      this.#worker = null;
      const error = new AssertionError('The thread that checks passwords has stopped.', { cause });
      for (const { reject } of this.#checks.values()) reject(error);
      this.#checks.clear();
    };
    worker.on('message', ({ id, isMatch }: { id: number; isMatch: boolean }) => {
      this.#checks.get(id)?.resolve(isMatch);
      this.#checks.delete(id);
    });
    worker.once('error', fail);
    worker.once('exit', (code) => fail(`exit code ${code}`));
    worker.unref();
    this.#worker = worker;
    return worker;
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    await this.#worker?.terminate();
  }
}
