/**
 * A directory held open, whose files are reached through it, so that nobody can put another
 * directory in its place between a check and its use. Names are single components.
 */
import { closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs';
import { fail, ok, type Result } from '../../base/result.ts';
import { quoted, reasonOf } from '../errno.ts';

export interface PinnedDirectory extends Disposable {
  readonly fd: number;
  readonly path: string;
  /** A path to a file in it that stays true whatever happens to the directory's own path. */
  readonly at: (name: string) => string;
}

/** Node opens every file with O_CLOEXEC, so no child inherits it. */
export function pinDirectory(path: string): Result<PinnedDirectory, string> {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    return fail(`Cannot open the directory ${quoted(path)}: ${reasonOf(error)}`);
  }
  return ok({
    fd,
    path,
    at: (name) => `/proc/self/fd/${fd}/${name}`,
    [Symbol.dispose]: () => closeSync(fd),
  });
}

/** Why what is in the directory could be replaced by someone else, and what to do about it. */
export function directoryProblem(directory: PinnedDirectory): string | undefined {
  const stat = fstatSync(directory.fd);
  const shown = quoted(directory.path);
  if (!isTrusted(stat.uid)) {
    return `its directory ${shown} belongs to uid ${stat.uid}; run: chown root ${directory.path}`;
  }
  if (!writableByOthers(stat) || isSticky(stat)) return undefined;
  return `its directory ${shown} can be written by others; run: chmod go-w ${directory.path}`;
}

/** Root, and whoever runs this. */
export function isTrusted(uid: number): boolean {
  return uid === 0 || uid === process.geteuid?.();
}

export const writableByOthers = (stat: { readonly mode: number }) => (stat.mode & 0o022) !== 0;

/** As in /tmp, where nobody can rename or remove what belongs to another. */
const isSticky = (stat: Stats) => (stat.mode & 0o1000) !== 0 && stat.uid === 0;
