/**
 * What the benchmarks measure with: turns and medians, children with memory of their own, sizes of processes
 * and of directories.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os, { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('./child.mjs', import.meta.url));

/** Milliseconds of a clock that only goes forward. */
export const now = () => performance.now();

/** The value that the share `q` of the values is not above. */
export function quantile(values, q) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
}

export const median = (values) => quantile(values, 0.5);

/**
 * Milliseconds of each work, the median of its turns. The works take turns, so that what the machine's
 * neighbours do meets all of them; `work(turn)` may be a promise. The first turns, with negative numbers,
 * are for warming and are not counted.
 */
export async function timeInTurns(works, turns, warmTurns = 1) {
  const times = works.map(() => []);
  for (let turn = -warmTurns; turn < turns; turn++) {
    for (const [i, work] of works.entries()) {
      const start = now();
      await work(turn);
      if (turn >= 0) times[i].push(now() - start);
    }
  }
  return times.map(median);
}

/**
 * Calls `task(argument)` of the module in a new Node process and gives what it returns, as JSON: for
 * measures of memory and of opening, and to pin a side to one core.
 *
 * `core` pins the child to that core (`taskset`, where there is one); `flags` are Node's.
 */
export async function inChild(moduleUrl, task, argument, { core, flags = [] } = {}) {
  const words = [process.execPath, ...flags, CHILD, moduleUrl, task];
  if (core !== undefined && hasTaskset()) words.unshift('taskset', '-c', String(core));
  const child = spawn(words[0], words.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal)));
  child.stdin.end(JSON.stringify(argument));
  let text = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) text += chunk;
  const code = await ended;
  if (code !== 0) throw new Error(`The child for '${task}' ended with ${code}.`);
  return JSON.parse(text);
}

let isTasksetKnown;
function hasTaskset() {
  isTasksetKnown ??= spawnSync('taskset', ['--version']).status === 0;
  return isTasksetKnown;
}

/** Bytes of memory of a process, by default this one: resident now and at most; none where unknown. */
export function processMemory(pid = 'self') {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const bytes = (name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]) * 1024;
    return { resident: bytes('VmRSS'), peak: bytes('VmHWM') };
  } catch {
    return {};
  }
}

/** Bytes that the files of a directory take on the disk. */
export function directoryBytes(directory) {
  const entries = readdirSync(directory, { recursive: true }).map((name) =>
    lstatSync(path.join(directory, name)),
  );
  return entries.reduce((total, entry) => total + entry.blocks * 512, 0);
}

/** Calls `work` with a new directory, which is removed afterwards whatever happens. */
export async function withDirectory(work) {
  const directory = mkdtempSync(path.join(tmpdir(), 'tessera-bench-'));
  try {
    return await work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Tells on the error stream how far a long benchmark has come; the table goes to the other. */
export function tell(text) {
  process.stderr.write(`  ${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

/** Pages that are touched to learn what one costs. */
const TOUCHED = 4_096;
const PAGE_BYTES = 4_096;

/**
 * Microseconds that the first write to a page of memory takes. On a machine of its own it is a part of one;
 * under some hypervisors sixteen, and then memory that is new, as when a store is opened or filled, is what
 * costs.
 */
function touchCost() {
  const bytes = new Uint8Array(TOUCHED * PAGE_BYTES);
  const start = now();
  for (let at = 0; at < bytes.length; at += PAGE_BYTES) bytes[at] = 1;
  return Number(((1_000 * (now() - start)) / TOUCHED).toFixed(2));
}

/** The machine, Node, the commit and the date: what a reader needs to judge a result. */
export function describeMachine() {
  const git = (...words) => {
    try {
      return execFileSync('git', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    } catch {
      return null;
    }
  };
  const commit = git('rev-parse', '--short', 'HEAD');
  const isChanged = git('status', '--porcelain', '--', 'src') !== '';
  return {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.cpus().length,
    memoryMb: Math.round(os.totalmem() / 1e6),
    firstTouchUs: touchCost(),
    platform: `${os.platform()} ${os.release()} ${os.arch()}`,
    node: process.version,
    commit: commit === null || isChanged ? `${commit ?? 'none'} with changes` : commit,
    date: new Date().toISOString().slice(0, 10),
  };
}
