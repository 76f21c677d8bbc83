/**
 * Reads a process's identity and its cgroups.
 *
 *     Name:   php-fpm          8:pids:/bulkhead/u1001
 *     State:  S (sleeping)     4:memory:/bulkhead/u1001
 *     Tgid:   4222             0::/
 *     Uid:    1001 1001 1001 1001
 *     Groups: 1001 …           as many as 65,536
 *     ShdPnd: 0000000000040000 signals that wait for the whole process
 *
 * The owner of the directory /proc/PID is not its uid: it is root while the process is not dumpable,
 * as after setuid. A name cannot forge a line (`process-status.ts`).
 *
 * A process that is gone is distinguished from one that cannot be read, which may be alive.
 *
 * Sources: proc_pid_status(5), cgroups(7).
 */
import { closeSync, openSync, readdirSync } from 'node:fs';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { Errno } from '../../../packages/base/problem.ts';
import { errnoName, errnoOf } from '../../../packages/base/io/errno.ts';
import { statusState, statusValue } from '../../sys/processes/process-status.ts';
import { openBeneath, readAt } from '../../sys/syscalls.ts';
import { userNamespaceMaker } from '../../sys/processes/user-namespace.ts';

export interface Owner {
  readonly ruid: number;
  readonly euid: number;
  /** Differs from the pid if the pid is a thread's id. */
  readonly tgid: number;
  /** Whether it is a zombie, which its parent has not reaped yet. */
  readonly dead: boolean;
  /**
   * A live thread, if the first thread has exited and others have not. The first one's cgroups in /proc are empty then,
   * and its uids are its last ones.
   */
  readonly thread: string | undefined;
}

export interface StoppedState {
  readonly now: boolean;
  /** Whether it is in an interruptible sleep, so it has run. */
  readonly asleep: boolean;
  /** Whether a SIGSTOP arrived while it was stopped already. */
  readonly again: boolean;
  /** The real uid. A signal to all processes of a uid reaches the process by its real or its saved uid. */
  readonly real: number;
  readonly saved: number;
}

/** `gone`: there is no such process any more. Another error: it may be alive, and cannot be read. */
export type Unread = Errno | 'gone';

const bufferBytes = 8 * 1024;
/** The maximum size of a status file: the maximum number of groups, and the rest. */
const statusBytesMax = 2 ** 20;
const openFlags = 0o2000000;
const SIGSTOP = 19n;
const patterns = {
  state: Buffer.from('\nState:\t'),
  tgid: Buffer.from('\nTgid:\t'),
  uid: Buffer.from('\nUid:\t'),
};
const ended = new Set(['Z'.charCodeAt(0), 'X'.charCodeAt(0)]);
/** A thread that was chosen may exit before it is read. */
const threadTriesMax = 8;

export class ProcessReader {
  readonly #proc = openSync('/proc', 'r');
  readonly #buffer = Buffer.allocUnsafeSlow(bufferBytes);

  owner(pid: number): Result<Owner, Unread> {
    const read = this.#read(`${pid}/status`);
    if (!read.ok) return read;
    const text = read.value;
    const over = ended.has(text[text.indexOf(patterns.state) + patterns.state.length] ?? 0);
    const tgid = numberAfter(text, patterns.tgid);
    if (!over) return ok({ ...uidsIn(text), tgid, dead: false, thread: undefined });
    const uids = uidsIn(text);
    return this.#headless(pid, { ...uids, tgid, dead: true, thread: undefined });
  }

