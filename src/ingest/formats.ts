/**
 * What texts a file holds, by the ending of its name.
 *
 *   .txt .text                  one text
 *   .md .markdown               one text, with its marks; the first heading is the title
 *   .html .htm .xhtml           one text, that of the page without scripts, styles and menus of its head
 *   .jsonl .ndjson              one text a line, and other members as metadata
 *   .csv .tsv                   one text a row, and other columns as metadata
 *
 * Parsers are loaded with the first file that needs them. Files are UTF-8.
 */
import { DatabaseError, type JsonValue, parseJson, show } from '../base/index.ts';

/** One text of a file. */
export interface FileText {
  readonly text: string;
  /**
   * Tells the texts of one file apart: the id of a row where it has one, and else its line; empty for a whole
   * file.
   */
  readonly key: string;
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
}

type Reader = (text: string, textField: string | undefined) => Promise<FileText[]>;

const READERS: readonly (readonly [endings: readonly string[], read: Reader])[] = [
  [['txt', 'text'], readPlain],
  [['md', 'markdown'], readMarkdown],
  [['html', 'htm', 'xhtml'], readHtml],
  [['jsonl', 'ndjson'], readJsonLines],
  [['csv', 'tsv'], readTable],
];

/** Members and columns that are the text, where none is named: the first of these that is there. */
const TEXT_FIELDS = ['text', 'document', 'content', 'page_content', 'body'];

/** Elements whose content is no text of the page. */
const HIDDEN_ELEMENTS = new Set([
  'script',
  'style',
  'noscript',
  'template',
  'svg',
  'head',
  'iframe',
  'object',
]);

/** Elements that stand in a line with what is around them; all others begin a new one. */
const INLINE_ELEMENTS = new Set(
  (
    'a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark q s samp small span strike ' +
    'strong sub sup time tt u var wbr'
  ).split(' '),
);

/** Endings of names that are read, for messages. */
export const ENDINGS: readonly string[] = READERS.flatMap(([endings]) =>
  endings.map((ending) => `.${ending}`),
);

/** Whether a file of this name is read. */
export function isReadable(name: string): boolean {
  return readerOf(name) !== undefined;
}

/**
 * The texts of a file. `textField` names the member or column that is the text.
 *
 * Errors: `TESSERA_INVALID_DOCUMENT` for a file that is not what its name says.
 */
export async function readTexts(
  name: string,
  bytes: Uint8Array,
  textField: string | undefined,
): Promise<FileText[]> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw fault('it is not UTF-8', cause);
  }
  return readerOf(name)!(text, textField);
}

function readerOf(name: string): Reader | undefined {
  const ending = /\.([^./\\]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';
  return READERS.find(([endings]) => endings.includes(ending))?.[1];
}

async function readPlain(text: string): Promise<FileText[]> {
  return [{ text, key: '', metadata: {} }];
}

async function readMarkdown(text: string): Promise<FileText[]> {
  const title = /^#[ \t]+(.+?)[ \t#]*$/m.exec(text)?.[1];
  return [{ text, key: '', metadata: title === undefined ? {} : { title } }];
}

async function readHtml(html: string): Promise<FileText[]> {
  const { Parser } = await import('htmlparser2');
  let text = '';
  let title = '';
  let hiddenDepth = 0;
  let isTitle = false;
  const parser = new Parser({
    onopentag: (name) => {
      if (name === 'title') isTitle = true;
      if (HIDDEN_ELEMENTS.has(name)) hiddenDepth++;
      else if (!INLINE_ELEMENTS.has(name)) text += '\n';
    },
    ontext: (piece) => {
      if (isTitle) title += piece;
      else if (hiddenDepth === 0) text += piece.replace(/\s+/g, ' ');
    },
    onclosetag: (name) => {
      if (name === 'title') isTitle = false;
      if (HIDDEN_ELEMENTS.has(name)) hiddenDepth--;
      else if (!INLINE_ELEMENTS.has(name)) text += '\n';
    },
  });
  parser.end(html);
  const lines = text
    .split('\n')
    .map((line) => line.replace(/ +/g, ' ').trim())
    .filter((line) => line !== '');
  const heading = title.replace(/\s+/g, ' ').trim();
  return [{ text: lines.join('\n'), key: '', metadata: heading === '' ? {} : { title: heading } }];
}

async function readJsonLines(text: string, textField: string | undefined): Promise<FileText[]> {
  const texts: FileText[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    let value: JsonValue;
    try {
      value = parseJson(line);
    } catch (cause) {
      throw fault(`line ${i + 1} is no JSON`, cause);
    }
    if (typeof value === 'string') texts.push({ text: value, key: `${i + 1}`, metadata: { line: i + 1 } });
    else if (isMembers(value)) texts.push(fromMembers(value, i + 1, 'line', textField));
    else throw fault(`line ${i + 1} is neither an object nor a string`);
  }
  return texts;
}

async function readTable(text: string, textField: string | undefined): Promise<FileText[]> {
  const { default: papa } = await import('papaparse');
  const { data, errors } = papa.parse<Record<string, string>>(text, {
    header: true,
    skipEmptyLines: 'greedy',
  });
  // A file of one column has no delimiter to be found.
  const error = errors.find(({ code }) => code !== 'UndetectableDelimiter');
  if (error !== undefined) {
    const place = error.row === undefined ? '' : ` near row ${error.row + 1}`;
    throw fault(`${error.message}${place}`);
  }
  return data.map((row, i) => fromMembers(row, i + 1, 'row', textField));
}

function isMembers(value: JsonValue): value is { [name: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && value.constructor === Object;
}

/**
 * The text among the members of a row, and its scalars as metadata, those of a member `metadata` included.
 */
function fromMembers(
  members: { readonly [name: string]: JsonValue },
  place: number,
  unit: 'line' | 'row',
  textField: string | undefined,
): FileText {
  const field = textField ?? TEXT_FIELDS.find((name) => typeof members[name] === 'string');
  const text = field === undefined ? undefined : members[field];
  if (typeof text !== 'string') {
    const wanted = textField === undefined ? `one of ${TEXT_FIELDS.join(', ')}` : show(textField);
    throw fault(
      `${unit} ${place} has no text: expected ${wanted} among ${show(Object.keys(members).join(', '))}`,
    );
  }
  const { metadata: inner } = members;
  const rest = inner !== undefined && isMembers(inner) ? { ...members, ...inner } : members;
  const metadata: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(rest)) {
    // Metadata keys of these beginnings have a meaning of their own.
    const key = name.trim().replace(/^(?:[#$]|chroma:)+/, '');
    const isScalar = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
    if (name !== field && key !== '' && isScalar) metadata[key] = value;
  }
  const { id } = members;
  const key = typeof id === 'string' || typeof id === 'number' ? `${id}` : `${unit} ${place}`;
  return { text, key, metadata: { ...metadata, [unit]: place } };
}

function fault(what: string, cause?: unknown): DatabaseError {
  return new DatabaseError('TESSERA_INVALID_DOCUMENT', what, { details: { reason: 'file' }, cause });
}
