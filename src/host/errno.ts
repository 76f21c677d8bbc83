/** Names of the errors that the kernel gives, for messages and decisions. */
import { constants } from 'node:os';

const names = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

export type ErrnoName = string;

export const errnoName = (number: number): ErrnoName => names.get(number) ?? `errno ${number}`;

/** The name of a Node error's errno, or of the error itself. */
export function errnoOf(error: unknown): ErrnoName {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

const words: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EAGAIN: 'try again',
  EBUSY: 'in use',
  EEXIST: 'it exists',
  EINVAL: 'the kernel does not accept the value',
  ELOOP: 'it is a symbolic link',
  ENODEV: 'no such device',
  ENOENT: 'it does not exist',
  ENOSPC: 'no space left',
  ENOSYS: 'this kernel cannot do it',
  EOPNOTSUPP: 'not supported here',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  ESRCH: 'no such process',
};

/** `EBUSY (in use)`. */
export function describeErrno(name: ErrnoName): string {
  const text = words[name];
  return text === undefined ? name : `${name} (${text})`;
}
