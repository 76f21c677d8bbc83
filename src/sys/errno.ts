/** Names of the errors that the kernel gives, for messages and decisions. */
import { constants } from 'node:os';
import { getSystemErrorMessage } from 'node:util';
import { printable } from '../base/printable.ts';
import type { Cause, Errno } from '../base/problem.ts';

/** On Linux these are other names of EAGAIN and EOPNOTSUPP. */
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

/** What Node refuses itself, before it calls the kernel: a path with a NUL byte, a directory to `rm`. */
const refusedByNode: Readonly<Record<string, Errno>> = {
  ERR_INVALID_ARG_VALUE: 'EINVAL',
  ERR_FS_EISDIR: 'EISDIR',
};

/** The errno of a failed call. What is not an error of the system is a defect, and thrown again. */
export function errnoOf(error: unknown): Errno {
  const { code = '', errno } = error as NodeJS.ErrnoException;
  if (errno !== undefined) return errnoName(Math.abs(errno));
  const name = refusedByNode[code];
  if (name === undefined) throw error;
  return name;
}

const words: Readonly<Partial<Record<Errno, string>>> = {
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

/** `EBUSY (in use)`. */
export function describeErrno(name: Errno): string {
  const text = words[name];
  return text === undefined ? name : `${name} (${text})`;
}

/** Why a call failed, in words. */
export function reasonOf(error: unknown): string {
  const name = errnoOf(error);
  const { errno } = error as NodeJS.ErrnoException;
  if (errno === undefined) return describeErrno(name);
  return words[name] ?? `${getSystemErrorMessage(-Math.abs(errno))} (${name})`;
}

/** The same as data. */
export const causeOf = (error: unknown): Cause => ({
  reason: reasonOf(error),
  errno: errnoOf(error),
});

/** For a call that answers an errno by itself. */
export const errnoCause = (errno: Errno): Cause => ({ reason: describeErrno(errno), errno });

/** A path as it appears in a message: no control character of it reaches a terminal. */
export const quoted = (path: string): string => `"${printable(path)}"`;
