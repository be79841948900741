/**
 * From the regular expressions that Chroma's users write to those that re2js reads.
 *
 * The protocol speaks the syntax of Rust's `regex` crate; re2js speaks that of Go. The two agree on nearly
 * everything, and one pass over the pattern, without building a tree, settles most of the rest:
 *
 *   \d \w \s, also negated and in brackets    Unicode properties, unless (?-u) is in force
 *   \u1234 \U00012345 \u{1234}                \x{1234}
 *   \p{Letter} \p{greek} \p{sc=Greek}         \p{L} \p{Greek} \p{Greek}
 *   (?x)                                      white space and comments are taken out
 *   a{,3}                                     a{0,3}
 *
 * What Go would read as something else than Rust (set operations and nested classes in brackets,
 * word-boundary variants, octal escapes) is refused here rather than misread. docs/adr/0006 lists what
 * remains different.
 */

/** The flags that this pass has to know; they hold from where they are set to the end of the group. */
interface Flags {
  readonly isUnicode: boolean;
  readonly isVerbose: boolean;
}

/** What `\w` means in Rust, as the inside of a bracket: UTS #18, annex C. The last two are the joiners. */
const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200C}\\x{200D}';

const UNICODE_CLASSES: Readonly<Record<string, string>> = {
  d: '\\p{Nd}',
  D: '\\P{Nd}',
  s: '\\p{White_Space}',
  S: '\\P{White_Space}',
  w: `[${WORD}]`,
  W: `[^${WORD}]`,
};

/** Long names of the general categories; re2js knows the short ones alone. */
const CATEGORIES: ReadonlyMap<string, string> = new Map(
  (
    'L letter Lu uppercaseletter Ll lowercaseletter Lt titlecaseletter Lm modifierletter ' +
    'Lo otherletter M mark Mn nonspacingmark Mc spacingmark Me enclosingmark N number ' +
    'Nd decimalnumber Nl letternumber No othernumber P punctuation Pc connectorpunctuation ' +
    'Pd dashpunctuation Ps openpunctuation Pe closepunctuation Pi initialpunctuation ' +
    'Pf finalpunctuation Po otherpunctuation S symbol Sm mathsymbol Sc currencysymbol ' +
    'Sk modifiersymbol So othersymbol Z separator Zs spaceseparator Zl lineseparator ' +
    'Zp paragraphseparator C other Cc control Cf format Cs surrogate Co privateuse Cn unassigned'
  )
    .match(/\S+ \S+/g)!
    .map((pair) => pair.split(' ').reverse() as [string, string]),
);

