/** Measures of texts that JavaScript holds as UTF-16 and the disk as UTF-8. */

/**
 * The size of a text in UTF-8, exact if it may exceed `sizeMax` and otherwise an upper bound.
 *
 * A UTF-16 unit takes at most three bytes, so nearly every text is under its limit without being looked at.
 */
export function utf8Size(text: string, sizeMax: number): number {
  const bound = text.length * 3;
  return bound <= sizeMax ? bound : new TextEncoder().encode(text).length;
}

/**
 * Whether a text is well-formed: every surrogate has its partner.
 *
 * A lone surrogate has no UTF-8 form; SQLite and sockets would hand back another text than was given to them.
 */
export function isWellFormed(text: string): boolean {
  // Present in every Node and browser we support, but not yet in the ES2023 typings.
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}
