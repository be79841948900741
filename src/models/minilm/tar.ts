/**
 * The files of a tar archive (POSIX ustar), as far as archives of models use it: regular files, names of up
 * to 100 bytes with a prefix of up to 155. Everything else in an archive is passed over.
 *
 *   offset  size
 *        0   100  name, ended by a zero byte
 *      124    12  size in octal
 *      156     1  kind: '0' or a zero byte for a regular file
 *      345   155  prefix of the name
 *
 * The header takes 512 bytes; contents follow, filled up to a multiple of 512.
 */

/** A file in an archive. */
export interface TarFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const BLOCK = 512;

/**
 * The files of an archive, one after the other. Errors: `RangeError` for an archive that ends within a file.
 */
export function* tarFiles(archive: Uint8Array): Generator<TarFile> {
  const text = (at: number, length: number): string =>
    Buffer.from(archive.subarray(at, at + length))
      .toString('utf8')
      .split('\0')[0]!
      .trim();
  for (let at = 0; at + BLOCK <= archive.length && archive[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12) || '0', 8);
    const start = at + BLOCK;
    if (!(size >= 0) || start + size > archive.length)
      throw new RangeError('The archive ends within a file.');
    const prefix = text(at + 345, 155);
    const kind = text(at + 156, 1);
    const name = prefix === '' ? text(at, 100) : `${prefix}/${text(at, 100)}`;
    if (kind === '' || kind === '0') yield { name, bytes: archive.subarray(start, start + size) };
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
}
