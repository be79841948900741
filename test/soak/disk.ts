/**
 * A disk whose power may fail at any moment: what is on it for certain, and what was handed to it and not
 * synced.
 *
 * Of the bytes written to a file since its last sync, any may be there after the cut: each write wholly,
 * not at all, or some of its sectors. Of the names made and removed in a directory there are two models.
 * `ordered`: a journal, as of ext4; names change in the order in which they were changed, and a sync of
 * anything makes all earlier changes last. `adversarial`: no order, and a change of a name lasts for
 * certain once its directory itself is synced; the least that POSIX promises. A file or directory that
 * gets another name has one of the two in either model.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import type { Event } from './system-calls.ts';

export type NameOrder = 'ordered' | 'adversarial';

/** How the power fails. */
export interface Cut {
  readonly sectorBytes: number;
  readonly chance: () => number;
}

/** What a folder holds: paths in it, each directory before what is in it; `null` for a directory. */
export type Content = readonly (readonly [path: string, content: Buffer | null])[];

type Write = { readonly offset: number; readonly data: Buffer } | { readonly size: number };

class FileNode {
  durable: Buffer = Buffer.alloc(0);
  pending: Write[] = [];
}

class DirectoryNode {
  readonly durable = new Map<string, Node>();
  readonly current = new Map<string, Node>();
}

/** A file's or directory's content, whatever its name. */
type Node = FileNode | DirectoryNode;

/** What a name in a directory stands for now. */
interface Edit {
  readonly directory: DirectoryNode;
  readonly name: string;
  readonly node: Node | null;
}

/** Edits that are on the disk together, the last one being what a sync of its directory makes last. */
type NameChange = readonly Edit[];

/** Bytes of a file that is written to. */
class Bytes {
  #buffer: Buffer;
  #length: number;

  constructor(content: Buffer, writes: readonly Write[]) {
    const ends = writes.map((write) => ('size' in write ? write.size : write.offset + write.data.length));
    this.#buffer = Buffer.alloc(ends.reduce((most, end) => Math.max(most, end), content.length));
    this.#length = content.copy(this.#buffer);
  }

