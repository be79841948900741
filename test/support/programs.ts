/** The programs that tests start, as bundle-programs.ts has made them. */
import { join } from 'node:path';
import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder that they are in. */
    readonly programs: string;
  }
}

/** The path of a program by its name, such as `writing-process`. */
export function programPath(name: string): string {
  return join(inject('programs'), `${name}.mjs`);
}
