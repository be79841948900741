/**
 * A reader of source text for the laws: just enough of TypeScript's grammar to tell code from comments and
 * strings, to find imports, exports, functions and tests, and to say on which line each stands.
 *
 * It is a scanner and no parser, since the compiler that we use exports no API. Where the grammar is
 * ambiguous to a scanner (a `/` that may begin a regular expression, a `{` that may open a function) it
 * guesses from what stands before, which is right for formatted code; the guesses are tested in
 * `tidy.test.ts`.
 */

/**
 * One source file: its text, and the same text with comments and the insides of literals turned into spaces.
 */
export interface SourceFile {
  /** Relative to the repository, with `/` between the parts. */
  readonly path: string;
  readonly text: string;
  /**
   * As long as `text`, with the same line ends, so that offsets agree. Quotes stay, what they enclose is
   * blank.
   */
  readonly code: string;
}

/** A part of a file that a law speaks of. */
export interface Span {
  readonly name: string;
  readonly offset: number;
  /** One past the last character. */
  readonly end: number;
}

/** Reads a file for the laws. */
export function readSource(path: string, text: string): SourceFile {
  return { path, text, code: blankOut(text) };
}

/** The line, counted from 1, on which `offset` stands. */
export function lineAt(file: SourceFile, offset: number): number {
  let line = 1;
  for (let at = file.text.indexOf('\n'); at >= 0 && at < offset; at = file.text.indexOf('\n', at + 1)) line++;
  return line;
}

