/**
 * Work that is done between calls, in slices of a few milliseconds: followers catch up, files shrink, records
 * are compared with their checksums and with the followers.
 */

export { erase } from './erase.ts';
export { outstandingChanges, RemnantPass } from './remnants.ts';
export { repair } from './repair.ts';
export { absorbText, textStatistics } from './text.ts';
export { vacuum } from './vacuum.ts';
export { type Verified, verify } from './verify.ts';
