/** Tessera's server as a process, and a connection to any server of the protocol. */
import { spawn } from 'node:child_process';
import http from 'node:http';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

/** Where the collections of the default database are. */
export const SCOPE = '/api/v2/tenants/default_tenant/databases/default_database';

/** A value as the body of a request. */
export const encode = (value) => Buffer.from(JSON.stringify(value));

/** A connection to one server: sends bodies that are ready and returns parsed answers. */
export class Connection {
  #agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  #base;

  constructor(base) {
    this.#base = new URL(base);
  }

  request(method, target, body) {
    const { hostname, port } = this.#base;
    const headers =
      body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length };
    return new Promise((resolve, reject) => {
      const options = { hostname, port, method, path: target, agent: this.#agent, headers };
      const request = http.request(options, (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          if (response.statusCode < 300) resolve(text === '' ? null : JSON.parse(text));
          else reject(new Error(`${method} ${target}: ${response.statusCode} ${text.slice(0, 300)}`));
        });
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  close() {
    this.#agent.destroy();
  }
}

/** A port that nobody listens on. */
export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/**
 * Starts Tessera's server on a directory, with these variables too; `stop` ends it and waits until it has.
 */
export async function startTessera(directory, env = {}) {
  const port = await freePort();
  const child = spawn(process.execPath, [CLI, 'run', '--path', directory, '--port', String(port)], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...env },
  });
  const base = `http://127.0.0.1:${port}`;
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(`${base}/api/v2/heartbeat`).catch(() => null);
    if (answer?.ok) break;
    if (attempt === 100 || child.exitCode !== null) throw new Error('The server did not start.');
    await sleep(100);
  }
  const stop = async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  };
  return { base, pid: child.pid, stop };
}
