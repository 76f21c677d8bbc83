/**
 * An exclusive lock between processes: flock(2) on a file that names its holder.
 *
 * The kernel frees the lock when its holder dies, however it dies, so there are no stale locks.
 * The file itself is removed on release; a waiter that locked a removed file opens it anew. Only
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
import { createRequire } from 'node:module';
import type koffi from 'koffi';
import { fail, ok, type Result } from '../../base/result.ts';
import { errnoOf, quoted, reasonOf } from '../errno.ts';
import { sleepSync } from '../sleep.ts';

export interface FileLock extends Disposable {
  release(): void;
}

export interface LockOptions {
  /** How long to wait for another holder; 0 asks once. The thread sleeps meanwhile. */
  readonly waitMs: number;
  /** The path to name in messages, where it is not the one that is opened. */
  readonly shownAs?: string;
}

const lockShared = 1;
const lockExclusive = 2;
const lockNonBlocking = 4;
const pauseMs = 25;

interface Ffi {
  readonly koffi: typeof koffi;
  readonly flock: (fd: number, operation: number) => number;
}

/** Loaded by the first lock: that takes longer than to read a policy, for which nothing is locked. */
let loadedFfi: Ffi | undefined;

function ffi(): Ffi {
  if (loadedFfi !== undefined) return loadedFfi;
  const library = createRequire(import.meta.url)('koffi') as typeof koffi;
  // Symbols of the running program, which has the C library whatever its file is called.
  const flock = library.load(null).func('int flock(int fd, int operation)');
  return (loadedFfi = { koffi: library, flock });
}

export function lockFile(path: string, options: LockOptions): Result<FileLock, string> {
  const until = performance.now() + options.waitMs;
  for (;;) {
    const attempt = tryLock(path, options.shownAs ?? path);
    if (attempt.ok || !attempt.error.held)
      return attempt.ok ? attempt : fail(attempt.error.message);
    if (performance.now() >= until) {
      return fail(`${attempt.error.message}${waited(options.waitMs)}; try again when it is done`);
    }
    sleepSync(pauseMs);
  }
}

/** Whether a process holds the lock now; whoever wants it meanwhile has to ask twice. */
export function isLocked(path: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return false;
  }
  try {
    return ffi().flock(fd, lockShared | lockNonBlocking) !== 0;
  } finally {
    closeSync(fd);
  }
}

interface Refusal {
  /** Whether another process has it, so that waiting may help. */
  readonly held: boolean;
  readonly message: string;
}

function tryLock(path: string, shown: string): Result<FileLock, Refusal> {
  const refuse = (why: string, held = false) =>
    fail({ held, message: `Cannot lock ${quoted(shown)}: ${why}` });
  let fd: number;
  try {
    fd = openLockFile(path);
  } catch (error) {
    if (errnoOf(error) === 'ELOOP') return refuse('it is a symbolic link; remove it');
    return refuse(reasonOf(error));
  }
  try {
    const problem = problemOf(fd);
    if (problem !== undefined) return closing(fd, refuse(problem));
    const { koffi, flock } = ffi();
    if (flock(fd, lockExclusive | lockNonBlocking) !== 0) {
      const errno = koffi.errno();
      if (errno === koffi.os.errno['EINTR']) return closing(fd, refuse('interrupted', true));
      if (errno !== koffi.os.errno['EAGAIN']) return closing(fd, refuse(`errno ${errno}`));
      return closing(fd, refuse(`${holderOf(fd)} holds it`, true));
    }
    if (!isStillAt(fd, path)) return closing(fd, refuse('another process holds it', true));
    ftruncateSync(fd, 0);
    writeSync(fd, `${process.pid}\n`, 0);
  } catch (error) {
    return closing(fd, refuse(reasonOf(error)));
  }
  return ok(heldLock(fd, path));
}

function openLockFile(path: string): number {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  return openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
}

function problemOf(fd: number): string | undefined {
  const stat = fstatSync(fd);
  if (!stat.isFile()) return 'it is no regular file; remove it';
  if (stat.uid !== process.geteuid?.()) return `it belongs to uid ${stat.uid}; remove it`;
  if ((stat.mode & 0o077) !== 0) fchmodSync(fd, 0o600);
  return undefined;
}

/** The file may have been removed by its last holder between our open and our lock. */
function isStillAt(fd: number, path: string): boolean {
  const here = statSync(path, { throwIfNoEntry: false });
  const ours = fstatSync(fd);
  return here !== undefined && here.ino === ours.ino && here.dev === ours.dev;
}

function holderOf(fd: number): string {
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
      // Its directory went away, and the file with it.
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
