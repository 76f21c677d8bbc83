/**
 * An exclusive lock between processes: flock(2) on a file that names the process that has it.
 *
 * The kernel frees the lock when that process ends, however it ends, so there are no stale locks.
 * The file itself is removed on release; a waiter that locked a removed file opens it again. Only
 * its owner can open it, since whoever can open a file can lock it and keep others waiting.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { causeOf, formatErrno } from '../../../packages/base/io/errno.ts';
import { sleepSync } from '../sleep.ts';
import { lockDescriptor } from '../syscalls.ts';

export interface FileLock extends Disposable {
  release(): void;
}

interface LockOptions {
  /** The time to wait for another process's lock; 0 tries once. The thread sleeps meanwhile. */
  readonly waitMs: number;
  /** The path to name in messages, if it is not the one that is opened. */
  readonly shownAs?: string;
}

const pauseMs = 25;

export function lockFile(path: string, options: LockOptions): Result<FileLock, Problem> {
  const until = performance.now() + options.waitMs;
  for (;;) {
    const attempt = tryLock(path);
    if (attempt.ok) return attempt;
    const { held, ...cause } = attempt.error;
    const problem = { action: 'lock', object: options.shownAs ?? path, ...cause };
    if (!held) return failed(problem);
    if (performance.now() >= until) {
      const reason = `${problem.reason}${waited(options.waitMs)}`;
      return failed({ ...problem, reason, hint: 'try again when it is done' });
    }
    sleepSync(pauseMs);
  }
}

/**
 * Returns whether a process has the lock now. A caller that then wants the lock must check again.
 */
export function isLocked(path: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return false;
  }
  try {
    return lockDescriptor(fd, 'shared') !== undefined;
  } finally {
    closeSync(fd);
  }
}

interface NotLocked extends Cause {
  /** Whether another process has it, so that waiting may help. */
  readonly held: boolean;
}

function tryLock(path: string): Result<FileLock, NotLocked> {
  const refuse = (cause: Cause) => fail({ ...cause, held: false });
  const wait = (reason: string) => fail({ reason, held: true });
  let fd: number;
  try {
    fd = openLockFile(path);
  } catch (error) {
    const cause = causeOf(error);
    return refuse(cause.errno === 'ELOOP' ? { ...cause, hint: 'remove it' } : cause);
  }
  try {
    const problem = problemOf(fd);
    if (problem !== undefined) return closing(fd, refuse(problem));
    const errno = lockDescriptor(fd, 'exclusive');
    if (errno === 'EINTR') return closing(fd, wait('interrupted'));
    if (errno === 'EAGAIN') return closing(fd, wait(`${lockOwner(fd)} holds it`));
    if (errno !== undefined) return closing(fd, refuse({ reason: formatErrno(errno), errno }));
    if (!isStillAt(fd, path)) return closing(fd, wait('another process holds it'));
    ftruncateSync(fd, 0);
    writeSync(fd, `${process.pid}\n`, 0);
  } catch (error) {
    return closing(fd, refuse(causeOf(error)));
  }
  return ok(heldLock(fd, path));
}

function openLockFile(path: string): number {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  return openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
}

function problemOf(fd: number): Cause | undefined {
  const stat = fstatSync(fd);
  const hint = 'remove it';
  if (!stat.isFile()) return { reason: 'it is not a regular file', hint };
  if (stat.uid !== process.geteuid?.()) return { reason: `it belongs to uid ${stat.uid}`, hint };
  if ((stat.mode & 0o077) !== 0) fchmodSync(fd, 0o600);
  return undefined;
}

/**
 * Returns whether the file is still at its path: its last user may have removed it between our open
 * and our lock.
 */
function isStillAt(fd: number, path: string): boolean {
  const here = statSync(path, { throwIfNoEntry: false });
  const ours = fstatSync(fd);
  return here !== undefined && here.ino === ours.ino && here.dev === ours.dev;
}

function lockOwner(fd: number): string {
  const buffer = Buffer.alloc(16);
  const text = buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0));
  const pid = /^(\d{1,10})\n/.exec(text)?.[1];
  return pid === undefined ? 'another process' : `process ${pid}`;
}

function heldLock(fd: number, path: string): FileLock {
  let held = true;
  const release = () => {
    if (!held) return;
    held = false;
    try {
      if (isStillAt(fd, path)) unlinkSync(path);
    } catch {
      // Its directory is gone, and the file with it.
    }
    closeSync(fd);
  };
  return { release, [Symbol.dispose]: release };
}

function closing<T>(fd: number, answer: T): T {
  closeSync(fd);
  return answer;
}

const waited = (waitMs: number) => (waitMs > 0 ? `, waited ${waitMs / 1000} s` : '');
