/**
 * Regular expressions over documents, in time linear in the document whatever the pattern. See docs/adr/0006.
 */
import { createRequire } from 'node:module';
import type * as Re2 from 're2js';
import { DatabaseError, show } from '../base/index.ts';
import { RegexDialectError, toRe2Syntax } from './regex-dialect.ts';

/**
 * Longest pattern, in UTF-16 units. A class such as `\w` has 800 ranges, so that the compiled form may be
 * thousands of times as large as the pattern: at this length it takes up to half a second and 100 MB. Rust
 * bounds that size instead.
 */
const PATTERN_LENGTH_MAX = 4_096;

/** Characters of re2js's reason that a message keeps: some of them repeat the pattern. */
const REASON_LENGTH_MAX = 200;

let library: typeof Re2 | undefined;

/**
 * The library, loaded by the first pattern: few programs have one, and its tables of Unicode take every
 * thread 6 ms and 1.7 MB.
 */
function re2(): typeof Re2 {
  library ??= createRequire(import.meta.url)('re2js') as typeof Re2;
  return library;
}

/** A compiled pattern. */
export interface CompiledRegex {
  /** Whether the pattern matches anywhere in the document. */
  test(document: string): boolean;
}

/**
 * Compiles a pattern in the syntax of Rust's `regex` crate (docs/adr/0006 says where it differs).
 *
 * Errors: `TESSERA_INVALID_FILTER` for a pattern that cannot be read or is longer than 4,096 characters.
 */
export function compileRegex(pattern: string): CompiledRegex {
  const { RE2JS, RE2JSException } = re2();
  try {
    if (pattern.length > PATTERN_LENGTH_MAX) {
      throw new RegexDialectError(`longer than ${PATTERN_LENGTH_MAX} characters`);
    }
    return RE2JS.compile(toRe2Syntax(pattern));
  } catch (cause) {
    if (!(cause instanceof RE2JSException) && !(cause instanceof RegexDialectError)) throw cause;
    const reason = cause.message.replace(/^error parsing regexp: /, '').slice(0, REASON_LENGTH_MAX);
    // Three r's: the sentence of the server that clients were written against.
    const message = `Regex syntax errror: regex parse error: ${reason} (in ${show(pattern)}).`;
    throw new DatabaseError('TESSERA_INVALID_FILTER', message, { cause });
  }
}
