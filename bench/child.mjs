/**
 * A process of its own for one task of a benchmark: `node child.mjs MODULE TASK`, the argument as JSON on the
 * input, the result as JSON on the output. See `inChild` in measure.mjs.
 */
import { text } from 'node:stream/consumers';

const [moduleUrl, task] = process.argv.slice(2);
const argument = JSON.parse(await text(process.stdin));
const module = await import(moduleUrl);
const result = await module[task](argument);
process.stdout.write(JSON.stringify(result ?? null));
