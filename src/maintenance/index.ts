/** Work that is done between calls, in slices of a few milliseconds: followers catch up, files shrink. */
export { absorbText } from './text.ts';
export { vacuum } from './vacuum.ts';
