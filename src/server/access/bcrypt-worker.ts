/**
 * The program of the thread that checks bcrypt hashes: a check takes 50 ms or more, which no loop can spare.
 */
import { parentPort } from 'node:worker_threads';
import { compareSync } from 'bcryptjs';
import { assert } from '../../base/index.ts';

const port = parentPort;
assert(port !== null, 'The bcrypt program was started outside a worker thread.');
port.on('message', ({ id, password, hash }: { id: number; password: string; hash: string }) => {
  port.postMessage({ id, isMatch: compareSync(password, hash) });
});
