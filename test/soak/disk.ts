/**
 * A disk whose power may fail at any moment: what is on it for certain, and what was handed to it and not
 * synced.
 *
 * Of the bytes written to a file since its last sync, any may be there after the cut: each write wholly,
 * not at all, or some of its sectors. Of the names made and removed in a directory there are two models.
 * `ordered`: a journal, as of ext4; names change in the order in which they were changed, and a sync of
 * anything makes all earlier changes last. `adversarial`: no order, and a change of a name lasts for
 * certain once its directory itself is synced; the least that POSIX promises.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Event } from './system-calls.ts';

export type NameOrder = 'ordered' | 'adversarial';

/** How the power fails. */
export interface Cut {
  readonly sectorBytes: number;
  readonly chance: () => number;
}

type Write = { readonly offset: number; readonly data: Buffer } | { readonly size: number };

/** A file's or directory's content, whatever its name. */
interface Node {
  readonly isDirectory: boolean;
  durable: Buffer;
  pending: Write[];
}

interface NameChange {
  readonly path: string;
  readonly node: Node | null;
}

function grown(buffer: Buffer, size: number): Buffer {
  if (size <= buffer.length) return buffer;
  const larger = Buffer.alloc(size);
  buffer.copy(larger);
  return larger;
}

function applyWrite(content: Buffer, write: Write): Buffer {
  if ('size' in write) {
    return write.size <= content.length ? content.subarray(0, write.size) : grown(content, write.size);
  }
  const end = write.offset + write.data.length;
  const target = grown(content, end);
  write.data.copy(target, write.offset);
  return target;
}

/** See the top of this file. */
export class Disk {
  readonly #root: string;
  readonly #order: NameOrder;
  readonly #current = new Map<string, Node>();
  readonly #durable = new Map<string, Node>();
  #changes: NameChange[] = [];

  /** The directory above `root` exists. */
  constructor(root: string, order: NameOrder) {
    this.#root = root;
    this.#order = order;
  }

  /** Lets something happen. */
  do(event: Event): void {
    switch (event.kind) {
      case 'say':
        return;
      case 'create':
      case 'mkdir': {
        const isDirectory = event.kind === 'mkdir';
        this.#name(event.path, { isDirectory, durable: Buffer.alloc(0), pending: [] });
        return;
      }
      case 'unlink':
        this.#name(event.path, null);
        return;
      case 'rename': {
        const node = this.#current.get(event.path)!;
        this.#name(event.path, null);
        this.#name(event.target, node);
        return;
      }
      case 'write':
        // What is written to a file without a name can be seen by nobody.
        this.#current.get(event.path)?.pending.push({ offset: event.offset, data: event.data });
        return;
      case 'truncate':
        this.#current.get(event.path)?.pending.push({ size: event.size });
        return;
      case 'sync':
        this.#sync(event.path);
        return;
    }
  }

  /** Writes to `target`, which is not there yet, what may be on the disk after a cut now. */
  writeCut(target: string, { sectorBytes, chance }: Cut): void {
    const names = this.#cutNames(chance);
    // Some cuts keep nearly all, some hardly anything.
    const kept = chance();
    mkdirSync(target);
    const reached = new Set([dirname(this.#root)]);
    for (const [path, node] of [...names].sort(([a], [b]) => a.length - b.length)) {
      if (!reached.has(dirname(path))) continue;
      const place = join(target, relative(this.#root, path));
      if (node.isDirectory) {
        reached.add(path);
        mkdirSync(place, { recursive: true });
      } else writeFileSync(place, cutContent(node, kept, sectorBytes, chance));
    }
  }

  #name(path: string, node: Node | null): void {
    if (node === null) this.#current.delete(path);
    else this.#current.set(path, node);
    this.#changes.push({ path, node });
  }

  #sync(path: string): void {
    const node = this.#current.get(path);
    if (node !== undefined && !node.isDirectory) {
      node.durable = node.pending.reduce(applyWrite, Buffer.from(node.durable));
      node.pending = [];
    }
    const lasts = (change: NameChange): boolean => this.#order === 'ordered' || dirname(change.path) === path;
    for (const change of this.#changes.filter(lasts)) setName(this.#durable, change);
    this.#changes = this.#changes.filter((change) => !lasts(change));
  }

  #cutNames(chance: () => number): Map<string, Node> {
    const names = new Map(this.#durable);
    if (this.#order === 'ordered') {
      const count = Math.floor(chance() * (this.#changes.length + 1));
      for (const change of this.#changes.slice(0, count)) setName(names, change);
      return names;
    }
    const kept = chance();
    /** Paths whose later changes are lost, too: a name has one of the nodes that it has had. */
    const lost = new Set<string>();
    for (const change of this.#changes) {
      if (lost.has(change.path) || chance() >= kept) lost.add(change.path);
      else setName(names, change);
    }
    return names;
  }
}

function setName(names: Map<string, Node>, { path, node }: NameChange): void {
  if (node === null) names.delete(path);
  else names.set(path, node);
}

/** The synced content with some of what was written since: writes whole, torn or lost. */
function cutContent(node: Node, kept: number, sectorBytes: number, chance: () => number): Buffer {
  let content = Buffer.from(node.durable);
  for (const write of node.pending) {
    const fate = chance();
    if ('size' in write || fate < kept) {
      if (fate < kept) content = applyWrite(content, write) as Buffer<ArrayBuffer>;
      continue;
    }
    const isTorn = chance() < 0.5;
    if (!isTorn) continue;
    for (const part of sectorsOf(write, sectorBytes)) {
      if (chance() < kept) content = applyWrite(content, part) as Buffer<ArrayBuffer>;
    }
  }
  return content;
}

/** The parts of a write that lie in different sectors. */
function* sectorsOf(
  { offset, data }: { offset: number; data: Buffer },
  sectorBytes: number,
): Iterable<Write> {
  for (let start = offset; start < offset + data.length; ) {
    const end = Math.min(offset + data.length, (Math.floor(start / sectorBytes) + 1) * sectorBytes);
    yield { offset: start, data: data.subarray(start - offset, end - offset) };
    start = end;
  }
}
