/**
 * Fetches all-MiniLM-L6-v2 when somebody asks for it, and never otherwise.
 *
 * What is fetched is the archive of Chroma's Python client, and it comes to where that client keeps it, so
 * that both use the same files. It is written to a file beside, which a later call continues where an
 * earlier one was cut off; the whole has to have the checksum that is written here, and is unpacked into a
 * folder that is renamed when it is complete. So there is either the model or nothing of it.
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { DatabaseError, throwIfAborted } from '../../base/index.ts';
import { appendBytes, fileBytes, readFileIfThere, systemFiles } from '../../io/index.ts';
import { chromaFolder } from './minilm-files.ts';
import { tarFiles } from './tar.ts';

/** The archive of Chroma's Python client, with its checksum in chromadb 1.x. */
const ARCHIVE_URL = 'https://chroma-onnx-models.s3.amazonaws.com/all-MiniLM-L6-v2/onnx.tar.gz';
const ARCHIVE_SHA256 = '913d7300ceae3b2dbc2c50d1de4baacab4be7b9380491c27fab7418616a16ec3';
/** The folder in the archive. */
const INNER = 'onnx';

/** What `downloadMiniLM` takes. */
export interface DownloadMiniLMOptions {
  /** Folder that gets a folder `onnx`; by default that of Chroma's Python client. */
  readonly folder?: string | undefined;
  /** Is told how many bytes have come, and of how many, where the server says. */
  readonly onProgress?: ((received: number, total: number | null) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Sends the request; default the global `fetch`. */
  readonly fetch?: ((request: Request) => Promise<Response>) | undefined;
  /** Another place of the archive, such as a mirror, and the checksum (SHA-256, in hex) of what is there. */
  readonly url?: string | undefined;
  readonly sha256?: string | undefined;
}

/**
 * Downloads the model (80 MB), unless it is there, and returns its folder, for `modelPath`.
 *
 * Errors: `TESSERA_CONNECTION` when the server cannot be reached or refuses, after which another call goes on
 * where this one stopped; `TESSERA_MODEL_DAMAGED` when what came has another checksum; `TESSERA_ABORTED`;
 * `TESSERA_DISK_FULL`, `TESSERA_READ_ONLY`, `TESSERA_IO`.
 */
export async function downloadMiniLM(options: DownloadMiniLMOptions = {}): Promise<string> {
  const folder = options.folder ?? chromaFolder();
  const target = path.join(folder, INNER);
  if (fileBytes(path.join(target, 'model.onnx')) !== null) return target;
  systemFiles.makeDirectory(folder);
  const partial = path.join(folder, 'onnx.tar.gz.partial');
  await fetchArchive(partial, options);
  const archive = readFileIfThere(partial) ?? new Uint8Array(0);
  const sha256 = createHash('sha256').update(archive).digest('hex');
  if (sha256 !== (options.sha256 ?? ARCHIVE_SHA256)) {
    systemFiles.remove(partial);
    throw new DatabaseError(
      'TESSERA_MODEL_DAMAGED',
      `Expected an archive with the SHA-256 ${options.sha256 ?? ARCHIVE_SHA256} from ${options.url ?? ARCHIVE_URL}, got ` +
        `${sha256} (${archive.length} bytes). It was removed; download it again.`,
      { details: { sha256 } },
    );
  }
  await unpack(archive, folder, target);
  systemFiles.remove(partial);
  return target;
}

/** Brings the archive into `partial`, after what is there of it already. */
async function fetchArchive(partial: string, options: DownloadMiniLMOptions): Promise<void> {
  const { url = ARCHIVE_URL, signal, onProgress } = options;
  const send = options.fetch ?? ((request: Request) => globalThis.fetch(request));
  const held = fileBytes(partial) ?? 0;
  const headers = held === 0 ? {} : { range: `bytes=${held}-` };
  try {
    const response = await send(new Request(url, { headers, ...(signal === undefined ? {} : { signal }) }));
    // There is nothing beyond what is held: the checksum tells whether that is all of it.
    if (response.status === 416) return;
    if (!response.ok || response.body === null) throw new Error(`the server answered ${response.status}`);
    const isContinued = response.status === 206 && held > 0;
    if (!isContinued) systemFiles.remove(partial);
    let received = isContinued ? held : 0;
    const announced = Number(response.headers.get('content-length') ?? Number.NaN);
    const total = Number.isFinite(announced) ? received + announced : null;
    onProgress?.(received, total);
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      await appendBytes(partial, chunk);
      received += chunk.length;
      onProgress?.(received, total);
    }
  } catch (cause) {
    throwIfAborted(signal);
    if (cause instanceof DatabaseError) throw cause;
    throw unreachable(url, cause);
  }
}

function unreachable(url: string, cause: unknown): DatabaseError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `The download of ${url} failed: ${reason}. Call it again: it goes on where it stopped.`;
  return new DatabaseError('TESSERA_CONNECTION', message, { details: { url }, cause });
}

/** Writes the archive's files into a folder beside and gives it its name when all are there. */
async function unpack(archive: Uint8Array, folder: string, target: string): Promise<void> {
  const beside = `${target}.unpacking`;
  systemFiles.removeDirectory(beside);
  systemFiles.makeDirectory(beside);
  for (const { name, bytes } of tarFiles(await promisify(gunzip)(archive))) {
    // A name alone, whatever folders the archive wants to have.
    systemFiles.write(path.join(beside, path.basename(name)), [bytes]);
  }
  systemFiles.removeDirectory(target);
  systemFiles.rename(beside, target);
  systemFiles.syncDirectory(folder);
}
