/**
 * Loaded before the program into a process and all of its threads (`NODE_OPTIONS=--require …`, beside the
 * option `--expose-gc`): collects garbage in each of them every ten seconds and writes the line
 * `memory THREAD BYTES BYTES` to the standard error: what is reachable then, as objects and buffers, and as
 * memories of WebAssembly and the like.
 * Neither that nor the resident memory depends any more on when the engine would have collected.
 */
const { writeSync } = require('node:fs');
const { threadId } = require('node:worker_threads');

const EVERY_MS = 10_000;
const STANDARD_ERROR = 2;

setInterval(() => {
  globalThis.gc();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  const objects = heapUsed + arrayBuffers;
  writeSync(STANDARD_ERROR, `memory ${threadId} ${objects} ${external - arrayBuffers}\n`);
}, EVERY_MS).unref();
