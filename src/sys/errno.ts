/** Names of the errors that the kernel gives, for messages and decisions. */
import { constants } from 'node:os';
import { getSystemErrorMessage } from 'node:util';
import { printable } from '../base/printable.ts';

const names = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

export type ErrnoName = string;

export const errnoName = (number: number): ErrnoName => names.get(number) ?? `errno ${number}`;

/** The name of a Node error's errno, or of the error itself. */
export function errnoOf(error: unknown): ErrnoName {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

const words: Readonly<Record<string, string>> = {
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
  ENOTDIR: 'a part of its path is no directory',
  ENOSPC: 'no space is left on its file system',
  ENOSYS: 'this kernel cannot do it',
  EOPNOTSUPP: 'not supported here',
  EPERM: 'not permitted; run this as root',
  EROFS: 'its file system is mounted read-only',
  ESRCH: 'no such process',
};

/** `EBUSY (in use)`. */
export function describeErrno(name: ErrnoName): string {
  const text = words[name];
  return text === undefined ? name : `${name} (${text})`;
}

/**
 * Why a call failed, in words. What is no error of the system is a broken invariant, and thrown
 * again.
 */
export function reasonOf(error: unknown): string {
  const { code, errno } = error as NodeJS.ErrnoException;
  if (code === undefined || errno === undefined) throw error;
  return words[code] ?? `${getSystemErrorMessage(errno)} (${code})`;
}

/** A path as it appears in a message: no control character of it reaches a terminal. */
export const quoted = (path: string): string => `"${printable(path)}"`;
