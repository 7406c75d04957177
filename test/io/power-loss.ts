import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import type { Call } from './disks.js';

/** A file: what the process wrote, and what of it is on the disk. */
interface FileNode {
  written: Uint8Array;
  durable: Uint8Array;
}

/** A folder: its names as the process sees them, and as they are on the disk. */
interface FolderNode {
  seen: Map<string, Node>;
  durable: Map<string, Node>;
}
type Node = FileNode | FolderNode;
const isFolder = (node: Node): node is FolderNode => 'seen' in node;

/** What may be left of something not flushed: what was on the disk, a torn piece, or all of it. */
export type Luck = (choices: number) => number;

/**
 * A file system that loses its power: data and names reach the disk only by a flush, and anything not flushed may or
 * may not be there, file by file and folder by folder.
 */
export class PoweredDisk {
  private readonly root: FolderNode;

  /** @param base a folder whose content is on the disk already */
  constructor(private readonly base: string) {
    this.root = readTree(base);
  }

  private folder(path: string): FolderNode {
    let at: FolderNode = this.root;
    for (const name of relative(this.base, path).split('/').filter(Boolean)) {
      const next = at.seen.get(name);
      if (next === undefined || !isFolder(next)) throw new Error(`no folder ${path}`);
      at = next;
    }
    return at;
  }

  private file(path: string): FileNode {
    const node = this.folder(dirname(path)).seen.get(basename(path));
    if (node === undefined || isFolder(node)) throw new Error(`no file ${path}`);
    return node;
  }

  apply({ what, path, to, bytes }: Call): void {
    const parent = path === this.base ? this.root : this.folder(dirname(path));
    const name = basename(path);
    if (what === 'makeFolder') {
      if (!parent.seen.has(name)) parent.seen.set(name, { seen: new Map(), durable: new Map() });
    } else if (what === 'create') parent.seen.set(name, { written: new Uint8Array(0), durable: new Uint8Array(0) });
    else if (what === 'write') this.file(path).written = Buffer.concat([this.file(path).written, bytes ?? Buffer.of()]);
    else if (what === 'sync') this.file(path).durable = this.file(path).written;
    else if (what === 'syncFolder') this.folder(path).durable = new Map(this.folder(path).seen);
    else if (what === 'remove') parent.seen.delete(name);
    else {
      const node = parent.seen.get(name);
      if (node === undefined || to === undefined) throw new Error(`no ${path}`);
      parent.seen.delete(name);
      this.folder(dirname(to)).seen.set(basename(to), node);
    }
  }

  /** Writes into `target` what is found after the power comes back. */
  fail(target: string, luck: Luck): void {
    rmSync(target, { recursive: true, force: true });
    writeTree(this.root, target, luck);
  }
}

function readTree(path: string): FolderNode {
  const names = readdirSync(path).map((name): [string, Node] => {
    const inside = join(path, name);
    if (statSync(inside).isDirectory()) return [name, readTree(inside)];
    const bytes = new Uint8Array(readFileSync(inside));
    return [name, { written: bytes, durable: bytes }];
  });
  return { seen: new Map(names), durable: new Map(names) };
}

function writeTree(folder: FolderNode, target: string, luck: Luck): void {
  mkdirSync(target, { recursive: true });
  for (const name of new Set([...folder.durable.keys(), ...folder.seen.keys()])) {
    const [durable, seen] = [folder.durable.get(name), folder.seen.get(name)];
    const node = durable === seen || luck(2) === 0 ? durable : seen;
    if (node === undefined) continue;
    if (isFolder(node)) writeTree(node, join(target, name), luck);
    else writeFileSync(join(target, name), survived(node, luck));
  }
}

/** Sectors of 512 bytes reach the disk one by one. */
function survived({ durable, written }: FileNode, luck: Luck): Uint8Array {
  if (durable === written) return durable;
  const choice = luck(4);
  if (choice === 0) return durable;
  if (choice === 1) return written;
  const sectors = luck(Math.ceil(written.length / 512) + 1) * 512;
  const torn = written.subarray(0, sectors);
  return choice === 2 ? torn : Buffer.concat([torn, new Uint8Array(written.length - torn.length)]);
}

export function copyFolder(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true });
}
