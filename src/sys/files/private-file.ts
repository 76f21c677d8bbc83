/**
 * Files for root alone: 0600, in a directory of ours with 0700. Neither may be a symbolic link or
 * belong to somebody else, since we write there as root.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  type Stats,
} from 'node:fs';
import { errnoOf, quoted, reasonOf } from '../errno.ts';
import { isTrusted } from './pinned-directory.ts';
import { fail, ok, type Result } from '../../base/result.ts';

const { O_RDONLY, O_RDWR, O_DIRECTORY, O_NOFOLLOW, O_CREAT, O_NONBLOCK } = constants;
const permissions = 0o777;

/** Makes the directory where it is missing. Directories above it are made with 0755. */
export function ensurePrivateDirectory(path: string): Result<undefined> {
  try {
    const above = path.replace(/\/[^/]+\/*$/, '');
    if (above !== '') mkdirSync(above, { recursive: true, mode: 0o755 });
    makeDirectory(path);
    return hold(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0o700, isDirectoryOfOurs);
  } catch (error) {
    const isLink = errnoOf(error) === 'ENOTDIR' || errnoOf(error) === 'ELOOP';
    const reason = isLink ? 'it is a symbolic link or no directory; remove it' : reasonOf(error);
    return fail(`Cannot use the directory ${quoted(path)}: ${reason}`);
  }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Makes the file, empty, where it is missing. */
export function ensurePrivateFile(path: string): Result<undefined> {
  try {
    return hold(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600, isFileOfOurs);
  } catch (error) {
    return fail(`Cannot open ${quoted(path)}: ${reasonOf(error)}`);
  }
}

type Check = (stat: Stats, path: string) => string | undefined;

function hold(path: string, flags: number, mode: number, check: Check): Result<undefined> {
  const fd = openSync(path, flags, mode);
  try {
    const stat = fstatSync(fd);
    const problem = check(stat, path);
    if (problem !== undefined) return fail(`Cannot use ${quoted(path)}: ${problem}`);
    if ((stat.mode & permissions) !== mode) fchmodSync(fd, mode);
    return ok(undefined);
  } finally {
    closeSync(fd);
  }
}

function isDirectoryOfOurs(stat: Stats, path: string): string | undefined {
  if (isTrusted(stat.uid)) return undefined;
  return `it belongs to uid ${stat.uid}; run: chown root ${quoted(path)}`;
}

function isFileOfOurs(stat: Stats, path: string): string | undefined {
  if (!stat.isFile()) return 'it is no file; remove it';
  if (stat.nlink > 1) return 'it has a second name, a hard link; remove one of them';
  return isDirectoryOfOurs(stat, path);
}
