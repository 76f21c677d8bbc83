/** A file of the host that Bulkhead changes as root: read and replaced whole, and never through a symbolic link. */
import { fsyncSync, mkdirSync, rmdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { causedBy, failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf, errnoOf } from '../../../packages/base/io/errno.ts';
import { pinWithoutLinks } from './pin-without-links.ts';
import {
  directoryProblem,
  pinDirectory,
  problemOfItself,
  type PinnedDirectory,
} from '../../../packages/base/io/pinned-directory.ts';
import { openRegularFile, readWhole } from '../../../packages/base/io/regular-file.ts';
import {
  removeIfThere,
  removeLeftovers,
  replaceIn,
} from '../../../packages/base/io/replace-file.ts';

export interface HostFile {
  readonly path: string;
  /** Set for our own state: an administrator may have moved its directory, and left a link. Only root can change either. */
  readonly links?: 'follow';
  /**
   * Whether it is in a tenant's home, where a panel keeps it. Its directory must exist and be root's; those above are
   * not checked.
   */
  readonly inHome?: boolean;
  /** Whether its directory is only for such files, and is removed when it is empty. */
  readonly ownDirectory?: boolean;
  /** Permission bits if it is new; 0644 if absent. */
  readonly newMode?: number;
}

export interface FileContent {
  readonly bytes: Uint8Array;
  /** Permission bits. */
  readonly mode: number;
  /** The owner; if absent, whoever runs this. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

const bytesMax = 16 * 2 ** 20;
const newMode = 0o644;

const pin = ({ path, links }: HostFile) =>
  links === 'follow' ? pinDirectory(dirname(path)) : pinWithoutLinks(dirname(path));

/** Reads the file; undefined if there is none. */
export function readHostFile(file: HostFile): Result<FileContent | undefined, Problem> {
  const { path } = file;
  const pinned = pin(file);
  if (!pinned.ok) return pinned.error.errno === 'ENOENT' ? ok(undefined) : pinned;
  using directory = pinned.value;
  const opened = openRegularFile(directory.at(basename(path)), { links: 'refuse', shownAs: path });
  if (!opened.ok) return opened.error.errno === 'ENOENT' ? ok(undefined) : opened;
  using open = opened.value;
  const bytes = readWhole(open, bytesMax);
  if (!bytes.ok) return bytes;
  const { mode, uid, gid } = open.stat;
  return ok({ bytes: bytes.value, mode: mode & 0o7777, owner: { uid, gid } });
}

/** Returns the content of a file that is new, or replaces this one and keeps its mode and owner. */
export const contentAfter = (
  before: FileContent | undefined,
  text: string,
  mode = newMode,
): FileContent => ({
  mode,
  ...before,
  bytes: Buffer.from(text),
});

export const sameBytes = (a: FileContent | undefined, b: FileContent | undefined): boolean =>
  a === undefined || b === undefined ? a === b : Buffer.from(a.bytes).equals(b.bytes);

/** Writes the file whole, or removes it. A reader finds the old content or the new one. */
export function putHostFile(
  file: HostFile,
  content: FileContent | undefined,
): Result<void, Problem> {
  const { path, inHome = false } = file;
  const action = content === undefined ? 'remove' : 'write';
  const cannot = (cause: Cause) => failed({ ...cause, action, object: path });
  try {
    if (content !== undefined && !inHome)
      mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    const pinned = pin(file);
    if (!pinned.ok) {
      if (content === undefined && pinned.error.errno === 'ENOENT') return ok(undefined);
      return cannot(causedBy(pinned.error));
    }
    using directory = pinned.value;
    const problem = (inHome ? problemOfItself : directoryProblem)(directory);
    if (problem !== undefined) return cannot(problem);
    removeLeftovers(directory, basename(path));
    if (content === undefined) return remove(file, directory);
    return replaceIn(directory, basename(path), content.bytes, content);
  } catch (error) {
    return cannot(causeOf(error));
  }
}

function remove(
  { path, ownDirectory }: HostFile,
  directory: PinnedDirectory,
): Result<void, Problem> {
  removeIfThere(directory.at(basename(path)));
  fsyncSync(directory.fd);
  if (ownDirectory === true) removeIfEmpty(dirname(path));
  return ok(undefined);
}

function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(errnoOf(error))) throw error;
  }
}
