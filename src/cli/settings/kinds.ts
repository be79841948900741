/**
 * Kinds of settings: what a value may be, whichever of command line, environment and file it comes from. The
 * first two have texts alone; a file has numbers, booleans and lists too.
 */

/** Reads values of one kind. */
export interface Kind<T> {
  /** Placeholder on the command line; `null` for a switch. */
  readonly placeholder: string | null;
  /** Completes "Expected … to be …". */
  readonly expected: string;
  /** The value, or `undefined` where it is none of this kind. */
  read(value: unknown): T | undefined;
}

/** A text that is not empty. */
export function text(placeholder: string, expected: string): Kind<string> {
  return {
    placeholder,
    expected,
    read: (value) => (typeof value === 'string' && value !== '' ? value : undefined),
  };
}

/** A whole number within bounds. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): Kind<number> {
  return {
    placeholder: 'N',
    expected:
      max === Number.MAX_SAFE_INTEGER ? `a whole number from ${min}` : `a number from ${min} to ${max}`,
    read(value) {
      const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
      return Number.isSafeInteger(number) && (number as number) >= min && (number as number) <= max
        ? (number as number)
        : undefined;
    },
  };
}

/** A number, or nothing at all: `none` in a text, `null` in a file. */
export function integerOrNone(min: number): Kind<number | null> {
  const number = integer(min);
  return {
    placeholder: 'N',
    expected: `${number.expected}, or none`,
    read: (value) => (value === null || value === 'none' ? null : number.read(value)),
  };
}

/** True or false; a switch on the command line. */
export const flag: Kind<boolean> = {
  placeholder: null,
  expected: 'true or false',
  read(value) {
    if (typeof value === 'boolean') return value;
    if (typeof value !== 'string') return undefined;
    if (/^(?:true|1|yes|on)$/i.test(value)) return true;
    return /^(?:false|0|no|off)$/i.test(value) ? false : undefined;
  },
};

/** One of several words. */
export function oneOf<const T extends string>(...words: readonly T[]): Kind<T> {
  return {
    placeholder: 'WORD',
    expected: `one of ${words.join(', ')}`,
    read: (value) => words.find((word) => word === value),
  };
}

/** Texts: a list in a file, a JSON array or words between commas in a text. */
export const list: Kind<readonly string[]> = {
  placeholder: 'A,B',
  expected: 'a list of texts',
  read(value) {
    const values = typeof value === 'string' ? splitList(value) : value;
    const isList = Array.isArray(values) && values.every((entry) => typeof entry === 'string');
    return isList ? (values as string[]) : undefined;
  },
};

function splitList(value: string): unknown {
  if (value.trimStart().startsWith('[')) {
    try {
      return JSON.parse(value);
    } catch {
      return undefined;
    }
  }
  return value
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

/** Bytes as the engine takes them: a number, or a text such as `512MB`; it checks them itself. */
export const memory: Kind<number | string> = {
  placeholder: 'SIZE',
  expected: "a number of bytes or a text such as '512MB'",
  read(value) {
    if (typeof value === 'string' && /^\d+$/.test(value)) return Number(value);
    return (typeof value === 'string' && value !== '') || typeof value === 'number' ? value : undefined;
  },
};
