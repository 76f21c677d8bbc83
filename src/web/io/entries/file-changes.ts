/**
 * Changes a few files as one, to a text or to nothing. If one cannot be written, the files before it get back what
 * they had. Only files that carry our mark are ever replaced or removed.
 */
import { mkdirSync, rmdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { causedBy, failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { causeOf, errnoOf } from '../../../../packages/base/io/errno.ts';
import {
  directoryProblem,
  problemOfItself,
  type PinnedDirectory,
} from '../../../../packages/base/io/pinned-directory.ts';
import { pinWithoutLinks } from '../../../sys/files/pin-without-links.ts';
import { openRegularFile, readWhole, textOf } from '../../../../packages/base/io/regular-file.ts';
import {
  removeIfThere,
  removeLeftovers,
  replaceIn,
  type Replacement,
} from '../../../../packages/base/io/replace-file.ts';

export interface WantedFile {
  readonly path: string;
  /** The text; undefined if the file is not to exist. */
  readonly text: string | undefined;
  /**
   * Whether it is a file that a panel keeps in a tenant's home. Directories above its own are then not checked:
   * its own must be root's, and no link may lead there.
   */
  readonly inHome?: boolean;
  /** The mode and owner that the file keeps, if it is the administrator's. */
  readonly replacement?: Replacement;
}

export interface FileChange extends WantedFile {
  readonly before: string | undefined;
}

const bytesMax = 16 * 2 ** 20;
const mode = 0o644;

/** Returns what differs now. A file of somebody else's under one of our names is a problem. */
export function changesTo(
  wanted: readonly WantedFile[],
  mark: string,
): Result<readonly FileChange[], Problem> {
  const changes: FileChange[] = [];
  for (const each of wanted) {
    const read = readNow(each);
    if (!read.ok) return read;
    const before = read.value;
    if (before === each.text) continue;
    if (before !== undefined && !before.startsWith(mark)) {
      const reason = "a file that is not Bulkhead's is there";
      return failed({
        action: 'write',
        object: each.path,
        reason,
        hint: 'move it away first',
      });
    }
    changes.push({ ...each, before });
  }
  return ok(changes);
}

function readNow({ path }: WantedFile): Result<string | undefined, Problem> {
  const pinned = pinWithoutLinks(dirname(path));
  if (!pinned.ok) return pinned.error.errno === 'ENOENT' ? ok(undefined) : pinned;
  using directory = pinned.value;
  const opened = openRegularFile(directory.at(basename(path)), { links: 'refuse', shownAs: path });
  if (!opened.ok) return opened.error.errno === 'ENOENT' ? ok(undefined) : opened;
  using file = opened.value;
  const bytes = readWhole(file, bytesMax);
  return bytes.ok ? ok(textOf(bytes.value)) : bytes;
}

/** Writes all of them, or none. */
export function writeChanges(changes: readonly FileChange[]): Result<void, Problem> {
  for (const [index, change] of changes.entries()) {
    const written = put(change);
    if (written.ok) continue;
    const reverted = revertChanges(changes.slice(0, index));
    return reverted.ok ? written : reverted;
  }
  return ok(undefined);
}

/** Restores the texts of before, the last change first. Goes on after a failure, and returns the first one. */
export function revertChanges(changes: readonly FileChange[]): Result<void, Problem> {
  const undone = changes.toReversed().map((each) => put({ ...each, text: each.before }));
  return undone.find((each) => !each.ok) ?? ok(undefined);
}

function put({
  path,
  text,
  inHome = false,
  replacement = { mode },
}: WantedFile): Result<void, Problem> {
  const action = text === undefined ? 'remove' : 'write';
  try {
    if (text !== undefined && !inHome) makeDirectory(dirname(path));
    const pinned = pinWithoutLinks(dirname(path));
    if (!pinned.ok) {
      if (text === undefined && pinned.error.errno === 'ENOENT') return ok(undefined);
      return failed({ ...causedBy(pinned.error), action, object: path });
    }
    using directory = pinned.value;
    const problem = (inHome ? problemOfItself : directoryProblem)(directory);
    if (problem !== undefined) return failed({ ...problem, action, object: path });
    removeLeftovers(directory, basename(path));
    return text === undefined
      ? remove(directory, path)
      : replaceIn(directory, basename(path), text, replacement);
  } catch (error) {
    return failed({ ...causeOf(error), action, object: path });
  }
}

/** Removes the file, and its directory if that was made for it and is empty now. */
function remove(directory: PinnedDirectory, path: string): Result<void, Problem> {
  removeIfThere(directory.at(basename(path)));
  if (basename(dirname(path)) === 'bulkhead') removeIfEmpty(dirname(path));
  return ok(undefined);
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o755 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOTEMPTY') throw error;
  }
}
