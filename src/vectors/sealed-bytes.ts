/**
 * The frame of what is kept of cells: a version at 0, the CRC-32 of all bytes from offset 8 on at 4, a header
 * of a format's own, and columns of numbers. Little-endian.
 */
import { checksum } from '../io/index.ts';

const CHECKSUM_AT = 4;
const SUMMED_FROM = 8;

/** The columns one after the other behind a header, which `fill` completes. O(bytes). */
export function seal(
  version: number,
  headerBytes: number,
  columns: readonly ArrayBufferView[],
  fill: (header: DataView) => void,
): Uint8Array {
  const bytes = new Uint8Array(columns.reduce((sum, { byteLength }) => sum + byteLength, headerBytes));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, version, true);
  fill(view);
  let at = headerBytes;
  for (const { buffer, byteOffset, byteLength } of columns) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  view.setUint32(CHECKSUM_AT, checksum(bytes.subarray(SUMMED_FROM)), true);
  return bytes;
}

/**
 * The header of sealed bytes; `undefined` where they are of another version, damaged, or not as long as
 * `sizeOf` has it by their header.
 */
export function unseal(
  version: number,
  headerBytes: number,
  bytes: Uint8Array,
  sizeOf: (header: DataView) => number | undefined,
): DataView | undefined {
  if (bytes.length < headerBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== version || bytes.length !== sizeOf(view)) return undefined;
  return storedChecksum(bytes) === checksum(bytes.subarray(SUMMED_FROM)) ? view : undefined;
}

/** The checksum that sealed bytes, eight at least, say they have. */
export function storedChecksum(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(CHECKSUM_AT, true);
}

/**
 * The bytes where numbers may be read from, at multiples of eight: copied where they lie elsewhere; `slice`
 * would not copy a Buffer.
 */
export function aligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes);
}
