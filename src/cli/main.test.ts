import { expect, test } from 'vitest';
import { main } from './main.ts';

test.each([
  [['run', '--colour=red'], /Unknown option --colour\.\n/],
  [['rum'], /Unknown command rum\. Did you mean run\?/],
  [['run', '--port', 'x'], /Expected --port to be a number from 0 to 65535, got x\./],
  [['run', '--log', 'loud'], /Expected --log to be one of quiet, info, debug, got loud\./],
  [['run', 'extra'], /Cannot read the configuration extra: .*ENOENT/],
  [['run', 'one', 'more'], /Expected \[CONFIG\], got one more\./],
  [['key', 'make', 'x'], /Expected tessera key create NAME/],
  [['key', 'create', 'x', '--access', 'read'], /Expected --tenant/],
  [['key', 'create', 'x', '--tenant', '*', '--access', 'all'], /Expected --access to be one of/],
  [['run', '--path'], /--path/],
] as [string[], RegExp][])('%j makes no sense, which is said, with status 2', async (args, expected) => {
  const said: string[] = [];
  const terminal = {
    env: {},
    out: (text: string) => expect.unreachable(text),
    err: (text: string) => void said.push(text),
    stopped: new Promise<string>(() => {}),
  };
  expect(await main(args, terminal)).toBe(2);
  expect(said.join('\n')).toMatch(expected);
});
