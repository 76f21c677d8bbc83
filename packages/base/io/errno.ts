/** Names of kernel errors, for messages and decisions. */
import { constants } from 'node:os';
import { getSystemErrorMessage } from 'node:util';
import { printable } from '../printable.ts';
import type { Cause, Errno } from '../problem.ts';

/** Other names of EAGAIN and EOPNOTSUPP on Linux. */
const synonyms: readonly string[] = ['EWOULDBLOCK', 'ENOTSUP'];
const known = (Object.entries(constants.errno) as [Errno, number][]).filter(
  ([name]) => !synonyms.includes(name),
);
/** Node has no names for these. Source: asm-generic/errno.h, linux/errno.h. */
const further: readonly [Errno, number][] = [
  ['EUCLEAN', 117],
  ['EREMOTEIO', 121],
  ['ENOMEDIUM', 123],
  ['ENOTSUPP', 524],
];
const names = new Map([...further, ...known].map(([name, number]) => [number, name]));

export const errnoName = (number: number): Errno => names.get(number) ?? 'UNKNOWN';

/** Errors that Node returns before it calls the kernel: a path with a NUL byte, a directory passed to `rm`. */
const refusedByNode: Readonly<Record<string, Errno>> = {
  ERR_INVALID_ARG_VALUE: 'EINVAL',
  ERR_FS_EISDIR: 'EISDIR',
};

/** Returns the errno of a failed call. Any other error is a defect, and thrown again. */
export function errnoOf(error: unknown): Errno {
  const { code = '', errno } = error as NodeJS.ErrnoException;
  if (errno !== undefined) return errnoName(Math.abs(errno));
  const name = refusedByNode[code];
  if (name === undefined) throw error;
  return name;
}

const errnoTexts: Readonly<Partial<Record<Errno, string>>> = {
  EACCES: 'permission denied; run this as root',
  EDQUOT: 'the disk quota of its owner is used up',
  EMFILE: 'this process has too many files open',
  ENFILE: 'this host has too many files open',
  EAGAIN: 'try again',
  EBUSY: 'in use',
  EEXIST: 'it exists',
  EINVAL: 'the kernel does not accept the value',
  ELOOP: 'it is a symbolic link',
  ENODEV: 'no such device',
  ENOENT: 'it does not exist',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of its path is not a directory',
  ENOSPC: 'no space is left on its file system',
  ENOSYS: 'this kernel cannot do it',
  EOPNOTSUPP: 'not supported here',
  EPERM: 'not permitted; run this as root',
  EROFS: 'its file system is mounted read-only',
  ESRCH: 'no such process',
  EUCLEAN: 'its file system is damaged',
};

/** Describes an errno: `EBUSY (in use)`. */
export function formatErrno(name: Errno): string {
  const text = errnoTexts[name];
  return text === undefined ? name : `${name} (${text})`;
}

/** Returns why a call failed, in words. */
export function reasonOf(error: unknown): string {
  const name = errnoOf(error);
  const { errno } = error as NodeJS.ErrnoException;
  if (errno === undefined) return formatErrno(name);
  return errnoTexts[name] ?? `${getSystemErrorMessage(-Math.abs(errno))} (${name})`;
}

/** Returns why a call failed, as data. */
export const causeOf = (error: unknown): Cause => ({
  reason: reasonOf(error),
  errno: errnoOf(error),
});

/** Returns the cause for a call that itself returned an errno. */
export const errnoCause = (errno: Errno): Cause => ({ reason: formatErrno(errno), errno });

/** Returns a path quoted for a message, so that none of its control characters reaches a terminal. */
export const quoted = (path: string): string => `"${printable(path)}"`;
