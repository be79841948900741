/** The files that worker threads are started with, which have to lie where the library was installed. */
import { existsSync } from 'node:fs';
import { DatabaseError } from '../base/index.ts';

/** Errors: `TESSERA_UNSUPPORTED` where the file of a thread is not there. */
export function checkThreadFile(url: URL): void {
  if (url.protocol !== 'file:' || existsSync(url)) return;
  const message =
    `The file of a worker thread, ${url.pathname}, is not there: a bundler has taken the library apart. Leave ` +
    'tesseradb out of the bundle, as an external package, so that it is loaded from node_modules.';
  throw new DatabaseError('TESSERA_UNSUPPORTED', message, { details: { file: url.href } });
}
