/** Assertions about types, checked by the compiler. */

/** `true` when the two types are the same, not merely assignable. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only for `true`: `expectTrue<Equal<A, B>>()`. */
export declare function expectTrue<Assertion extends true>(): Assertion;
