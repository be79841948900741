/**
 * The JSON of a large body as a text of one byte a character.
 *
 * A text with one character beyond U+00FF has two bytes for each, and a text in V8's own memory is made in
 * pages that are new: 500 records of 512 numbers with English texts took 34 ms to decode and 37 to parse
 * (docs/adr/0008, 2026-11-30). In JSON such a character may as well be written as an escape, since it can
 * only stand in a string. So bytes that are ASCII are taken as they are, and the few others are written so;
 * from a megabyte on, Node keeps such a text outside of V8's memory.
 */
import { isAscii, isUtf8 } from 'node:buffer';

/** Below this, a text is in V8's memory either way. Node's own bound is 1,031,913 bytes. */
const LARGE_BYTES = 1_048_576;

/** Escapes may take this part of the body more than it has: texts of other scripts are decoded instead. */
const ROOM_SHARE = 1 / 16;

/** Bytes of the escapes of a character, which may be a pair. */
const ESCAPE_BYTES = 6;

/** Fewer bytes are sooner copied one by one than by a call. */
const COPIED_BYTES = 32;

const BACKSLASH = 0x5c;
const HEX = Buffer.from('0123456789abcdef', 'latin1');
const ASCII_END = 0x80;
const ONE_BYTE_END = 0x100;
const SURROGATE_PAIRS = 0x10000;
const HIGH_BITS = 0x80808080;

/**
 * A JSON text that means the same as the body, or `null` where the body is small, no UTF-8, or has many
 * characters beyond ASCII, or one after a backslash. What is no JSON stays none. O(length).
 */
export function plainJson(body: Uint8Array): string | null {
  if (body.length < LARGE_BYTES) return null;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  if (isAscii(bytes)) return bytes.toString('latin1');
  if (bytes.byteOffset % 4 !== 0 || !isUtf8(bytes)) return null;
  return escapeOthers(bytes);
}

function escapeOthers(bytes: Buffer): string | null {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  const written = Buffer.allocUnsafe(bytes.length + Math.floor(bytes.length * ROOM_SHARE));
  let [end, done] = [0, 0];
  for (;;) {
    const at = nextOther(bytes, words, done);
    if (end + (at - done) + 2 * ESCAPE_BYTES > written.length) return null;
    if (at - done >= COPIED_BYTES) end += bytes.copy(written, end, done, at);
    else for (; done < at; done++) written[end++] = bytes[done]!;
    if (at === bytes.length) return written.toString('latin1', 0, end);
    // After half of an escape, which is no JSON, another would make it one.
    if (bytes[at - 1] === BACKSLASH) return null;
    const code = codePointAt(bytes, at);
    done = at + utf8Bytes(code);
    if (code < ONE_BYTE_END) written[end++] = code;
    else if (code < SURROGATE_PAIRS) end = writeEscape(written, end, code);
    else {
      end = writeEscape(written, end, 0xd7c0 + (code >> 10));
      end = writeEscape(written, end, 0xdc00 | (code & 0x3ff));
    }
  }
}

/** Where the next byte beyond ASCII is, from an offset on; the length where there is none. */
function nextOther(bytes: Buffer, words: Uint32Array, from: number): number {
  let at = from;
  for (; at % 4 !== 0; at++) {
    if (at >= bytes.length || bytes[at]! >= ASCII_END) return at;
  }
  let word = at >>> 2;
  while (word < words.length && (words[word]! & HIGH_BITS) === 0) word++;
  at = word << 2;
  while (at < bytes.length && bytes[at]! < ASCII_END) at++;
  return at;
}

/** The character beyond ASCII whose first byte is at an offset of valid UTF-8. */
function codePointAt(bytes: Buffer, at: number): number {
  const lead = bytes[at]!;
  const size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  let code = lead & (0x7f >> size);
  for (let i = 1; i < size; i++) code = (code << 6) | (bytes[at + i]! & 0x3f);
  return code;
}

function utf8Bytes(code: number): number {
  return code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/** Writes a UTF-16 unit as an escape; returns where the next byte goes. */
function writeEscape(written: Buffer, at: number, unit: number): number {
  written[at] = BACKSLASH;
  written[at + 1] = 0x75;
  for (let i = 0; i < 4; i++) written[at + 2 + i] = HEX[(unit >> (12 - 4 * i)) & 15]!;
  return at + ESCAPE_BYTES;
}