const REGEX_BEFORE =
  /(?:^|[(,=:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|in|of|void|throw|else|do|await|yield))$/;

/**
 * Finds where a literal or comment that begins at `start` ends (one past it), or -1 when none begins there.
 */
function endOfBlank(text: string, start: number, before: string): number {
  const pair = text.slice(start, start + 2);
  if (pair === '//') return (text.indexOf('\n', start) + 1 || text.length + 1) - 1;
  if (pair === '/*') return text.indexOf('*/', start + 2) + 2;
  const first = text[start];
  if (first === "'" || first === '"') return endOfQuoted(text, start, first);
  if (first === '/' && REGEX_BEFORE.test(before)) return endOfRegex(text, start);
  return -1;
}

function endOfQuoted(text: string, start: number, quote: string): number {
  let at = start + 1;
  while (at < text.length && text[at] !== quote) at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function endOfRegex(text: string, start: number): number {
  let isInClass = false;
  for (let at = start + 1; at < text.length; at++) {
    const char = text[at];
    if (char === '\\') at++;
    else if (char === '[') isInClass = true;
    else if (char === ']') isInClass = false;
    else if (char === '/' && !isInClass) return at + 1;
    else if (char === '\n') return -1;
  }
  return -1;
}

/** Copies code and blanks out the rest. Templates nest: `${` returns to code until its own `}`. */
function blankOut(text: string): string {
  const out = text.split('');
  const blank = (from: number, to: number): void => {
    for (let i = from; i < to && i < out.length; i++) if (out[i] !== '\n') out[i] = ' ';
  };
  /** Depth of braces inside each open `${`. */
  const templates: number[] = [];
  let before = '';
  let at = 0;
  const skipTemplate = (from: number): number => {
    let end = from;
    while (end < text.length && text[end] !== '`' && !text.startsWith('${', end))
      end += text[end] === '\\' ? 2 : 1;
    blank(from, end);
    if (text.startsWith('${', end)) {
      templates.push(0);
      return end + 2;
    }
    return end + 1;
  };
  while (at < text.length) {
    const char = text[at]!;
    const end = endOfBlank(text, at, before);
    if (end >= 0) {
      const isComment = char === '/' && (text[at + 1] === '/' || text[at + 1] === '*');
      blank(isComment ? at : at + 1, isComment ? end : end - 1);
      if (!isComment) before = ')';
      at = end;
      continue;
    }
    if (char === '`' || (char === '}' && templates.at(-1) === 0)) {
      if (char === '}') templates.pop();
      at = skipTemplate(at + 1);
      before = text[at - 1] === '`' ? ')' : '{';
      continue;
    }
    if (templates.length > 0 && char === '{') templates[templates.length - 1]!++;
    if (templates.length > 0 && char === '}') templates[templates.length - 1]!--;
    if (!/\s/.test(char)) before = /\w/.test(char) && /\w$/.test(before) ? before + char : char;
    else if (
      /\w$/.test(before) &&
      !/^(?:return|typeof|case|in|of|void|throw|else|do|await|yield)$/.test(before)
    )
      before = ')';
    at++;
  }
  return out.join('');
}

const SPECIFIER = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*|\bnew\s+URL\s*\(\s*)(['"])/g;

/** What a file imports, exports from, requires or loads by URL: the specifiers as written. */
export function findImports(file: SourceFile): Span[] {
  return [...file.code.matchAll(SPECIFIER)].map((match) => {
    const offset = match.index + match[0].length;
    const end = file.code.indexOf(match[1]!, offset);
    return { name: file.text.slice(offset, end), offset, end };
  });
}

const EXPORT =
  /^export\s+(?:(?:default|async|abstract)\s+)*(?:function\*?|class|interface|type|const|let)\s+([\w$]+)/gm;

/** What a file itself declares and exports; lists of names (`export { … }`) are the business of doors. */
export function findExports(file: SourceFile): Span[] {
  return [...file.code.matchAll(EXPORT)].map((match) => ({
    name: match[1]!,
    offset: match.index,
    end: match.index + match[0].length,
  }));
}

const CLOSERS: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

/** One past the bracket that closes the one at `offset`, or the end of the text. */
function endOfBrackets(code: string, offset: number): number {
  const open = code[offset]!;
  const close = CLOSERS[open]!;
  let depth = 0;
  for (let at = offset; at < code.length; at++) {
    if (code[at] === open) depth++;
    else if (code[at] === close && --depth === 0) return at + 1;
  }
  return code.length;
}

/**
 * Where the statement or member begins whose block opens at `brace`: after the last boundary outside of
 * brackets.
 */
function startOfHead(code: string, brace: number): number {
  let depth = 0;
  for (let at = brace - 1; at >= 0; at--) {
    const char = code[at]!;
    // A `}` outside of brackets ends the statement before, unless it closes a type literal: `): { a: number
    // }[] {`.
    if (char === '}' && depth === 0 && !/^\s*(?:$|[>[|&])/.test(code.slice(at + 1, brace))) return at + 1;
    if (char === ')' || char === ']' || char === '}') depth++;
    else if (char === '(' || char === '[' || char === '{') {
      if (depth === 0) return at + 1;
      depth--;
    } else if (char === ';' && depth === 0) return at + 1;
  }
  return 0;
}

const CONTROL = /^(?:\w+:\s*)?(?:if|for|while|switch|catch|else|do|try|finally|with)\b/;
const DECLARATION = /^(?:(?:export|default|declare|abstract)\s+)*(?:class|interface|type|enum|namespace)\s/;

/**
 * Whether the text before a `{` says that a function's body begins: `=>`, or a parameter list and perhaps a
 * type.
 */
function opensFunction(head: string): boolean {
  if (head.endsWith('=>')) return true;
  if (CONTROL.test(head) || DECLARATION.test(head)) return false;
  let depth = 0;
  for (let at = 0; at < head.length; at++) {
    if (head[at] === '(') depth++;
    else if (head[at] === ')' && --depth === 0 && /^\s*(?:$|:\s*[^\s?:])/.test(head.slice(at + 1)))
      return true;
  }
  return false;
}

/**
 * Every function, method and arrow function with a block for a body, from its first line to its closing
 * brace.
 */
export function findFunctions(file: SourceFile): Span[] {
  const found: Span[] = [];
  for (let brace = file.code.indexOf('{'); brace >= 0; brace = file.code.indexOf('{', brace + 1)) {
    const start = startOfHead(file.code, brace);
    const head = file.code.slice(start, brace);
    if (!opensFunction(head.trim())) continue;
    const offset = start + (head.length - head.trimStart().length);
    const name = file.text.slice(offset, brace).split('\n')[0]!.trim().slice(0, 60);
    found.push({ name, offset, end: endOfBrackets(file.code, brace) });
  }
  return found;
}

const TEST = /(?<=^[ \t]*)(?:it|test)(?:\.\w+)*\s*\(/gm;

/** Every `it(…)`, `test(…)` and `it.each(…)(…)` that is a statement, named by its first line. */
export function findTests(file: SourceFile): Span[] {
  return [...file.code.matchAll(TEST)].map((match) => {
    const open = match.index + match[0].length - 1;
    const name = file.text.slice(match.index, file.text.indexOf('\n', open)).trim().slice(0, 80);
    let end = endOfBrackets(file.code, open);
    while (file.code[end] === '(') end = endOfBrackets(file.code, end);
    return { name, offset: match.index, end };
  });
}
