/**
 * The memory of blobs that were read, given back before the garbage collector comes by.
 *
 * A driver copies every blob out of SQLite. The collector counts the small objects of the heap, and comes by
 * when some hundreds of blobs lie about; the memory that the C library took for those stays with the process.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';

/** A port that nobody listens to. What is moved to it is gone. */
let nowhere: MessagePort | undefined;

/**
 * Frees bytes that a driver has read. Views of them have length 0 from then on. Bytes that share their memory
 * with others are left alone.
 */
export function giveBack(bytes: ArrayBufferView): void {
  const { buffer } = bytes;
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== bytes.byteLength) return;
  if (nowhere === undefined) {
    nowhere = new MessageChannel().port1;
    nowhere.close();
  }
  nowhere.postMessage(undefined, [buffer]);
}
