/**
 * The files of a package. Modes and dates never depend on the machine: the umask, the time and the clone's own modes
 * have no effect.
 */
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  lutimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

export type TreeEntry =
  | { readonly kind: 'directory'; readonly mode: number }
  | { readonly kind: 'file'; readonly mode: number; readonly from: string }
  | { readonly kind: 'text'; readonly mode: number; readonly content: Uint8Array }
  | { readonly kind: 'link'; readonly target: string };

export class Tree {
  readonly #entries = new Map<string, TreeEntry>();

  /** Returns the entries by path, absolute, with each directory before what is in it. */
  get entries(): readonly (readonly [path: string, entry: TreeEntry])[] {
    return [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  copy(path: string, from: string, mode = 0o644): void {
    this.#add(path, { kind: 'file', mode, from });
  }

  write(path: string, content: string | Uint8Array, mode = 0o644): void {
    this.#add(path, { kind: 'text', mode, content: Buffer.from(content) });
  }

  /** Adds a compressed file as `gzip -9n` would make it: without a date. */
  writeGzip(path: string, content: string): void {
    const compressed = gzipSync(content, { level: 9 });
    this.#add(`${path}.gz`, { kind: 'text', mode: 0o644, content: compressed });
  }

  link(path: string, target: string): void {
    this.#add(path, { kind: 'link', target });
  }

  /** Returns a tree with the same entries, which can get more. */
  clone(): Tree {
    const tree = new Tree();
    for (const [path, entry] of this.#entries) tree.#entries.set(path, entry);
    return tree;
  }

  #add(path: string, entry: TreeEntry): void {
    for (let parent = dirname(path); parent !== '/'; parent = dirname(parent))
      this.#entries.set(parent, { kind: 'directory', mode: 0o755 });
    this.#entries.set(path, entry);
  }

  /** Writes the files below a new directory. */
  writeTo(directory: string, epoch: number): void {
    mkdirSync(directory, { recursive: true });
    chmodSync(directory, 0o755);
    for (const [path, entry] of this.entries) writeEntry(`${directory}${path}`, entry);
    // A directory's date changes with what is written to it.
    for (const [path, { kind }] of [...this.entries].reverse())
      (kind === 'link' ? lutimesSync : utimesSync)(`${directory}${path}`, epoch, epoch);
    utimesSync(directory, epoch, epoch);
  }
}

function writeEntry(path: string, entry: TreeEntry): void {
  switch (entry.kind) {
    case 'directory':
      mkdirSync(path);
      break;
    case 'link':
      symlinkSync(entry.target, path);
      return;
    case 'file':
      copyFileSync(entry.from, path);
      break;
    case 'text':
      writeFileSync(path, entry.content);
      break;
  }
  chmodSync(path, entry.mode);
}

/** Returns the content of a file of the tree; undefined of what is not a file. */
export function contentOf(entry: TreeEntry): Uint8Array | undefined {
  if (entry.kind === 'text') return entry.content;
  return entry.kind === 'file' ? readFileSync(entry.from) : undefined;
}

export const digestOf = (algorithm: 'md5' | 'sha256', content: Uint8Array): string =>
  createHash(algorithm).update(content).digest('hex');
