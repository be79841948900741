/**
 * Names and identifiers: who may be called what. The sentences are Chroma's, since programs match on them.
 */
import { DatabaseError } from '../base/index.ts';
import { LIMITS } from './limits.ts';
import { isWellFormed } from './text.ts';

const NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9._-]*[a-zA-Z0-9])?$/;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.|$)){4}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function invalidName(prefix: string, expectation: string, name: string): DatabaseError {
  return new DatabaseError('TESSERA_INVALID_NAME', `${prefix}Expected a name ${expectation} ${name}`, {
    details: { name },
  });
}

/**
 * Checks a collection's or database's name: 3 to 512 of `a-zA-Z0-9._-`, alphanumeric at both ends, no `..`,
 * no IP address. One `+` may join two such names, of 512 characters together.
 *
 * Errors: `TESSERA_INVALID_NAME`.
 */
export function checkName(name: string, prefix = 'Validation error: name: '): void {
  const halves = name.split('+');
  if (halves.length > 2 || name.length > LIMITS.nameLengthMax) throw invalidForm(prefix, name);
  for (const half of halves) {
    if (half.length < LIMITS.nameLengthMin || !NAME.test(half)) throw invalidForm(prefix, half);
    if (half.includes('..'))
      throw invalidName(prefix, 'that does not contains two consecutive periods (..). Got', half);
    if (IPV4.test(half)) throw invalidName(prefix, 'that is not a valid ip address. Got', half);
  }
}

function invalidForm(prefix: string, name: string): DatabaseError {
  const expectation = `containing ${LIMITS.nameLengthMin}-${LIMITS.nameLengthMax} characters from [a-zA-Z0-9._-], starting and ending with a character in [a-zA-Z0-9]. Got:`;
  return invalidName(prefix, expectation, name);
}

/** Checks a tenant's name: at least 3 characters, well-formed. Errors: `TESSERA_INVALID_NAME`. */
export function checkTenantName(name: string): void {
  if (!isWellFormed(name)) throw invalidName('Validation error: name: ', 'of whole characters. Got:', name);
  if (name.length >= LIMITS.nameLengthMin && name.length <= LIMITS.nameLengthMax) return;
  const expectation = `of ${LIMITS.nameLengthMin} to ${LIMITS.nameLengthMax} characters. Got:`;
  throw invalidName('Validation error: name: ', expectation, name);
}

/** Whether a text has the form of a UUID (any version, either case). */
export function isUuid(text: string): boolean {
  return UUID.test(text.toLowerCase());
}
