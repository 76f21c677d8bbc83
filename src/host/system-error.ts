/** What the kernel answered, in words, and what to do about it where that is known. */
import { getSystemErrorMessage } from 'node:util';
import { printable } from '../policy/diagnostic.ts';

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'a part of its path is no directory',
  EACCES: 'permission denied; run this as root',
  EPERM: 'not permitted; run this as root',
  EROFS: 'its file system is mounted read-only',
  ENOSPC: 'no space is left on its file system; free some',
  EDQUOT: 'the disk quota of its owner is used up; raise it or free some space',
  EMFILE: 'this process has too many files open',
  ENFILE: 'this host has too many files open',
};

/** Why a system call failed. What is no system error is a broken invariant, and thrown again. */
export function reasonOf(error: unknown): string {
  const { code, errno } = error as NodeJS.ErrnoException;
  if (code === undefined || errno === undefined) throw error;
  return reasons[code] ?? `${getSystemErrorMessage(errno)} (${code})`;
}

/** A path as it appears in a message: no control character of it reaches a terminal. */
export const quoted = (path: string): string => `"${printable(path)}"`;
