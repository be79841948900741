import { expect, test } from 'vitest';
import { ok } from './answer.ts';
import { type Method, plainRoute, type Route } from './route.ts';
import { RouteTable } from './router.ts';

const route = (method: Method, path: string): Route =>
  plainRoute(
    { method, path, operation: path, tag: '', summary: '' },
    { statuses: [], respond: async () => ok('') },
  );

const table = new RouteTable([
  route('GET', '/a'),
  route('POST', '/a'),
  route('GET', '/a/:name'),
  route('GET', '/a/by-id/:id'),
  route('POST', '/a/:name/b'),
  route('GET', '/a/:name/:other'),
  route('GET', '/a/'),
]);

/** What was found, with the parameters that are asked for. */
function find(method: string, path: string, ...names: string[]): unknown {
  const match = table.find(method, path);
  return match.route === null ? match.allow : [match.route.path, ...names.map(match.param)];
}

test('a part that is spelt out counts before an open one, which is tried where it leads nowhere', () => {
  expect(find('GET', '/a')).toEqual(['/a']);
  expect(find('GET', '/a/x', 'name')).toEqual(['/a/:name', 'x']);
  expect(find('GET', '/a/by-id/x', 'id', 'name')).toEqual(['/a/by-id/:id', 'x', '']);
  expect(find('GET', '/a/by-id', 'name')).toEqual(['/a/:name', 'by-id']);
  expect(find('POST', '/a/by-id/b', 'name')).toBe('GET,HEAD');
  expect(find('GET', '/a/x/y', 'name', 'other')).toEqual(['/a/:name/:other', 'x', 'y']);
  expect(find('GET', '/a/x/b')).toBe('POST');
});

test('HEAD is for what GET is, and other methods are told which there are', () => {
  expect(find('HEAD', '/a')).toEqual(['/a']);
  expect(find('DELETE', '/a')).toBe('GET,HEAD,POST');
});

test('parts are decoded once and after they were told apart; an open part is never empty', () => {
  expect(find('GET', '/a/x%2Fy%2525', 'name')).toEqual(['/a/:name', 'x/y%25']);
  expect(find('GET', '/a/%zz', 'name')).toEqual(['/a/:name', '%zz']);
  expect(find('GET', '/a/')).toEqual(['/a/']);
  for (const path of ['', '/', '/b', '/a//b', '/a/x/y/z', '/A', '/%61']) expect(find('GET', path)).toBe(null);
});

test('names that every object has lead nowhere', () => {
  expect(find('GET', '/constructor')).toBe(null);
  expect(find('GET', '/a/__proto__', 'name', 'constructor')).toEqual(['/a/:name', '__proto__', '']);
});
