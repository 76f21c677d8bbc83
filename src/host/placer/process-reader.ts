/**
 * Who a process is and which groups it is in.
 *
 *     Name:   php-fpm          8:pids:/bulkhead/u1001
 *     State:  S (sleeping)     4:memory:/bulkhead/u1001
 *     Tgid:   4222             0::/
 *     Uid:    1001 1001 1001 1001
 *     Threads: 1
 *
 * The owner of the directory /proc/PID will not do for the uid: it is root's as long as the process
 * may not be dumped, as after setuid. A name cannot forge a line, since the kernel escapes it.
 *
 * Sources: proc_pid_status(5), cgroups(7).
 */
import { closeSync, openSync, readdirSync } from 'node:fs';
import { openBeneath, readAt } from '../syscalls.ts';

export interface Owner {
  readonly ruid: number;
  readonly euid: number;
  /** Another number than the pid's where that one names a thread. */
  readonly tgid: number;
  /** Ended, but for a parent that has not asked yet. */
  readonly dead: boolean;
  /**
   * One that is alive where the first thread has ended and others have not: what /proc says of the
   * first one's groups is empty then, and its uids are those that it had.
   */
  readonly thread: string | undefined;
}

const bufferBytes = 8 * 1024;
const openFlags = 0o2000000;
const patterns = {
  state: Buffer.from('\nState:\t'),
  tgid: Buffer.from('\nTgid:\t'),
  uid: Buffer.from('\nUid:\t'),
  threads: Buffer.from('\nThreads:\t'),
};
const ended = new Set(['Z'.charCodeAt(0), 'X'.charCodeAt(0)]);

export class ProcessReader {
  readonly #proc = openSync('/proc', 'r');
  readonly #buffer = Buffer.allocUnsafeSlow(bufferBytes);

  /** Nothing where there is no such process. */
  owner(pid: number): Owner | undefined {
    const text = this.#read(`${pid}/status`);
    if (text === undefined) return undefined;
    const over = ended.has(text[text.indexOf(patterns.state) + patterns.state.length] ?? 0);
    const tgid = numberAfter(text, patterns.tgid);
    if (!over) return { ...uidsIn(text), tgid, dead: false, thread: undefined };
    const dead = numberAfter(text, patterns.threads) <= 1;
    const thread = dead ? undefined : this.#lastThread(pid);
    const said = thread === undefined ? text : this.#read(`${pid}/task/${thread}/status`);
    return said === undefined ? undefined : { ...uidsIn(said), tgid, dead, thread };
  }

  /** The text of /proc/PID/cgroup; nothing where there is none. */
  groups(pid: number, thread: string | undefined): string | undefined {
    const path = thread === undefined ? `${pid}/cgroup` : `${pid}/task/${thread}/cgroup`;
    return this.#read(path)?.toString('utf8');
  }

  #lastThread(pid: number): string | undefined {
    try {
      return readdirSync(`/proc/${pid}/task`).findLast((each) => each !== String(pid));
    } catch {
      return undefined;
    }
  }

  /** Good until the next one is read; nothing where there is nothing to read. */
  #read(path: string): Buffer | undefined {
    const opened = openBeneath(this.#proc, path, openFlags);
    if ('error' in opened) return undefined;
    const length = readAt(opened.fd, this.#buffer, 0);
    closeSync(opened.fd);
    return length <= 0 ? undefined : this.#buffer.subarray(0, length);
  }
}

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

/** All processes, in the order of their pids. */
export const listProcesses = (): number[] =>
  readdirSync('/proc').flatMap((name) => {
    const first = name.charCodeAt(0);
    return first >= 0x30 && first <= 0x39 ? [Number(name)] : [];
  });
