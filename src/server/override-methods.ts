/** A backend with some of its methods replaced. */
import type { Backend } from '../api/index.ts';

/** Answers the methods in `overrides` by these, and all others by `backend`. */
export function overrideMethods(backend: Backend, overrides: Partial<Backend>): Backend {
  const methods = new Map<string | symbol, unknown>(Object.entries(overrides));
  return new Proxy(backend, {
    get(target, name) {
      let method = methods.get(name);
      if (method === undefined) {
        const own: unknown = Reflect.get(target, name);
        method = typeof own === 'function' ? own.bind(target) : own;
        methods.set(name, method);
      }
      return method;
    },
  });
}