  do(write: Write): void {
    if ('size' in write) {
      if (write.size < this.#length) this.#buffer.fill(0, write.size, this.#length);
      this.#length = write.size;
      return;
    }
    write.data.copy(this.#buffer, write.offset);
    this.#length = Math.max(this.#length, write.offset + write.data.length);
  }

  get content(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}

/** See the top of this file. */
export class Disk {
  readonly #root: string;
  readonly #order: NameOrder;
  /** The directory above `root`, which lasts. */
  readonly #top = new DirectoryNode();
  #changes: NameChange[] = [];

  /** With `before`, a folder whose content is at `root` from the beginning. */
  constructor(root: string, order: NameOrder, before: string | null = null) {
    this.#root = root;
    this.#order = order;
    if (before !== null) this.#load(before);
  }

  /** Lets something happen. */
  do(event: Event): void {
    switch (event.kind) {
      case 'say':
        return;
      case 'open': {
        const file = this.#find(event.path);
        if (file === undefined) this.#name(event.path, new FileNode());
        else if (event.isEmptied && file instanceof FileNode) file.pending.push({ size: 0 });
        return;
      }
      case 'mkdir':
        this.#name(event.path, new DirectoryNode());
        return;
      case 'unlink':
        this.#name(event.path, null);
        return;
      case 'rename': {
        const node = this.#find(event.path)!;
        this.#change([this.#edit(event.path, null), this.#edit(event.target, node)]);
        return;
      }
      case 'write':
        // What is written to a file without a name can be seen by nobody.
        this.#file(event.path)?.pending.push({ offset: event.offset, data: event.data });
        return;
      case 'copy': {
        const { source, sourceOffset, length, path, offset } = event;
        const data = contentOf(this.#file(source)!).subarray(sourceOffset, sourceOffset + length);
        this.#file(path)?.pending.push({ offset, data });
        return;
      }
      case 'truncate':
        this.#file(event.path)?.pending.push({ size: event.size });
        return;
      case 'sync':
        this.#sync(event.path);
        return;
    }
  }

  /** What may be at `root` after a cut now. */
  cut({ sectorBytes, chance }: Cut): Content {
    const names = this.#cutNames(chance);
    // Some cuts keep nearly all, some hardly anything.
    const kept = chance();
    const content: [string, Buffer | null][] = [];
    const visit = (directory: DirectoryNode, path: string): void => {
      for (const [name, node] of names.get(directory) ?? directory.durable) {
        const place = join(path, name);
        if (node instanceof FileNode) content.push([place, cutContent(node, kept, sectorBytes, chance)]);
        else {
          content.push([place, null]);
          visit(node, place);
        }
      }
    };
    const root = (names.get(this.#top) ?? this.#top.durable).get(basename(this.#root));
    if (root instanceof DirectoryNode) visit(root, '');
    return content;
  }

  #load(before: string): void {
    const visit = (from: string): DirectoryNode => {
      const directory = new DirectoryNode();
      for (const entry of readdirSync(from, { withFileTypes: true })) {
        const path = join(from, entry.name);
        let node: Node;
        if (entry.isDirectory()) node = visit(path);
        else {
          node = new FileNode();
          node.durable = readFileSync(path);
        }
        directory.durable.set(entry.name, node);
        directory.current.set(entry.name, node);
      }
      return directory;
    };
    const root = visit(before);
    this.#top.durable.set(basename(this.#root), root);
    this.#top.current.set(basename(this.#root), root);
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#top;
    const way = relative(dirname(this.#root), path);
    for (const name of way === '' ? [] : way.split('/')) {
      node = node instanceof DirectoryNode ? node.current.get(name) : undefined;
    }
    return node;
  }

  #file(path: string): FileNode | null {
    const node = this.#find(path);
    return node instanceof FileNode ? node : null;
  }

  #edit(path: string, node: Node | null): Edit {
    return { directory: this.#find(dirname(path)) as DirectoryNode, name: basename(path), node };
  }

  #name(path: string, node: Node | null): void {
    this.#change([this.#edit(path, node)]);
  }

  #change(change: NameChange): void {
    for (const edit of change) setName(edit.directory.current, edit);
    this.#changes.push(change);
  }

  #sync(path: string): void {
    const node = this.#find(path);
    if (node instanceof FileNode) {
      node.durable = contentOf(node);
      node.pending = [];
    }
    const lasts = (change: NameChange): boolean =>
      this.#order === 'ordered' || change.at(-1)!.directory === node;
    for (const change of this.#changes.filter(lasts)) {
      for (const edit of change) setName(edit.directory.durable, edit);
    }
    this.#changes = this.#changes.filter((change) => !lasts(change));
  }

  /** Names in the directories in which some change may have reached the disk. */
  #cutNames(chance: () => number): Map<DirectoryNode, Map<string, Node>> {
    const names = new Map<DirectoryNode, Map<string, Node>>();
    const apply = (edit: Edit): void => {
      if (!names.has(edit.directory)) names.set(edit.directory, new Map(edit.directory.durable));
      setName(names.get(edit.directory)!, edit);
    };
    if (this.#order === 'ordered') {
      const count = Math.floor(chance() * (this.#changes.length + 1));
      this.#changes.slice(0, count).flat().forEach(apply);
      return names;
    }
    const kept = chance();
    /** Names whose later changes are lost, too: a name has one of the nodes that it has had. */
    const lost: Edit[] = [];
    for (const change of this.#changes) {
      const isBehind = change.some(({ directory, name }) =>
        lost.some((former) => former.directory === directory && former.name === name),
      );
      if (isBehind || chance() >= kept) lost.push(...change);
      else change.forEach(apply);
    }
    return names;
  }
}

/** Writes to `target`, which is not there yet, what a cut has left. */
export function writeContent(target: string, content: Content): void {
  mkdirSync(target);
  for (const [path, bytes] of content) {
    if (bytes === null) mkdirSync(join(target, path));
    else writeFileSync(join(target, path), bytes);
  }
}

function setName(names: Map<string, Node>, { name, node }: Edit): void {
  if (node === null) names.delete(name);
  else names.set(name, node);
}

function contentOf({ durable, pending }: FileNode): Buffer {
  if (pending.length === 0) return durable;
  const bytes = new Bytes(durable, pending);
  for (const write of pending) bytes.do(write);
  return bytes.content;
}

/** The synced content with some of what was written since: writes whole, torn or lost. */
function cutContent(
  { durable, pending }: FileNode,
  kept: number,
  sectorBytes: number,
  chance: () => number,
): Buffer {
  if (pending.length === 0) return durable;
  const bytes = new Bytes(durable, pending);
  for (const write of pending) {
    const fate = chance();
    if ('size' in write || fate < kept) {
      if (fate < kept) bytes.do(write);
      continue;
    }
    const isTorn = chance() < 0.5;
    if (!isTorn) continue;
    for (const part of sectorsOf(write, sectorBytes)) if (chance() < kept) bytes.do(part);
  }
  return bytes.content;
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
