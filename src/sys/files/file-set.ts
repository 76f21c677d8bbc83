/**
 * Files and links as they should be, as they are, and the changes from one to the other, and back if they fail.
 */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf, errnoOf } from '../../../packages/base/io/errno.ts';
import { pinDirectory } from '../../../packages/base/io/pinned-directory.ts';
import { readBounded, decodeText } from '../../../packages/base/io/regular-file.ts';
import { replaceIn } from '../../../packages/base/io/replace-file.ts';

export type Content =
  | { readonly kind: 'file'; readonly text: string; readonly mode: number; readonly gid: number }
  | { readonly kind: 'link'; readonly target: string };

/** Files and links by path. */
export type FileSet = ReadonlyMap<string, Content>;

export const file = (text: string, mode = 0o644, gid = 0): Content => ({
  kind: 'file',
  text,
  mode,
  gid,
});

export interface FileSetChange {
  readonly path: string;
  /** Absent if it is to be removed. */
  readonly to?: Content;
}

const bytesMax = 16 * 2 ** 20;

/** Returns the file or link at a path; nothing if neither is there. */
export function contentAt(path: string): Content | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isSymbolicLink() === true) return { kind: 'link', target: readlinkSync(path) };
  if (stat?.isFile() !== true) return undefined;
  const read = readBounded(path, bytesMax, { links: 'refuse' });
  if (!read.ok) return undefined;
  return file(decodeText(read.value), stat.mode & 0o7777, stat.uid === 0 ? stat.gid : -1);
}

export const sameContent = (a: Content | undefined, b: Content | undefined): boolean =>
  JSON.stringify(a) === JSON.stringify(b);

export function changesBetween(now: FileSet, wanted: FileSet): readonly FileSetChange[] {
  return [
    ...[...wanted].flatMap(([path, to]) => (sameContent(now.get(path), to) ? [] : [{ path, to }])),
    ...[...now.keys()].flatMap((path) => (wanted.has(path) ? [] : [{ path }])),
  ];
}

/** Applies changes up to the first that fails. */
export function applyFileChanges(changes: readonly FileSetChange[]): Result<void, Problem> {
  for (const { path, to } of changes) {
    const done = to === undefined ? removeFile(path) : writeContent(path, to);
    if (!done.ok) return done;
  }
  return ok(undefined);
}

function writeContent(path: string, content: Content): Result<void, Problem> {
  const made = makeDirectory(dirname(path));
  if (!made.ok) return made;
  const pinned = pinDirectory(dirname(path), 'refuse');
  if (!pinned.ok) return pinned;
  using directory = pinned.value;
  if (content.kind === 'file') {
    const { text, mode, gid } = content;
    return replaceIn(directory, basename(path), text, { mode, owner: { uid: 0, gid } });
  }
  const temporary = directory.at(`.${basename(path)}.${randomBytes(8).toString('hex')}.tmp`);
  try {
    symlinkSync(content.target, temporary);
    renameSync(temporary, directory.at(basename(path)));
    return ok(undefined);
  } catch (error) {
    return failed({ ...causeOf(error), action: 'write the link', object: path });
  }
}

/**
 * Makes the directory, and all that are missing above it. Everybody may pass through them, whatever the umask is.
 */
function makeDirectory(path: string): Result<void, Problem> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return ok(undefined);
  const above = makeDirectory(dirname(path));
  if (!above.ok) return above;
  try {
    mkdirSync(path);
    chmodSync(path, 0o755);
    return ok(undefined);
  } catch (error) {
    return failed({ ...causeOf(error), action: 'make the directory', object: path });
  }
}

function removeFile(path: string): Result<void, Problem> {
  const pinned = pinDirectory(dirname(path), 'refuse');
  if (!pinned.ok) return pinned.error.errno === 'ENOENT' ? ok(undefined) : pinned;
  using directory = pinned.value;
  try {
    unlinkSync(directory.at(basename(path)));
    return ok(undefined);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return ok(undefined);
    return failed({ ...causeOf(error), action: 'remove', object: path });
  }
}

/** Removes each of these that is empty, in this order. */
export function removeEmptyDirectories(paths: readonly string[]): void {
  for (const path of paths) {
    try {
      rmdirSync(path);
    } catch {
      // It is not there, or somebody else has a file in it.
    }
  }
}
