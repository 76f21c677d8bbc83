/**
 * A directory held open, whose files are reached through it, so that nobody can put another
 * directory in its place between a check and its use. Names are single components.
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
import { failed, type Cause, type Problem } from '../../base/problem.ts';
import { ok, type Result } from '../../base/result.ts';
import { causeOf, quoted } from '../errno.ts';

export interface PinnedDirectory extends Disposable {
  readonly fd: number;
  readonly path: string;
  /** A path to a file in it that stays true whatever happens to the directory's own path. */
  readonly at: (name: string) => string;
}

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;

/**
 * A path that the administrator named may be a symbolic link; a directory of our own, or one that was found, may
 * not. Node opens every file with O_CLOEXEC, so no child inherits it.
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

/** With both flags the kernel answers ENOTDIR to a link. */
function openCause(error: unknown, links: 'follow' | 'refuse'): Cause {
  const cause = causeOf(error);
  if (links === 'follow' || (cause.errno !== 'ENOTDIR' && cause.errno !== 'ELOOP')) return cause;
  return { ...cause, reason: 'it is a symbolic link or not a directory', hint: 'remove it' };
}

/** Of an open descriptor of a directory. */
export const pinned = (fd: number, path: string): PinnedDirectory => ({
  fd,
  path,
  at: (name) => `/proc/self/fd/${fd}/${name}`,
  [Symbol.dispose]: () => closeSync(fd),
});

/** Why what is in the directory could be replaced by someone else, and what to do about it. */
export function directoryProblem(directory: PinnedDirectory): Cause | undefined {
  return problemOfItself(directory) ?? problemAbove(directory);
}

/** The same of the directory alone, wherever that is. */
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

/** Whether it is a directory, and no link, in which nobody else could replace what is there. */
export function isRootsDirectory(path: string): boolean {
  const pinned = pinDirectory(path, 'refuse');
  if (!pinned.ok) return false;
  using directory = pinned.value;
  return directoryProblem(directory) === undefined;
}

/** More than a path can have. */
const depthMax = 4096;

/** Whoever can rename one of the directories above it can put another in its place. */
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

/** Root, and whoever runs this. */
export function isTrusted(uid: number): boolean {
  return uid === 0 || uid === process.geteuid?.();
}

export const writableByOthers = (stat: { readonly mode: number }) => (stat.mode & 0o022) !== 0;

/** Others cannot write to it, or it is sticky as /tmp: nobody can rename or remove what belongs to another. */
const keepsNames = (stat: Stats) =>
  !writableByOthers(stat) || ((stat.mode & 0o1000) !== 0 && stat.uid === 0);
