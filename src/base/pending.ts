/** Keeps a promise in a set until it has settled, so that its end can be waited for; returns it. */
export function keepWhilePending<T>(pending: Set<Promise<unknown>>, promise: Promise<T>): Promise<T> {
  pending.add(promise);
  const forget = (): void => void pending.delete(promise);
  promise.then(forget, forget);
  return promise;
}
