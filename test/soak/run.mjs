/**
 * Runs one harness of this folder for some minutes or rounds and writes down what it saw.
 *
 *   npm run soak -- NAME [--minutes N] [--rounds N] [--seed S] [--json FILE]
 *
 * It ends after so many minutes or so many rounds, whichever comes first; after ten minutes if neither is
 * given.
 *
 * A harness is a test `test/soak/NAME.test.ts`. The figures go to `bench/results/soak-NAME.json`, unless
 * `--json` names another file, with the machine, Node, commit and date.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine } from '../../bench/measure.mjs';

const SUFFIX = '.test.ts';
const ROOT = join(import.meta.dirname, '../..');
const known = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(SUFFIX))
  .map((file) => file.slice(0, -SUFFIX.length));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string' },
    rounds: { type: 'string' },
    seed: { type: 'string' },
    json: { type: 'string' },
  },
});
const [name] = positionals;
const limits = { SOAK_MINUTES: values.minutes, SOAK_ROUNDS: values.rounds };
if (values.minutes === undefined && values.rounds === undefined) limits.SOAK_MINUTES = '10';
const areLimits = Object.values(limits).every((limit) => limit === undefined || Number(limit) > 0);
if (!known.includes(name) || positionals.length > 1 || !areLimits) {
  console.error(
    'Usage: npm run soak -- NAME [--minutes N] [--rounds N] [--seed S] [--json FILE]\n' +
      `Names: ${known.join(', ')}`,
  );
  process.exit(2);
}

const scratch = mkdtempSync(join(tmpdir(), 'tessera-soak-'));
const figures = join(scratch, 'figures.json');
const env = { ...process.env, SOAK_FIGURES: figures };
for (const [variable, limit] of Object.entries(limits)) if (limit !== undefined) env[variable] = limit;
if (values.seed !== undefined) env.SOAK_SEED = values.seed;
const words = ['node_modules/vitest/vitest.mjs', 'run', `test/soak/${name}${SUFFIX}`];
const beganMs = performance.now();
const { status } = spawnSync(process.execPath, words, { cwd: ROOT, env, stdio: 'inherit' });
try {
  const seen = JSON.parse(readFileSync(figures, 'utf8'));
  const json = values.json ?? join(ROOT, `bench/results/soak-${name}.json`);
  const minutes = Number(((performance.now() - beganMs) / 60_000).toFixed(1));
  const result = { soak: name, minutes, passed: status === 0, machine: describeMachine(), ...seen };
  writeFileSync(json, `${JSON.stringify(result, null, 2)}\n`);
  console.log(result, `\nWritten to ${json}.`);
} catch (error) {
  if (error.code !== 'ENOENT') throw error;
  console.log('The harness ended without figures.');
} finally {
  rmSync(scratch, { recursive: true });
}
process.exitCode = status ?? 1;
