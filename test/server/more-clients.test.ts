/**
 * Further versions of `chromadb`, over a socket: the last of 1.x, an early and the last of 2.x, an early 3.x.
 * All of them speak API v2.
 *
 * They are installed for the test from `more-clients/`, in continuous integration, or when `CLIENTS` is set:
 * they take 29 MB, and would take 750 with the models that they offer to load.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../../src/api/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { createServer, type Listener, listen } from '../../src/server/index.ts';
import { embeddingFunction, type OldClient, testOldClient } from './old-client-suite.ts';

type ClientClass = new (options: Record<string, unknown>) => OldClient;

const IS_ASKED_FOR = process.env['CI'] !== undefined || process.env['CLIENTS'] !== undefined;

let folder: string;
let backend: Backend;
let listener: Listener;
const classes = new Map<string, ClientClass>();

/** Paths that were asked for. */
const paths: string[] = [];

function connect(name: string): OldClient {
  return new (classes.get(name)!)({ path: listener.url });
}

// Without the clients there is nothing to test.
describe.runIf(IS_ASKED_FOR)('chromadb', () => {
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'tessera-clients-'));
    cpSync(fileURLToPath(new URL('./more-clients/', import.meta.url)), folder, { recursive: true });
    const words = [
      'ci',
      '--ignore-scripts',
      '--legacy-peer-deps',
      '--omit=optional',
      '--no-audit',
      '--no-fund',
    ];
    execFileSync('npm', words, { cwd: folder, stdio: 'pipe' });
    const resolve = createRequire(path.join(folder, 'package.json')).resolve;
    for (const name of ['chromadb-1-10', 'chromadb-2-0', 'chromadb-2-4', 'chromadb-3-0']) {
      const { ChromaClient } = await import(pathToFileURL(resolve(name)).href);
      classes.set(name, ChromaClient);
    }
    backend = await openDatabase({ threads: 0, allowReset: true });
    const server = createServer(backend, {
      log: ({ event, path: requested }) => {
        if (event === 'request') paths.push(String(requested));
      },
    });
    listener = await listen(server, { port: 0 });
  }, 120_000);

  afterAll(async () => {
    await listener?.close();
    await backend?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  describe.each([
    ['1.10.5', 'chromadb-1-10', 'v2'],
    ['2.0.1', 'chromadb-2-0', 'v2'],
    ['2.4.6', 'chromadb-2-4', 'v2'],
  ])('%s', (_, name, api) => {
    testOldClient(
      () => connect(name),
      () => undefined,
    );

    test(`speaks API ${api}`, () => {
      expect(new Set(paths.splice(0).map((requested) => requested.split('/')[2]))).toEqual(new Set([api]));
    });
  });

  test('3.0.17 adds, finds and deletes', async () => {
    const client = connect('chromadb-3-0');
    const collection = await client.createCollection({ name: 'early', embeddingFunction });
    await collection.add({
      ids: ['1', '2'],
      documents: ['orange', 'lemon'],
      metadatas: [{ n: 1 }, { n: 2 }],
    });
    expect(await collection.count()).toBe(2);
    expect((await collection.query({ queryTexts: ['oranges'], nResults: 1 }))['ids']).toEqual([['1']]);
    expect((await collection.get({ where: { n: { $gt: 1 } } }))['ids']).toEqual(['2']);
    await collection.delete({ ids: ['1'] });
    expect((await collection.get())['ids']).toEqual(['2']);
    await client.deleteCollection({ name: 'early' });
  });
});
