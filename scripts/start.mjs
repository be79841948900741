/**
 * `npm start`: builds, then serves `./data` in this same process, and ends with the npm that started it.
 *
 * npm hands SIGTERM to the shell between it and this process, and a shell such as dash ends without handing
 * it on: the server would go on alone and hold its port. `exec` in the script would do, and is unknown to
 * Windows. So the server watches its parent, and stops in the ordinary way when that is gone.
 */
import { execSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PARENT_CHECK_MS = 200;

if (process.env.npm_lifecycle_event === 'start') {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, PARENT_CHECK_MS);
  timer.unref();
}

execSync('npm run build --silent', { stdio: 'inherit', cwd: fileURLToPath(new URL('..', import.meta.url)) });

const program = new URL('../dist/cli.js', import.meta.url);
// The arguments of the caller come last, and the last of two equal options counts.
process.argv = [process.argv[0], fileURLToPath(program), 'run', '--path', './data', ...process.argv.slice(2)];
await import(program.href);
