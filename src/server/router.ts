/**
 * Which route a request is for. Hono's routers find it; who registers first wins where two paths fit.
 *
 * Paths are matched as they were sent and their parts decoded afterwards, so that an escaped slash stays
 * within its part.
 */
import { RegExpRouter } from 'hono/router/reg-exp-router';
import { SmartRouter } from 'hono/router/smart-router';
import { TrieRouter } from 'hono/router/trie-router';
import type { Route } from './route.ts';

/** A route that fits, or the methods that its path has, or nothing. */
export type Match =
  | { readonly route: Route; readonly param: (name: string) => string }
  | { readonly route: null; readonly allow: string | null };

type Entry = Route | string;

const NOTHING: Match = { route: null, allow: null };

/** Routes to be looked up by method and path. */
export class RouteTable {
  readonly #router = new SmartRouter<Entry>({ routers: [new RegExpRouter(), new TrieRouter()] });

  constructor(routes: readonly Route[]) {
    for (const route of routes) this.#router.add(route.method, route.path, route);
    // Registered last, these are reached by the methods that a path does not have.
    for (const [path, methods] of methodsByPath(routes)) this.#router.add('ALL', path, methods);
  }

  /** What `method` on `path` is for; `HEAD` is for what `GET` is. */
  find(method: string, path: string): Match {
    const [entries, stash] = this.#router.match(method === 'HEAD' ? 'GET' : method, path);
    const [entry] = entries;
    if (entry === undefined) return NOTHING;
    const [found, places] = entry;
    if (typeof found === 'string') return { route: null, allow: found };
    return {
      route: found,
      param: (name) => {
        const place = places[name];
        if (place === undefined) return '';
        return decode(typeof place === 'number' ? (stash?.[place] ?? '') : place);
      },
    };
  }
}

/** A part of a path; what is no percent-encoding stands for itself. */
function decode(part: string): string {
  if (!part.includes('%')) return part;
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function methodsByPath(routes: readonly Route[]): Map<string, string> {
  const methods = new Map<string, string[]>();
  for (const { path, method } of routes) {
    const known = methods.get(path) ?? [];
    methods.set(path, known);
    known.push(method, ...(method === 'GET' ? ['HEAD'] : []));
  }
  return new Map([...methods].map(([path, names]) => [path, names.join(',')]));
}
