/**
 * Every kind of `Backend` there is, each through the whole suite.
 *
 * Worker threads run built code, so those instances need `npm run build` first; `npm test` does it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Settings } from '../../src/api/index.ts';
import { HttpBackend } from '../../src/client/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { createServer, listen } from '../../src/server/index.ts';
import type { MakeBackend, Opened } from './subject.ts';
import { conformanceSuite } from './suite.ts';

const WORKER_URL = new URL('../../dist/engine/worker.js', import.meta.url);

function local(threads: Settings['threads'], isPersistent: boolean): MakeBackend {
  return async (settings = { allowReset: false }) => {
    const path = isPersistent ? mkdtempSync(join(tmpdir(), 'tessera-conformance-')) : null;
    const backend = await openDatabase({ ...settings, path, threads }, { workerUrl: WORKER_URL });
    const dispose = async (): Promise<void> => {
      await backend.close();
      if (path !== null) rmSync(path, { recursive: true, force: true });
    };
    return { backend, dispose };
  };
}

async function throughFetch(settings?: Pick<Settings, 'allowReset'>): Promise<Opened> {
  const behind = await local(0, false)(settings);
  const server = createServer(behind.backend);
  const fetch = (request: Request): Promise<Response> => server.fetch(request);
  const backend = new HttpBackend({ baseUrl: 'http://tessera.test', headers: {}, fetch });
  const dispose = async (): Promise<void> => {
    await backend.close();
    await behind.dispose();
  };
  return { backend, dispose };
}

async function throughSocket(settings?: Pick<Settings, 'allowReset'>): Promise<Opened> {
  const behind = await local(0, false)(settings);
  const listener = await listen(createServer(behind.backend), { port: 0 });
  const backend = new HttpBackend({ baseUrl: listener.url, headers: {}, fetch: (request) => fetch(request) });
  const dispose = async (): Promise<void> => {
    await backend.close();
    await listener.close();
    await behind.dispose();
  };
  return { backend, dispose };
}

conformanceSuite('in memory, on the calling thread', local(0, false));
conformanceSuite('in memory, on a worker thread', local(1, false));
conformanceSuite('in a directory, on the calling thread', local(0, true));
conformanceSuite('in a directory, on a worker thread', local(1, true));
conformanceSuite('in a directory, on a writer and two readers', local(3, true));
conformanceSuite('over HTTP without a socket', throughFetch);
conformanceSuite('over HTTP and a socket', throughSocket);