  /** Handles an exited first thread: the process is dead if it was also the last one. */
  #headless(pid: number, dead: Owner): Result<Owner, Unread> {
    for (let tries = 0; tries < threadTriesMax; tries++) {
      const thread = this.#otherThread(pid);
      if (!thread.ok) return thread;
      if (thread.value === undefined) return ok(dead);
      const read = this.#read(`${pid}/task/${thread.value}/status`);
      if (read.ok) {
        return ok({ ...uidsIn(read.value), tgid: dead.tgid, dead: false, thread: thread.value });
      }
      if (read.error !== 'gone') return read;
    }
    return fail('EAGAIN');
  }

  #otherThread(pid: number): Result<string | undefined, Unread> {
    try {
      return ok(readdirSync(`/proc/${pid}/task`).findLast((each) => each !== String(pid)));
    } catch (error) {
      return fail(goneOr(errnoOf(error)));
    }
  }

  /** Returns the text of /proc/PID/cgroup. */
  cgroups(pid: number, thread: string | undefined): Result<string, Unread> {
    const read = this.#read(`${inTask(pid, thread)}/cgroup`);
    return read.ok ? ok(read.value.toString('utf8')) : read;
  }

  /** Returns the uid that created its user namespace; undefined if that is our own. */
  namespaceMaker(pid: number, thread: string | undefined): Result<number | undefined, Unread> {
    const maker = userNamespaceMaker(Number(thread ?? pid), `/proc/${inTask(pid, thread)}/ns/user`);
    return maker.ok ? maker : fail(goneOr(maker.error));
  }

  stopped(pid: number): Result<StoppedState, Unread> {
    const read = this.#whole(`${pid}/status`);
    if (!read.ok) return read;
    const state = statusState(read.value);
    const pending = statusValue(read.value, 'ShdPnd') ?? '0';
    const again = (BigInt(`0x${pending}`) & (1n << (SIGSTOP - 1n))) !== 0n;
    const [real = 0, , saved = 0] = (statusValue(read.value, 'Uid') ?? '').split('\t').map(Number);
    const now = state === 'T' || state === 't';
    return ok({ now, asleep: state === 'S', again, real, saved });
  }

  #whole(path: string): Result<string, Unread> {
    const opened = openBeneath(this.#proc, path, openFlags);
    if ('error' in opened) return fail(goneOr(opened.error));
    let text = '';
    let length = 0;
    do {
      length = readAt(opened.fd, this.#buffer, text.length);
      if (length > 0) text += this.#buffer.toString('latin1', 0, length);
    } while (length > 0 && text.length < statusBytesMax);
    closeSync(opened.fd);
    return length < 0 ? fail(goneOr(errnoName(-length))) : ok(text);
  }

  /** Returns the beginning of a file, valid until the next one is read. */
  #read(path: string): Result<Buffer, Unread> {
    const opened = openBeneath(this.#proc, path, openFlags);
    if ('error' in opened) return fail(goneOr(opened.error));
    const length = readAt(opened.fd, this.#buffer, 0);
    closeSync(opened.fd);
    if (length < 0) return fail(goneOr(errnoName(-length)));
    return length === 0 ? fail('gone') : ok(this.#buffer.subarray(0, length));
  }
}

const inTask = (pid: number, thread: string | undefined) =>
  thread === undefined ? String(pid) : `${pid}/task/${thread}`;

const goneOr = (error: Errno): Unread => (error === 'ENOENT' || error === 'ESRCH' ? 'gone' : error);

function uidsIn(text: Buffer): { readonly ruid: number; readonly euid: number } {
  const start = text.indexOf(patterns.uid) + patterns.uid.length;
  return { ruid: numberAt(text, start), euid: numberAt(text, text.indexOf(9, start) + 1) };
}

function numberAfter(text: Buffer, pattern: Buffer): number {
  const at = text.indexOf(pattern);
  return at < 0 ? 0 : numberAt(text, at + pattern.length);
}

function numberAt(text: Buffer, start: number): number {
  let value = 0;
  for (let at = start; at < text.length; at++) {
    const digit = (text[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  return value;
}

/** Lists all processes, in the order of their pids. */
export const listProcesses = (): number[] =>
  readdirSync('/proc').flatMap((name) => {
    const first = name.charCodeAt(0);
    return first >= 0x30 && first <= 0x39 ? [Number(name)] : [];
  });
