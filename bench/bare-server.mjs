/** A server that does nothing, as the measure of what HTTP costs by itself. */
import { spawn } from 'node:child_process';

/** Starts one in a process of its own; it listens by the time it is given back. */
export async function startBare(length) {
  const source = `
    import http from 'node:http';
    const answer = Buffer.alloc(${length}, 32);
    const headers = { 'content-type': 'application/json', 'content-length': answer.length };
    http.createServer((request, response) => {
      request.resume().on('end', () => response.writeHead(200, headers).end(answer));
    }).listen(0, '127.0.0.1', function () { process.stdout.write(String(this.address().port)); });`;
  const words = ['--input-type=module', '--eval', source];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise((resolve) => child.stdout.once('data', (data) => resolve(Number(data))));
  return { port, stop: () => child.kill() };
}
