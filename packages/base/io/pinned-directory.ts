/**
 * A directory kept open, and used to reach its files, so that nobody can put another directory in its place between a
 * check and its use. Names are single components.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readlinkSync,
  statSync,
  type Stats,
} from 'node:fs';
import { dirname } from 'node:path';
import { failed, type Cause, type Problem } from '../problem.ts';
import { ok, type Result } from '../result.ts';
import { causeOf, quoted } from './errno.ts';

export interface PinnedDirectory extends Disposable {
  readonly fd: number;
  readonly path: string;
  /** Returns a path to a file in it that stays valid whatever happens to the directory's own path. */
  readonly at: (name: string) => string;
}

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;

/**
 * Opens the directory. A path that the administrator named may be a symbolic link; a directory of our own, or one that
 * was found, may not. Node opens every file with O_CLOEXEC, so no child inherits it.
 */
export function pinDirectory(
  path: string,
  links: 'follow' | 'refuse' = 'follow',
): Result<PinnedDirectory, Problem> {
  let fd: number;
  try {
    fd = openSync(path, O_RDONLY | O_DIRECTORY | (links === 'refuse' ? O_NOFOLLOW : 0));
  } catch (error) {
    return failed({ ...openCause(error, links), action: 'open the directory', object: path });
  }
  return ok(pinned(fd, path));
}

/** Returns the cause of a failed open. With both flags the kernel returns ENOTDIR for a link. */
function openCause(error: unknown, links: 'follow' | 'refuse'): Cause {
  const cause = causeOf(error);
  if (links === 'follow' || (cause.errno !== 'ENOTDIR' && cause.errno !== 'ELOOP')) return cause;
  return { ...cause, reason: 'it is a symbolic link or not a directory', hint: 'remove it' };
}

/** Wraps an open descriptor of a directory. */
export const pinned = (fd: number, path: string): PinnedDirectory => ({
  fd,
  path,
  at: (name) => `/proc/self/fd/${fd}/${name}`,
  [Symbol.dispose]: () => closeSync(fd),
});

/** Returns why somebody else could replace the directory's contents, and the remedy. */
export function directoryProblem(directory: PinnedDirectory): Cause | undefined {
  return problemOfItself(directory) ?? problemAbove(directory);
}

/** Returns the same for only the directory itself, wherever it is. */
export function problemOfItself(directory: PinnedDirectory): Cause | undefined {
  const stat = fstatSync(directory.fd);
  const shown = quoted(directory.path);
  if (!isTrusted(stat.uid)) {
    return {
      reason: `its directory ${shown} belongs to uid ${stat.uid}`,
      hint: `run: chown root ${directory.path}`,
    };
  }
  if (!keepsNames(stat)) {
    return {
      reason: `its directory ${shown} can be written by others`,
      hint: `run: chmod go-w ${directory.path}`,
    };
  }
  return undefined;
}

/** Whether it is a directory, not a link, in which nobody else could replace the contents. */
export function isRootsDirectory(path: string): boolean {
  const pinned = pinDirectory(path, 'refuse');
  if (!pinned.ok) return false;
  using directory = pinned.value;
  return directoryProblem(directory) === undefined;
}

/** More levels than a path can have. */
const depthMax = 4096;

/** Returns the problem of a directory above: whoever can rename one can put another in its place. */
function problemAbove(directory: PinnedDirectory): Cause | undefined {
  const root = statSync('/');
  let path = readlinkSync(`/proc/self/fd/${directory.fd}`);
  for (let depth = 1; depth <= depthMax; depth++) {
    const stat = statSync(directory.at('../'.repeat(depth)));
    path = dirname(path);
    if (!isTrusted(stat.uid) || !keepsNames(stat)) {
      const owner = isTrusted(stat.uid) ? 'can be written by others' : `belongs to uid ${stat.uid}`;
      return {
        reason: `the directory ${quoted(path)} above it ${owner}`,
        hint: 'use a path that only root can change',
      };
    }
    if (stat.ino === root.ino && stat.dev === root.dev) return undefined;
  }
  return { reason: `it is more than ${depthMax} directories deep` };
}

/** Whether the uid is root's or this process's own. */
export function isTrusted(uid: number): boolean {
  return uid === 0 || uid === process.geteuid?.();
}

export const writableByOthers = (stat: { readonly mode: number }) => (stat.mode & 0o022) !== 0;

/** Whether others cannot write to it, or it is sticky like /tmp: nobody can rename or remove other users' files. */
const keepsNames = (stat: Stats) =>
  !writableByOthers(stat) || ((stat.mode & 0o1000) !== 0 && stat.uid === 0);
