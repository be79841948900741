/**
 * What becomes of data when a server of the protocol is killed, written to over and over, told to delete,
 * or started twice on one directory: Tessera, and with `--peer COMMAND` another server, by the same script.
 *
 *   npm run bench -- reliability [--kills 15] [--peer 'COMMAND {port} {dir}'] [--json FILE]
 *
 * Four clients upsert batches of 20 records each until the server is killed (SIGKILL, at a random moment),
 * and the next server on the same directory is asked for everything that was acknowledged: by id, by
 * number, and each tenth record by its own embedding. Then 2,000 records are upserted ten times as they are
 * (chroma#2143); half of them is deleted, the server stopped, and its files searched for their texts and
 * embeddings (chroma#7659); last, a second server is started beside the first, and asked for what the first
 * was told.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { seededNumbers } from '../dist/base/index.js';
import { Connection, encode, freePort, SCOPE } from './http-server.mjs';
import { directoryBytes, median, now, tell, withDirectory } from './measure.mjs';

export const title = 'Reliability, beside a peer';

const OWN_COMMAND = `${process.execPath} ${fileURLToPath(new URL('../dist/cli.js', import.meta.url))} run --path {dir} --port {port}`;
const SEED = 20_261_135;
const CLIENTS = 4;
const BATCH = 20;
const DIMENSION = 64;
const LIFE_MS_MIN = 300;
const LIFE_MS_MAX = 2_000;
const RECORDS = 2_000;
/** What a server may do in its own time is given this long. */
const PAUSE_MS = 5_000;

/** A server on a directory, in a process group of its own, so that all of it can be killed. */
async function start(command, directory) {
  const port = await freePort();
  const words = command.replace('{port}', port).replace('{dir}', directory).split(' ');
  const begun = now();
  const child = spawn(words[0], words.slice(1), { stdio: 'ignore', detached: true });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const base = `http://127.0.0.1:${port}`;
  while (!(await fetch(`${base}/api/v2/heartbeat`).catch(() => null))?.ok) {
    if (child.exitCode !== null || now() - begun > 60_000) throw new Error(`${words[0]} did not start.`);
    await sleep(10);
  }
  const signal = async (name) => {
    process.kill(-child.pid, name);
    await ended;
  };
  const connection = new Connection(base);
  const kill = () => signal('SIGKILL');
  /** Asks it to end; one that does not hear of it is killed. */
  const stop = async () => {
    connection.close();
    const isGone = await Promise.race([signal('SIGTERM').then(() => true), sleep(PAUSE_MS, false)]);
    if (!isGone) await kill();
  };
  return { connection, startMs: now() - begun, stop, kill };
}

const post = (server, path, body) =>
  server.connection.request('POST', `${SCOPE}/collections${path}`, encode(body));

async function collectionId(server) {
  return (await post(server, '', { name: 'records', get_or_create: true })).id;
}

function recordsOf(ids, version, chance) {
  return {
    ids,
    embeddings: ids.map(() => Array.from({ length: DIMENSION }, () => Math.fround(chance() - 0.5))),
    documents: ids.map((id) => `The text of ${id}, version ${version}. ${'More words of it. '.repeat(8)}`),
    metadatas: ids.map(() => ({ version })),
  };
}

/** One client: upserts until the server is gone; notes what was acknowledged. */
async function writeUntilKilled(server, id, client, progress, chance) {
  for (;;) {
    const batch = progress.batch++;
    const ids = Array.from({ length: BATCH }, (_, i) => `${client}-${batch % 50}-${i}`);
    const records = recordsOf(ids, batch, chance);
    try {
      await post(server, `/${id}/upsert`, records);
    } catch {
      return;
    }
    progress.acknowledged.set(batch % 50, { version: batch, embeddings: records.embeddings });
  }
}

/** Asks a restarted server for all that was acknowledged. */
async function examine(server, id, clients, found) {
  for (const [client, { acknowledged }] of clients.entries()) {
    for (const [key, { version, embeddings }] of acknowledged) {
      const ids = Array.from({ length: BATCH }, (_, i) => `${client}-${key}-${i}`);
      const { ids: stored, metadatas } = await post(server, `/${id}/get`, { ids, include: ['metadatas'] });
      const versions = ids.map((each) => metadatas[stored.indexOf(each)]?.version ?? -1);
      found.lost += versions.filter((each) => each < version).length;
      if (new Set(versions).size > 1) found.partial++;
      // A batch that was under way at a kill may be stored, and then has other embeddings.
      if (versions[0] !== version || key % 10 !== 0) continue;
      const query = { query_embeddings: [embeddings[0]], n_results: 1, include: ['distances'] };
      const answer = await post(server, `/${id}/query`, query);
      found.asked++;
      if (answer.ids[0][0] !== ids[0]) found.unfound++;
    }
  }
}

async function killLoop(command, directory, kills) {
  const chance = seededNumbers(SEED);
  const found = { lost: 0, partial: 0, unfound: 0, asked: 0, batches: 0, startsMs: [], unanswered: 0 };
  const clients = Array.from({ length: CLIENTS }, () => ({
    batch: 0,
    acknowledged: new Map(),
  }));
  for (let kill = 0; kill <= kills; kill++) {
    const server = await start(command, directory);
    const id = await collectionId(server);
    if (kill > 0) {
      found.startsMs.push(server.startMs);
      await examine(server, id, clients, found).catch(() => found.unanswered++);
    }
    if (kill === kills) {
      await server.stop();
      break;
    }
    const before = clients.reduce((total, { batch }) => total + batch, 0);
    const writing = clients.map((client, i) => writeUntilKilled(server, id, i, client, chance));
    await sleep(LIFE_MS_MIN + chance() * (LIFE_MS_MAX - LIFE_MS_MIN));
    await server.kill();
    await Promise.all(writing);
    server.connection.close();
    found.batches += clients.reduce((total, { batch }) => total + batch, 0) - before - CLIENTS;
  }
  return found;
}

