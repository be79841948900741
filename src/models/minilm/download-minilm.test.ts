import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { type DownloadMiniLMOptions, downloadMiniLM } from './download-minilm.ts';
import { tarFiles } from './tar.ts';

/** A tar archive of files, as `tar -cf` writes it. */
function tarOf(files: Readonly<Record<string, string>>): Uint8Array {
  const blocks: Buffer[] = [];
  for (const [name, contents] of Object.entries(files)) {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write(`${contents.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write(name.endsWith('/') ? '5' : '0', 156);
    header.write('ustar\0', 257);
    const body = Buffer.alloc(Math.ceil(contents.length / 512) * 512);
    body.write(contents, 0);
    blocks.push(header, body);
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

const ARCHIVE = gzipSync(
  tarOf({ 'onnx/': '', 'onnx/model.onnx': 'm'.repeat(3_000), 'onnx/tokenizer.json': '{}' }),
);
const SHA256 = createHash('sha256').update(ARCHIVE).digest('hex');

/** A server of the archive that understands ranges; its first answers stop after `cuts` bytes each. */
function standIn(...cuts: number[]): {
  fetch: NonNullable<DownloadMiniLMOptions['fetch']>;
  ranges: unknown[];
} {
  const ranges: unknown[] = [];
  const fetch = async (request: Request): Promise<Response> => {
    const range = request.headers.get('range');
    ranges.push(range);
    const from = Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
    if (from >= ARCHIVE.length) return new Response(null, { status: 416 });
    const rest = ARCHIVE.subarray(from);
    const cut = cuts.shift();
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(cut === undefined ? rest : rest.subarray(0, cut));
      if (cut !== undefined) throw new Error('the line went dead');
    };
    const body = ReadableStream.from(pieces()) as ReadableStream;
    const headers = { 'content-length': String(rest.length) };
    return new Response(body, { status: from === 0 ? 200 : 206, headers });
  };
  return { fetch, ranges };
}

describe('the download of all-MiniLM-L6-v2', () => {
  test('brings the files, tells how far it is, and does nothing where they are', async () => {
    const folder = temporaryDirectory();
    const { fetch, ranges } = standIn();
    const seen: (number | null)[][] = [];
    const options = {
      folder,
      fetch,
      sha256: SHA256,
      onProgress: (...told: [number, number | null]) => seen.push(told),
    };
    const target = await downloadMiniLM(options);
    expect(target).toBe(path.join(folder, 'onnx'));
    expect(readFileSync(path.join(target, 'model.onnx'), 'utf8')).toBe('m'.repeat(3_000));
    expect(readFileSync(path.join(target, 'tokenizer.json'), 'utf8')).toBe('{}');
    expect([seen[0], seen.at(-1)]).toEqual([
      [0, ARCHIVE.length],
      [ARCHIVE.length, ARCHIVE.length],
    ]);
    expect(existsSync(path.join(folder, 'onnx.tar.gz.partial'))).toBe(false);
    expect(await downloadMiniLM(options)).toBe(target);
    expect(ranges).toEqual([null]);
  });

  test('goes on where it was cut off', async () => {
    const folder = temporaryDirectory();
    const { fetch, ranges } = standIn(40, 30);
    const options = { folder, fetch, sha256: SHA256 };
    for (let i = 0; i < 2; i++) {
      await expect(downloadMiniLM(options)).rejects.toMatchObject({
        code: 'TESSERA_CONNECTION',
        message: expect.stringMatching(/the line went dead.*goes on/),
      });
      expect(existsSync(path.join(folder, 'onnx'))).toBe(false);
    }
    await downloadMiniLM(options);
    expect(ranges).toEqual([null, 'bytes=40-', 'bytes=70-']);
    expect(existsSync(path.join(folder, 'onnx/model.onnx'))).toBe(true);
  });

  test('finishes what had come wholly, and what had been unpacked in part', async () => {
    const folder = temporaryDirectory();
    writeFileSync(path.join(folder, 'onnx.tar.gz.partial'), ARCHIVE);
    await downloadMiniLM({ folder, fetch: standIn().fetch, sha256: SHA256 });
    expect(existsSync(path.join(folder, 'onnx/model.onnx'))).toBe(true);
  });

  test('begins anew where the server knows no ranges', async () => {
    const folder = temporaryDirectory();
    writeFileSync(path.join(folder, 'onnx.tar.gz.partial'), 'something old');
    const fetch = async (): Promise<Response> => new Response(new Uint8Array(ARCHIVE));
    await downloadMiniLM({ folder, fetch, sha256: SHA256 });
    expect(existsSync(path.join(folder, 'onnx/model.onnx'))).toBe(true);
  });

  test('refuses what has another checksum and leaves nothing of it', async () => {
    const folder = temporaryDirectory();
    const refused = downloadMiniLM({ folder, fetch: standIn().fetch });
    await expect(refused).rejects.toMatchObject({
      code: 'TESSERA_MODEL_DAMAGED',
      details: { sha256: SHA256 },
    });
    expect(existsSync(path.join(folder, 'onnx'))).toBe(false);
    expect(existsSync(path.join(folder, 'onnx.tar.gz.partial'))).toBe(false);
  });

  test('reports a server that refuses, and a signal that fires', async () => {
    const folder = temporaryDirectory();
    const fetch = async (): Promise<Response> => new Response('no', { status: 403 });
    await expect(downloadMiniLM({ folder, fetch })).rejects.toMatchObject({
      code: 'TESSERA_CONNECTION',
      message: expect.stringMatching(/403/),
    });
    const controller = new AbortController();
    const aborting = async (): Promise<Response> => {
      controller.abort();
      throw new Error('aborted');
    };
    await expect(
      downloadMiniLM({ folder, fetch: aborting, signal: controller.signal }),
    ).rejects.toMatchObject({ code: 'TESSERA_ABORTED' });
  });

  test('an archive that ends within a file is no archive', () => {
    const archive = tarOf({ 'onnx/model.onnx': 'x'.repeat(600) });
    expect([...tarFiles(archive)].map(({ name, bytes }) => [name, bytes.length])).toEqual([
      ['onnx/model.onnx', 600],
    ]);
    expect(() => [...tarFiles(archive.subarray(0, 800))]).toThrow(/ends within a file/);
  });
});
