/**
 * Names and identifiers: who may be called what. The sentences are Chroma's, since programs match on them.
 */
import { DatabaseError } from '../base/index.ts';
import { LIMITS } from './limits.ts';
import { isWellFormed } from './text.ts';

const NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9._-]*[a-zA-Z0-9])?$/;
const IPV4 = /^(?:\d{1,3}\.){3}\d{1,3}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function invalidName(prefix: string, expectation: string, name: string): DatabaseError {
  return new DatabaseError('TESSERA_INVALID_NAME', `${prefix}Expected a name ${expectation} ${name}`, {
    details: { name },
  });
}

/**
 * Checks a collection's or database's name: 3 to 512 of `a-zA-Z0-9._-`, alphanumeric at both ends, no `..`,
 * no IP address. One `+` may join two such halves.
 *
 * Errors: `TESSERA_INVALID_NAME`.
 */
export function checkName(name: string, prefix = 'Validation error: name: '): void {
  const halves = name.split('+');
  const isWellFormed =
    name.length >= LIMITS.nameLengthMin &&
    name.length <= LIMITS.nameLengthMax &&
    halves.length <= 2 &&
    halves.every((half) => NAME.test(half));
  if (!isWellFormed) {
    const expectation = `containing ${LIMITS.nameLengthMin}-${LIMITS.nameLengthMax} characters from [a-zA-Z0-9._-], starting and ending with a character in [a-zA-Z0-9]. Got:`;
    throw invalidName(prefix, expectation, name);
  }
  if (name.includes('..'))
    throw invalidName(prefix, 'that does not contains two consecutive periods (..). Got', name);
  if (IPV4.test(name)) throw invalidName(prefix, 'that is not a valid ip address. Got', name);
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
