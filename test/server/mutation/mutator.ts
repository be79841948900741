/**
 * Mutations of requests: of the JSON value, of its text, of its bytes, of the path, the headers and the
 * method. All chance comes from one generator, so that a run can be repeated.
 */
import type { PlainRequest } from './requests.ts';

/** A request as it is sent. */
export interface MutatedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array | null;
}

/** JSON texts that stand where something else is expected. */
const HOSTILE_TEXTS: readonly string[] = [
  'null',
  'true',
  '-1',
  '0',
  '1.0',
  '1e400',
  '-1e400',
  '1e39',
  '5e-324',
  '4294967295',
  '4294967296',
  '9007199254740993',
  '9223372036854775807',
  '9223372036854775808',
  '18446744073709551616',
  `${'9'.repeat(400)}`,
  '-0',
  'NaN',
  'Infinity',
  '01',
  '1.',
  '""',
  '" "',
  '"\\u0000"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\uFFFF"',
  '"__proto__"',
  '"../../etc/passwd"',
  '"\'; DROP TABLE records; --"',
  '"%00"',
  '"👩‍👩‍👧"',
  '"(a+)+$"',
  '"AACAfw=="',
  '"====" ',
  `"${'x'.repeat(5000)}"`,
  `"${'\\u4e00'.repeat(700)}"`,
  '[]',
  '{}',
  '[null]',
  '[[]]',
  '[[[1]]]',
  '[""]',
  '{"":1}',
  '{"$and":[]}',
  '{"$gt":"x"}',
  '{"__proto__":{"limit":1}}',
  '{"constructor":{"prototype":1}}',
  '{"#type":"sparse_vector","indices":[1],"values":[1]}',
  `${'['.repeat(300)}${']'.repeat(300)}`,
  `${'{"$and":['.repeat(150)}${']}'.repeat(150)}`,
  `[${'1,'.repeat(2000)}1]`,
];

const HOSTILE_KEYS: readonly string[] = [
  '',
  '$and',
  '$eq',
  '#document',
  '#id',
  '__proto__',
  'chroma:x',
  'k\u0000',
  'limit',
];
const HOSTILE_SEGMENTS: readonly string[] = [
  '',
  '.',
  '..',
  '%2e%2e%2f',
  '%00',
  '%ff',
  '%',
  '%zz',
  '%ED%A0%80',
  'a'.repeat(3000),
  '00000000-0000-0000-0000-000000000000',
  'x',
  'a:b:c',
  '::',
  '%F0%9F%92%A9',
  'by-id',
];
const QUERIES: readonly string[] = [
  'limit=-1',
  'limit=1e3',
  'offset=%00',
  'limit=&limit=5',
  'read_level=x',
  'tenant=',
  'database=%ff',
  '=',
  '&&',
  'limit=4294967296',
];
const METHODS: readonly string[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];
const TYPES: readonly string[] = [
  'text/plain',
  '',
  'application/xml',
  'application/json; charset=utf-16',
  'application/vnd.x+json',
];

/** The limit of a body of the server under test. */
export const BODY_BYTES_MAX = 300_000;

const encoder = new TextEncoder();

/** Makes one mutated request after another. */
export class Mutator {
  readonly #next: () => number;

  constructor(next: () => number) {
    this.#next = next;
  }