const GROUP_FLAGS = /\(\?([a-zA-Z]*)(-[a-zA-Z]+)?([:)])/y;
const PROPERTY = /\\([pP])\{(\^?)([^}]*)\}/y;
const CODE_POINT = /\\(?:[xuU]\{([0-9a-fA-F]+)\}|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/y;
const POSIX_CLASS = /\[:\^?[a-z]+:\]/y;
const OPEN_REPETITION = /\{\s*,\s*(\d+)\s*\}/y;
const COMMENT = /#[^\n]*/y;

/** Why a pattern is refused. The message is the description alone. */
export class RegexDialectError extends Error {
  override readonly name = 'RegexDialectError';
}

/**
 * Translates a pattern in Rust's syntax into re2js's. Errors: `RegexDialectError`; other mistakes are left to
 * re2js.
 */
export function toRe2Syntax(pattern: string): string {
  const outer: Flags[] = [];
  let flags: Flags = { isUnicode: true, isVerbose: false };
  let output = '';
  let at = 0;
  while (at < pattern.length) {
    const character = pattern[at]!;
    const group = character === '(' ? matchAt(GROUP_FLAGS, pattern, at) : null;
    if (group !== null) {
      if (group[3] === ':') outer.push(flags);
      const [on, off] = [group[1]!, group[2] ?? ''];
      flags = changeFlags(flags, on, off);
      output += writeGroup(on, off, group[3]!);
      at += group[0].length;
    } else if (character === '\\') {
      const [text, length] = translateEscape(pattern, at, flags, false);
      output += text;
      at += length;
    } else if (character === '[') {
      const [text, length] = translateBracket(pattern, at, flags);
      output += text;
      at += length;
    } else if (flags.isVerbose && /\s/.test(character)) {
      at++;
    } else if (flags.isVerbose && character === '#') {
      at += matchAt(COMMENT, pattern, at)![0].length;
    } else {
      const repetition = character === '{' ? matchAt(OPEN_REPETITION, pattern, at) : null;
      if (character === '(') outer.push(flags);
      if (character === ')') flags = outer.pop() ?? flags;
      output += repetition === null ? character : `{0,${repetition[1]}}`;
      at += repetition === null ? 1 : repetition[0].length;
    }
  }
  return output;
}

function changeFlags(flags: Flags, on: string, off: string): Flags {
  return {
    isUnicode: (flags.isUnicode || on.includes('u')) && !off.includes('u'),
    isVerbose: (flags.isVerbose || on.includes('x')) && !off.includes('x'),
  };
}

/** A group's opening or a flag setting, without the flags that re2js does not know. */
function writeGroup(on: string, off: string, end: string): string {
  const kept = on.replace(/[ux]/g, '') + off.replace(/[ux]/g, '').replace(/^-$/, '');
  return kept === '' && end === ')' ? '' : `(?${kept}${end}`;
}

/** The escape that begins at `at`: its translation and its length. */
function translateEscape(pattern: string, at: number, flags: Flags, isInBracket: boolean): [string, number] {
  const letter = pattern[at + 1] ?? '';
  if (/[0-9]/.test(letter)) throw new RegexDialectError('backreferences and octal escapes are not supported');
  if (/[QECR]/.test(letter)) throw new RegexDialectError(`unrecognized escape sequence \\${letter}`);
  if (/[<>]/.test(letter) || pattern.startsWith('\\b{', at) || pattern.startsWith('\\B{', at)) {
    throw new RegexDialectError('word boundaries other than \\b and \\B are not supported');
  }
  if (flags.isUnicode && letter in UNICODE_CLASSES) {
    if (isInBracket && letter === 'w') return [WORD, 2];
    if (isInBracket && letter === 'W') return [nonWordRanges(), 2];
    return [UNICODE_CLASSES[letter]!, 2];
  }
  const property = matchAt(PROPERTY, pattern, at);
  if (property !== null) {
    return [`\\${property[1]}{${property[2]}${propertyName(property[3]!)}}`, property[0].length];
  }
  const code = matchAt(CODE_POINT, pattern, at);
  if (code !== null) return [`\\x{${code[1] ?? code[2] ?? code[3] ?? code[4]}}`, code[0].length];
  return [pattern.slice(at, at + 2), 2];
}

/** The bracket that begins at `at`: its translation and its length; unclosed ones are left to re2js. */
function translateBracket(pattern: string, at: number, flags: Flags): [string, number] {
  let end = at + 1;
  if (pattern[end] === '^') end++;
  // A bracket that comes first is one of the characters.
  if (pattern[end] === ']') end++;
  let output = pattern.slice(at, end);
  while (end < pattern.length && pattern[end] !== ']') {
    const pair = pattern.slice(end, end + 2);
    if (pair === '&&' || pair === '--' || pair === '~~') {
      throw new RegexDialectError(
        `set operations in brackets are not supported; write a literal ${pair[0]} as \\${pair[0]}`,
      );
    }
    const posix = matchAt(POSIX_CLASS, pattern, end);
    if (posix === null && pattern[end] === '[') {
      throw new RegexDialectError('brackets in brackets are not supported; write a literal [ as \\[');
    }
    if (posix !== null) {
      output += posix[0];
      end += posix[0].length;
    } else if (pattern[end] === '\\') {
      const [text, length] = translateEscape(pattern, end, flags, true);
      output += text;
      end += length;
    } else {
      const isLeftOut = flags.isVerbose && /\s/.test(pattern[end]!);
      output += isLeftOut ? '' : pattern[end];
      end++;
    }
  }
  return [`${output}${pattern.slice(end, end + 1)}`, end + 1 - at];
}

/** A property's name as re2js spells it: without the property it belongs to, parts with a capital. */
function propertyName(name: string): string {
  const bare = name.replace(/^(?:gc|general_category|sc|script)\s*[=:]\s*/i, '');
  const category = CATEGORIES.get(bare.replace(/[\s_-]/g, '').toLowerCase());
  return (
    category ?? bare.replace(/(?:^|[\s_-])[a-z]/g, (start) => start.toUpperCase()).replace(/[\s-]/g, '_')
  );
}

let nonWord: string | undefined;

/**
 * The complement of `\w` as ranges: a bracket cannot hold the complement of a union in any other form. Found
 * by trying all code points once, which takes some 50 ms, at the first pattern that has `\W` in brackets.
 */
function nonWordRanges(): string {
  if (nonWord !== undefined) return nonWord;
  const word = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
  let ranges = '';
  let start = -1;
  for (let code = 0; code <= 0x110000; code++) {
    const isOutside = code <= 0x10ffff && !word.test(String.fromCodePoint(code));
    if (isOutside && start === -1) start = code;
    if (isOutside || start === -1) continue;
    ranges += `\\x{${start.toString(16)}}-\\x{${(code - 1).toString(16)}}`;
    start = -1;
  }
  nonWord = ranges;
  return ranges;
}

function matchAt(sticky: RegExp, text: string, at: number): RegExpExecArray | null {
  sticky.lastIndex = at;
  return sticky.exec(text);
}
