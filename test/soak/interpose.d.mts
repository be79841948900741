/** Does what was asked for. */
export type Run = () => unknown;

/** See interpose.mjs. */
export function interpose(hook: (what: string, run: Run) => unknown): void;

/** An error as the SQLite driver or Node throws it, for a call described by `what`. */
export function faultOf(what: string, name: 'FULL' | 'IOERR' | 'NOMEM'): Error;
