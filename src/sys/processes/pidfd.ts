/**
 * A reference to one process that never changes: its pid can be another process's by the time that it is used.
 *
 * The descriptor is of its directory in /proc, which the kernel ties to the process like a pidfd. Reads and signals
 * through it reach that process, or nobody (ESRCH) once it is reaped. pidfd_open(2) would add nothing, and is younger
 * (Linux 5.3) than signalling a directory (5.1).
 *
 * Before 5.1, signals use the pid, right after a check that it is still that process's: reading through the descriptor
 * fails if it is not. The remaining race is the time between two system calls.
 */
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { constants as system } from 'node:os';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { errnoOf } from '../../../packages/base/io/errno.ts';
import type { Errno } from '../../../packages/base/problem.ts';
import { sendSignal } from '../syscalls.ts';

export interface OpenProcess extends Disposable {
  readonly pid: number;
  /** The descriptor of /proc/PID; an event on it never comes. */
  readonly fd: number;
  /** Returns a path to a file of /proc/PID that is this process's or nobody's. */
  readonly at: (file: string) => string;
  /** Returns the text of a file of /proc/PID, such as `status`; ESRCH if the process is gone. */
  readonly read: (file: string) => Result<string, Errno>;
  /** Whether it has not been reaped, so that its pid is still its own. */
  readonly isThere: () => boolean;
  /** Sends a signal; returns the error, if any; ESRCH if the process is gone. */
  readonly signal: (name: NodeJS.Signals) => Errno | undefined;
}

/** Opens a process; ESRCH if there is none. */
export function openProcess(pid: number): Result<OpenProcess, Errno> {
  let fd: number;
  try {
    fd = openSync(`/proc/${pid}`, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    return fail(goneOr(errnoOf(error)));
  }
  const at = (file: string) => `/proc/self/fd/${fd}/${file}`;
  const read = (file: string) => readProcessFile(at(file));
  const isThere = () => {
    const error = sendSignal(fd, 0);
    return error === 'ENOSYS' ? read('status').ok : error !== 'ESRCH';
  };
  return ok({
    pid,
    fd,
    at,
    read,
    isThere,
    signal(name) {
      const error = sendSignal(fd, system.signals[name]);
      return error === 'ENOSYS' ? signalByNumber(pid, name, read) : error;
    },
    [Symbol.dispose]: () => closeSync(fd),
  });
}

function readProcessFile(path: string): Result<string, Errno> {
  try {
    return ok(readFileSync(path, 'latin1'));
  } catch (error) {
    return fail(goneOr(errnoOf(error)));
  }
}

function signalByNumber(
  pid: number,
  name: NodeJS.Signals,
  read: OpenProcess['read'],
): Errno | undefined {
  const still = read('status');
  if (!still.ok) return still.error;
  try {
    process.kill(pid, name);
    return undefined;
  } catch (error) {
    return errnoOf(error);
  }
}

/** Returns ESRCH for ENOENT: the directory of a process that is gone is empty, so its files do not exist. */
const goneOr = (error: Errno): Errno => (error === 'ENOENT' ? 'ESRCH' : error);