/** Whether a file of a directory holds any of some byte strings; how many of them. */
function countInFiles(directory, needles) {
  const names = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const files = names.map(({ parentPath, name }) => readFileSync(join(parentPath, name)));
  return needles.filter((needle) => files.some((file) => file.includes(needle))).length;
}

async function churnAndErase(command, directory) {
  let server = await start(command, directory);
  const id = await collectionId(server);
  const ids = Array.from({ length: RECORDS }, (_, i) => `record-${i}`);
  const records = recordsOf(ids, 0, seededNumbers(SEED));
  const batchOf = (start) =>
    Object.fromEntries(
      Object.entries(records).map(([name, column]) => [name, column.slice(start, start + 100)]),
    );
  const sizes = [];
  for (let turn = 0; turn < 10; turn++) {
    for (let i = 0; i < RECORDS; i += 100) await post(server, `/${id}/upsert`, batchOf(i));
    await sleep(PAUSE_MS / 5);
    sizes.push(directoryBytes(directory));
  }
  await server.stop();
  const stoppedBytes = directoryBytes(directory);
  server = await start(command, directory);
  const victims = ids.slice(0, RECORDS / 2);
  for (let i = 0; i < victims.length; i += 100) {
    await post(server, `/${id}/delete`, { ids: victims.slice(i, i + 100) });
  }
  await sleep(PAUSE_MS);
  await server.stop();
  const texts = victims.map((_, i) => Buffer.from(records.documents[i]));
  const embeddings = victims.map((_, i) => Buffer.from(Float32Array.from(records.embeddings[i]).buffer));
  return {
    firstBytes: sizes[0],
    lastBytes: sizes.at(-1),
    stoppedBytes,
    textsFound: countInFiles(directory, texts),
    embeddingsFound: countInFiles(directory, embeddings),
  };
}

async function secondServer(command, directory) {
  const first = await start(command, directory);
  const id = await collectionId(first);
  await post(first, `/${id}/upsert`, recordsOf(['one'], 0, seededNumbers(1)));
  const second = await start(command, directory).catch(() => null);
  if (second === null) {
    await first.stop();
    return { get: 'does not start', query: 'does not start' };
  }
  const seen = { get: 0, query: 0 };
  const rounds = 50;
  const chance = seededNumbers(2);
  for (let i = 0; i < rounds; i++) {
    const records = recordsOf([`late-${i}`], i, chance);
    await post(first, `/${id}/upsert`, records);
    const got = await post(second, `/${id}/get`, { ids: records.ids, include: [] });
    if (got.ids.length === 1) seen.get++;
    const query = { query_embeddings: records.embeddings, n_results: 1, include: [] };
    const found = await post(second, `/${id}/query`, query).catch(() => null);
    if (found?.ids[0][0] === records.ids[0]) seen.query++;
  }
  await Promise.all([first.stop(), second.stop()]);
  return { get: `${seen.get} of ${rounds}`, query: `${seen.query} of ${rounds}` };
}

async function measure(command, kills) {
  const server = await withDirectory(async (directory) => {
    const opened = await start(command, directory);
    const version = await opened.connection.request('GET', '/api/v2/version');
    await opened.stop();
    return version;
  });
  tell(`${server}: kills`);
  const killed = await withDirectory((directory) => killLoop(command, directory, kills));
  tell(`${server}: churn and erasure`);
  const churned = await withDirectory((directory) => churnAndErase(command, directory));
  tell(`${server}: second server`);
  const shared = await withDirectory((directory) => secondServer(command, directory));
  return {
    version: server,
    'kills, and batches acknowledged before them': `${kills}, ${killed.batches}`,
    'restarts after which a question was refused': killed.unanswered,
    'records acknowledged and lost': killed.lost,
    'batches stored in part': killed.partial,
    'records not found by their own embedding': `${killed.unfound} of ${killed.asked}`,
    'from start to first answer, median, s': median(killed.startsMs) / 1_000,
    'files after ten identical upserts, times the first': churned.lastBytes / churned.firstBytes,
    'files after ten identical upserts, MB': churned.lastBytes / 1e6,
    'the same once the server has stopped, MB': churned.stoppedBytes / 1e6,
    'deleted texts in the files': `${churned.textsFound} of ${RECORDS / 2}`,
    'deleted embeddings in the files': `${churned.embeddingsFound} of ${RECORDS / 2}`,
    'writes that a second server sees at once by id': shared.get,
    'writes that a second server sees at once by query': shared.query,
  };
}

export async function run({ kills = '15', peer }) {
  const own = await measure(OWN_COMMAND, Number(kills));
  const other = peer === undefined ? null : await measure(peer, Number(kills));
  const rows = Object.entries(own).map(([name, value]) => ({
    measure: name,
    tessera: value,
    ...(other === null ? {} : { peer: other[name] }),
  }));
  return { rows };
}
