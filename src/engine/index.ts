/**
 * One open database. engine.ts is the synchronous core; local-backend.ts makes it asynchronous on the calling
 * thread, worker-backend.ts on a thread of its own; catalogue.ts and open-collections.ts are what it keeps
 * open.
 */
export type { Components } from './components.ts';
export { Directory } from './directory.ts';
export { openDatabase } from './open.ts';