  /** One to three mutations; one request in twenty stays as it is, so that there is something to read. */
  mutate(request: PlainRequest): MutatedRequest {
    let { method, path } = request;
    const headers: Record<string, string> = { 'content-type': 'application/json' };
    let text = request.body === undefined ? null : JSON.stringify(request.body);
    let bytes: Uint8Array | null = null;
    const count = this.#chance(0.05) ? 0 : 1 + this.#below(3);
    for (let i = 0; i < count; i++) {
      const kind = this.#next();
      if (text !== null && kind < 0.6) text = this.#mutateValue(text);
      else if (text !== null && kind < 0.75) text = this.#mutateText(text);
      else if (text !== null && kind < 0.82) bytes = this.#mutateBytes(encoder.encode(text));
      else if (kind < 0.9) path = this.#mutatePath(path);
      else if (kind < 0.95) headers['content-type'] = this.#pick(TYPES);
      else method = this.#pick(METHODS);
    }
    // Sizes around the limit of a body, as one long text that may or may not be where a text belongs.
    if (text !== null && this.#chance(0.002)) {
      text = text.replace(/"\w+"(?=[,\]}])/, () => `"${'x'.repeat(this.#below(BODY_BYTES_MAX * 2))}"`);
      bytes = null;
    }
    const hasBody = method !== 'GET' && method !== 'HEAD';
    const body = hasBody ? (bytes ?? (text === null ? null : encoder.encode(text))) : null;
    return { method, path, headers, body };
  }

  /** Puts a hostile JSON text in the place of some value, or changes what members or elements there are. */
  #mutateValue(text: string): string {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return this.#mutateText(text);
    }
    const marker = '"\u0001"';
    const mutated = JSON.stringify(this.#replace(value, 0));
    return mutated
      .replaceAll(JSON.stringify('\u0001'), () => this.#pick(HOSTILE_TEXTS))
      .replaceAll(marker, 'null');
  }

  /** A copy with one change somewhere; `\u0001` stands for a hostile text. */
  #replace(value: unknown, depth: number): unknown {
    const isLeaf = typeof value !== 'object' || value === null;
    if (isLeaf || this.#chance(0.12 + depth * 0.05)) return '\u0001';
    if (Array.isArray(value)) return this.#replaceElement(value, depth);
    const entries = Object.entries(value);
    const index = this.#below(entries.length + 1);
    if (index === entries.length)
      return Object.fromEntries([...entries, [this.#pick(HOSTILE_KEYS), '\u0001']]);
    const [key, member] = entries[index]!;
    if (this.#chance(0.15)) return Object.fromEntries(entries.filter(([name]) => name !== key));
    if (this.#chance(0.1))
      return Object.fromEntries(
        entries.map(([name, other]) => (name === key ? [this.#pick(HOSTILE_KEYS), other] : [name, other])),
      );
    return { ...value, [key]: this.#replace(member, depth + 1) };
  }

  #replaceElement(values: readonly unknown[], depth: number): unknown {
    if (values.length === 0 || this.#chance(0.15)) return [...values, '\u0001'];
    const index = this.#below(values.length);
    if (this.#chance(0.15)) return values.filter((_, i) => i !== index);
    if (this.#chance(0.1))
      return values.flatMap((element, i) => (i === index ? [element, element] : [element]));
    return values.map((element, i) => (i === index ? this.#replace(element, depth + 1) : element));
  }

  #mutateText(text: string): string {
    const at = this.#below(text.length + 1);
    switch (this.#below(5)) {
      case 0:
        return text.slice(0, at);
      case 1:
        return text.slice(0, at) + text.slice(at + 1 + this.#below(4));
      case 2:
        return text.slice(0, at) + this.#pick(HOSTILE_TEXTS) + text.slice(at);
      case 3:
        return (
          text.slice(0, at) +
          this.#pick(['{', '}', '[', ']', '"', ',', ':', '\\', '\n', '\ufeff', '\u2028']) +
          text.slice(at)
        );
      default:
        return `${' '.repeat(this.#below(2000))}${text}${this.#pick(['', ' ', '{}', '\u0000', ','])}`;
    }
  }

  #mutateBytes(bytes: Uint8Array): Uint8Array {
    const mutated = Uint8Array.from(bytes);
    for (let i = this.#below(4); i >= 0 && mutated.length > 0; i--) {
      mutated[this.#below(mutated.length)] = this.#pick([0, 0x7f, 0x80, 0xc0, 0xed, 0xff, this.#below(256)]);
    }
    return mutated;
  }

  #mutatePath(path: string): string {
    const [place, query] = path.split('?');
    if (this.#chance(0.3)) return `${place}?${query ?? ''}&${this.#pick(QUERIES)}`;
    const segments = place!.split('/');
    const index = 1 + this.#below(segments.length - 1);
    switch (this.#below(4)) {
      case 0:
        segments.splice(index, 1);
        break;
      case 1:
        segments.splice(index, 0, this.#pick(HOSTILE_SEGMENTS));
        break;
      case 2:
        segments[index] = (segments[index] ?? '').toUpperCase();
        break;
      default:
        segments[index] = this.#pick(HOSTILE_SEGMENTS);
    }
    return segments.join('/') + (query === undefined ? '' : `?${query}`);
  }

  #below(limit: number): number {
    return Math.floor(this.#next() * limit);
  }

  #chance(share: number): boolean {
    return this.#next() < share;
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#below(values.length)]!;
  }
}
